/** Ledgers in memory: for tests and the simulator. It forgets everything when the process ends. */
import type { Ledger } from '../model/ledger.ts';
import { readLedger, writeLedger } from './ledger-text.ts';
import type { Store, Stored } from './store.ts';

interface Row {
  readonly revision: number;
  /** Text, so that nobody can change a row by changing the object that he wrote or read. */
  readonly text: string;
}

/** A store with the contract of the lasting one, durability apart. */
export class MemoryStore implements Store {
  readonly shared = false;
  readonly #rows = new Map<string, Row>();

  async list(): Promise<readonly Stored[]> {
    // By code units, as SQLite orders text for all keys that may be a cluster's.
    return [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, row]) => stored(key, row));
  }

  async read(key: string): Promise<Stored | undefined> {
    const row = this.#rows.get(key);
    return row === undefined ? undefined : stored(key, row);
  }

  async compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'> {
    const text = writeLedger(key, ledger);
    if ((this.#rows.get(key)?.revision ?? 0) !== revision) return 'conflict';
    const row = { revision: revision + 1, text };
    this.#rows.set(key, row);
    return stored(key, row);
  }

  async remove(key: string, revision: number): Promise<'removed' | 'conflict'> {
    if (this.#rows.get(key)?.revision !== revision) return 'conflict';
    this.#rows.delete(key);
    return 'removed';
  }

  async close(): Promise<void> {}
}

function stored(key: string, row: Row): Stored {
  return { key, revision: row.revision, ledger: readLedger(row.text) };
}
