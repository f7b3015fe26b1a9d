/** The time of this machine, as fast as a scale says. */
import { sleep, systemClock } from '../../../shared/clock.ts';
import type { Pace } from './surroundings.ts';

const clock = systemClock();

/** Scale 1 is what was observed. */
export function realPace(scale: number): Pace {
  return {
    scale,
    wait: (ms) => sleep(clock, ms / scale),
    between: (leastMs, mostMs) => leastMs + Math.random() * (mostMs - leastMs),
    now: () => clock.monotonicMs() * scale,
  };
}
