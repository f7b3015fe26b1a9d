/** How often somebody was turned away at the door, and why. */
import type { Refusal, RefusalReason } from './access.ts';

/** Who came. */
export type Visitor = 'pilot' | 'person';

export interface RefusalCount {
  readonly visitor: Visitor;
  readonly reason: RefusalReason;
  readonly count: number;
}

/** Counters since the start of the server. They hold no tokens and no names. */
export class Refusals {
  readonly #counts = new Map<string, RefusalCount>();

  add(visitor: Visitor, { refused: reason }: Refusal): void {
    const key = `${visitor} ${reason}`;
    this.#counts.set(key, { visitor, reason, count: (this.#counts.get(key)?.count ?? 0) + 1 });
  }

  /** What was counted, by visitor and reason. What never happened is not in it. */
  counts(): readonly RefusalCount[] {
    return [...this.#counts.values()];
  }
}
