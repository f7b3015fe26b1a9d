/** What a server counts, as Prometheus reads it. Pure: from the counts to the text. */
import type { RefusalReason } from '../rpc/access.ts';

/** The type of the text, for who asks. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

type Visitor = 'pilot' | 'person';

export interface Counted {
  /** Whether this server is the active one. */
  readonly isActive: boolean;
  /** How often somebody was turned away at the door. */
  readonly refusals: readonly {
    readonly visitor: Visitor;
    readonly reason: RefusalReason;
    readonly count: number;
  }[];
}

const ofAnybody = ['no_token', 'unknown_token', 'expired_token', 'other_audience'] as const;

/** What either can be refused for: shown from the start, as a counter that first appears with a 1 has not risen for who reads it. */
const reasons: Readonly<Record<Visitor, readonly RefusalReason[]>> = {
  pilot: [...ofAnybody, 'no_pod', 'other_member', 'other_cluster'],
  person: [...ofAnybody, 'not_allowed'],
};

/** Everything that a server counts. It names no token, no person and no cluster. */
export function metricsText({ isActive, refusals }: Counted): string {
  const counts = new Map<string, number>();
  for (const [visitor, all] of Object.entries(reasons))
    for (const reason of all) counts.set(labels(visitor, reason), 0);
  for (const { visitor, reason, count } of refusals) counts.set(labels(visitor, reason), count);
  const lines = [...counts].map(([of, count]) => `navigator_refusals_total{${of}} ${count}`);
  return [
    '# HELP navigator_server_active Whether this server is the active one.',
    '# TYPE navigator_server_active gauge',
    `navigator_server_active ${isActive ? 1 : 0}`,
    '# HELP navigator_refusals_total Calls that were turned away at the door since this server began, by who came and why.',
    '# TYPE navigator_refusals_total counter',
    ...lines,
    '',
  ].join('\n');
}

/** Both are words of ours, with nothing to escape. */
function labels(visitor: string, reason: string): string {
  return `visitor="${visitor}",reason="${reason}"`;
}
