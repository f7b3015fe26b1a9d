/** Time that passes only when the simulation says so: the next timer is due as soon as everything has come to rest. */
import type { Clock, Timer } from '../../shared/clock.ts';

interface Entry {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

export class VirtualTime {
  nowMs = 0;
  events = 0;
  /** Told of what a callback has thrown: the process that it belongs to would have ended. */
  onError: (thrown: unknown) => void = (thrown) => {
    throw thrown;
  };
  readonly #heap: Entry[] = [];
  #order = 0;

  after(delayMs: number, callback: () => void): Timer {
    const entry = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, callback, cancelled: false };
    this.#push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  /** Runs all that is due until `untilMs`; `goesOn` is asked after every event, once all promises have settled. */
  async run(untilMs: number, goesOn: () => boolean): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.dueMs > untilMs) break;
      this.#pop();
      if (next.cancelled) continue;
      this.nowMs = next.dueMs;
      this.events++;
      try {
        next.callback();
      } catch (thrown) {
        this.onError(thrown);
      }
      await settled();
      if (!goesOn()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** One turn of the machine's loop: nothing here does I/O, so every promise that can settle has settled by then. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The clock of one life of one process. It may drift, be frozen as SIGSTOP does, and end with its process. */
export class ActorClock implements Clock {
  readonly #time: VirtualTime;
  readonly #rate: number;
  readonly #offsetMs: number;
  readonly #held: (() => void)[] = [];
  /** When it last went on, by true time. */
  thawedAtMs = Number.NEGATIVE_INFINITY;
  #frozen = false;
  #stopped = false;
  #steppedMs = 0;

  constructor(time: VirtualTime, rate: number, offsetMs: number) {
    this.#time = time;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** How much waits to reach it. */
  get held(): number {
    return this.#held.length;
  }

  monotonicMs(): number {
    return this.#offsetMs + this.#time.nowMs * this.#rate;
  }

  wallMs(): number {
    return Math.floor(1_700_000_000_000 + this.#steppedMs + this.#time.nowMs);
  }

  /** The time of day jumps. */
  step(byMs: number): void {
    this.#steppedMs += byMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    if (this.#stopped) return { cancel: () => undefined };
    let cancelled = false;
    // A little more, because a rounded sum may lie just before what was asked for.
    const inner = this.#time.after(Math.max(0, delayMs) / this.#rate + 0.0001, () =>
      this.defer(() => {
        if (!cancelled) callback();
      }),
    );
    return {
      cancel: () => {
        cancelled = true;
        inner.cancel();
      },
    };
  }

  /** Resolves after so long, when this process runs; never where it has ended. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  /** Something reaches this process: now, or when it runs again, in order; never where it has ended. */
  defer(callback: () => void): void {
    if (this.#stopped) return;
    if (this.#frozen || this.#held.length > 0) this.#held.push(callback);
    else callback();
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.thawedAtMs = this.#time.nowMs;
    this.#release();
  }

  stop(): void {
    this.#stopped = true;
    this.#held.length = 0;
  }

  #release(): void {
    this.#time.after(0, () => {
      const first = this.#held[0];
      if (first === undefined || this.#frozen || this.#stopped) return;
      first();
      this.#held.shift();
      this.#release();
    });
  }
}
