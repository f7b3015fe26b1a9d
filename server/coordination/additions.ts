/**
 * Which nodes a leader may still be adding to a cluster of Couchbase. A node that leaves while it is being added is part of the
 * cluster for ever, and counts in its quorum. The database goes on with it whatever becomes of whoever asked for it.
 */
import type { ClusterObservation } from '../model/observation.ts';
import type { SettingsOrder } from '../model/plan.ts';
import type { Now } from '../model/timing.ts';

/** Longer than the call of the pilot may take. */
const mostMs = 150_000;

interface Addition {
  /** Of the leader that was told. */
  readonly term: number;
  readonly untilMs: number;
}

export class Additions {
  readonly #pending = new Map<string, Addition>();
  /** Before a leader has confirmed an order of this server it may be at one of another server, or of another life of this one. */
  #isKnown = false;

  /** The leader has been told an order. */
  ordered({ term, topology }: SettingsOrder, { monotonicMs }: Now): void {
    for (const { host } of topology?.add ?? []) this.#pending.set(host, { term, untilMs: monotonicMs + mostMs });
  }

  /** What the leader has read; `orderId` is the order that it was told last. */
  heard({ term, appliedOrder, topology }: ClusterObservation, orderId: string): void {
    if (appliedOrder === orderId) {
      this.#isKnown = true;
      for (const [host, one] of this.#pending) if (one.term === term) this.#pending.delete(host);
    }
    for (const { host } of topology?.nodes ?? []) this.#pending.delete(host);
  }

  /** Hosts of those that were told of not too long before `sinceMs`; undefined: not known. */
  pending(sinceMs: number): readonly string[] | undefined {
    if (!this.#isKnown) return undefined;
    return [...this.#pending].flatMap(([host, { untilMs }]) => (untilMs > sinceMs ? [host] : []));
  }
}
