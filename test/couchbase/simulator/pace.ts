/** How long things take. Every time that was measured on a real cluster is divided by the scale, which is 1 by default. */
import { sleep, systemClock } from '../../../shared/clock.ts';

const clock = systemClock();

export class Pace {
  readonly scale: number;

  constructor(scale: number) {
    this.scale = scale;
  }

  /** Waits for as long as `ms` are here. */
  wait(ms: number): Promise<void> {
    return sleep(clock, ms / this.scale);
  }

  /** A time somewhere between two. */
  between(leastMs: number, mostMs: number): number {
    return leastMs + Math.random() * (mostMs - leastMs);
  }

  /** Milliseconds of simulated time since some moment. */
  now(): number {
    return clock.monotonicMs() * this.scale;
  }
}
