/** A ledger as text: JSON, bounded. */
import { NavigatorError } from '../../shared/errors.ts';
import type { Ledger } from '../model/ledger.ts';

/** The most that one cluster's ledger may take, in UTF-8 bytes. */
export const ledgerBytesMax = 8 * 1024 * 1024;

/** Writes a ledger. Throws NavigatorError `exhausted` where it is larger than a row may be. */
export function writeLedger(key: string, ledger: Ledger): string {
  const text = JSON.stringify(ledger);
  const bytes = Buffer.byteLength(text);
  if (bytes > ledgerBytesMax) {
    throw new NavigatorError('exhausted', `the ledger of ${key} has ${bytes} bytes, and ${ledgerBytesMax} is the most`);
  }
  return text;
}

/** Reads what writeLedger wrote. Throws SyntaxError or TypeError on anything else: such a row is damaged. */
export function readLedger(text: string): Ledger {
  const ledger = JSON.parse(text) as Partial<Ledger> | null;
  if (!Array.isArray(ledger?.permits) || typeof ledger.members !== 'object') throw new TypeError('not a ledger');
  return ledger as Ledger;
}
