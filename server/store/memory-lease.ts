/** A lease in memory: for tests and the simulator. */
import type { Lease, LeaseRecord } from '../model/lease.ts';
import type { LeaseStore } from './lease.ts';

/** A lease with the contract of the lasting one. Several servers of one process share it. */
export class MemoryLease implements LeaseStore {
  #record: LeaseRecord | undefined;
  #versions = 0;

  async read(): Promise<LeaseRecord | undefined> {
    return this.#record;
  }

  async write(lease: Lease, version: string | undefined): Promise<LeaseRecord | 'conflict'> {
    if (this.#record?.version !== version) return 'conflict';
    this.#versions += 1;
    this.#record = { holder: lease.holder, term: lease.term, ttlMs: lease.ttlMs, version: String(this.#versions) };
    return this.#record;
  }

  /** As a person may do it. */
  delete(): void {
    this.#record = undefined;
  }

  async close(): Promise<void> {}
}
