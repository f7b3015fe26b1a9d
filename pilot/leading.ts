/**
 * Whether this pilot leads. Pure state, time passed in.
 * It holds itself leader until the send time of the heartbeat that was answered with "you lead" plus the lease's
 * length, and no longer, whatever the server still believes.
 */
import { Latest } from '../shared/latest.ts';

/** How many heartbeats may be unanswered before the oldest is forgotten. */
const rememberedBeats = 64;

export class Leading {
  readonly #sentAtMs = new Latest<bigint, number>(rememberedBeats);
  #term = 0;
  #untilMs = 0;

  /** A heartbeat is being sent. */
  sent(sequence: bigint, nowMs: number): void {
    this.#sentAtMs.set(sequence, nowMs);
  }

  /** A heartbeat has been answered. */
  answered(
    answer: { readonly sequence: bigint; readonly term: number; readonly yours: boolean },
    leaseMs: number,
  ): void {
    const sentAtMs = this.#sentAtMs.get(answer.sequence);
    this.#sentAtMs.delete(answer.sequence);
    if (answer.term < this.#term) return;
    if (!answer.yours) {
      this.#term = answer.term;
      this.#untilMs = 0;
      return;
    }
    if (sentAtMs === undefined) return;
    this.#term = answer.term;
    this.#untilMs = Math.max(this.#untilMs, sentAtMs + leaseMs);
  }

  /** The term that this pilot leads in now, or 0. */
  term(nowMs: number): number {
    return nowMs < this.#untilMs ? this.#term : 0;
  }
}
