/** How long to wait before the next try. Pure: the caller brings the chance. */
import type { Random } from './random.ts';

export interface BackoffRule {
  readonly firstMs: number;
  readonly capMs: number;
}

/**
 * The wait before try number `attempt` (0 is the first again-try): doubling from `firstMs` up to `capMs`, of which
 * the upper half is chance, so that many who failed together do not come back together.
 */
export function backoffMs(rule: BackoffRule, attempt: number, random: Random): number {
  const full = Math.min(rule.capMs, rule.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(full / 2 + (full / 2) * random.fraction());
}
