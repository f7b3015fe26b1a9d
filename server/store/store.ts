/** Where ledgers live: one row a cluster, changed by compare-and-swap only. */
import type { Ledger } from '../model/ledger.ts';

/** A ledger as it was read, with the revision that its replacement must name. */
export interface Stored {
  readonly key: string;
  /** Grows with every write of this row; 1 is the first. */
  readonly revision: number;
  readonly ledger: Ledger;
}

/**
 * All methods are durable when they resolve: what was written survives SIGKILL and power loss.
 * A lost race is an answer, not an error: the caller reads again and decides again.
 */
export interface Store {
  /** Whether other servers may write to it, too: then what was read is read again now and then. */
  readonly shared: boolean;
  /** Every row, ordered by key. */
  list(): Promise<readonly Stored[]>;
  read(key: string): Promise<Stored | undefined>;
  /** Writes `ledger` where the row still has `revision` (0: where there is no row). Resolves to the new row, or `conflict`. */
  compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'>;
  /** Removes the row where it still has `revision`. */
  remove(key: string, revision: number): Promise<'removed' | 'conflict'>;
  close(): Promise<void>;
}
