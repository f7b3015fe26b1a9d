/** Tests wait for what they mean, never for a time. */
import { sleep, systemClock } from '../../shared/clock.ts';

const clock = systemClock();
const pauseMs = 50;

/**
 * The first value of `condition` that is neither undefined nor false; a throw counts as not yet. After `limitMs` it
 * rejects with `what` it waited for, and the last thing that was thrown.
 */
export async function waitFor<T>(
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  limitMs = 300_000,
): Promise<T> {
  const end = clock.monotonicMs() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (clock.monotonicMs() > end) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`waited ${limitMs} ms in vain for ${what}${why}`, { cause: last });
    }
    await sleep(clock, pauseMs);
  }
}
