/**
 * Work by key: each key once however often it is added, never two at a time for one key, a few at a time in all, and a pause
 * between two for the same key. What fails comes again after a growing pause.
 */
import { backoffMs, type BackoffRule } from '../../shared/backoff.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';

export interface WorkQueuePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly work: (key: string) => Promise<void>;
  /** Something has failed and comes again. */
  readonly failed: (key: string, error: unknown) => void;
}

/** How many keys are worked on at a time. */
const atOnceMax = 8;
/** From the end of the work for a key to the next one for it. */
const pauseMs = 200;
const retryRule: BackoffRule = { firstMs: 500, capMs: 60_000 };

interface Entry {
  state: 'waiting' | 'ready' | 'working';
  again: boolean;
  failures: number;
  timer: Timer | undefined;
}

export class WorkQueue {
  readonly #ports: WorkQueuePorts;
  readonly #entries = new Map<string, Entry>();
  readonly #ready: string[] = [];
  #working = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(ports: WorkQueuePorts) {
    this.#ports = ports;
  }

  /** Asks for work on a key, soon. One that has failed and waits goes on waiting. */
  add(key: string): void {
    if (this.#closed) return;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { state: 'ready', again: false, failures: 0, timer: undefined });
      this.#ready.push(key);
      this.#go();
    } else if (entry.state !== 'ready') entry.again = true;
  }

  /** Nothing new begins; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.timer?.cancel();
    if (this.#working > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #go(): void {
    while (!this.#closed && this.#working < atOnceMax) {
      const key = this.#ready.shift();
      const entry = key === undefined ? undefined : this.#entries.get(key);
      if (key === undefined || entry === undefined) return;
      void this.#work(key, entry);
    }
  }

  async #work(key: string, entry: Entry): Promise<void> {
    this.#working += 1;
    entry.state = 'working';
    entry.again = false;
    let delayMs = pauseMs;
    try {
      await this.#ports.work(key);
      entry.failures = 0;
    } catch (thrown) {
      this.#ports.failed(key, thrown);
      delayMs = backoffMs(retryRule, entry.failures, this.#ports.random);
      entry.failures += 1;
      entry.again = true;
    }
    this.#working -= 1;
    if (this.#closed) {
      if (this.#working === 0) for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    entry.state = 'waiting';
    // Kept through the pause, so that what is added meanwhile waits for its end.
    const wasAsked = entry.again;
    entry.again = false;
    entry.timer = this.#ports.clock.after(delayMs, () => this.#rested(key, entry, wasAsked));
    this.#go();
  }

  #rested(key: string, entry: Entry, wasAsked: boolean): void {
    if (!wasAsked && !entry.again) {
      this.#entries.delete(key);
      return;
    }
    entry.state = 'ready';
    this.#ready.push(key);
    this.#go();
  }
}
