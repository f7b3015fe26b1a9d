/** Where a lease lies: one record, changed by compare-and-swap only. */
import type { Lease, LeaseRecord } from '../model/lease.ts';

/**
 * Both methods have a deadline. One that rejects may have been done, and may still be done later: a record that was meant
 * to replace `version` lands only where that is still the version.
 */
export interface LeaseStore {
  /** Undefined where there is none. */
  read(): Promise<LeaseRecord | undefined>;
  /** Writes where the record still has `version` (undefined: where there is none). Resolves to it, or to `conflict`. */
  write(lease: Lease, version: string | undefined): Promise<LeaseRecord | 'conflict'>;
  close(): Promise<void>;
}
