/** What is remembered of the topology of a Couchbase cluster from one heartbeat to the next. Pure. */
import type { Topology } from '../model/couchbase.ts';
import type { TopologyWatch } from '../model/observation.ts';

/**
 * What is known after this topology was heard. A failure is counted once, by which rebalance it was; one that went well ends
 * the row. What was before this server began is one failure at most.
 */
export function watchTopology(before: TopologyWatch | undefined, topology: Topology, nowMs: number): TopologyWatch {
  const { digest, outcome, rebalanceError, rebalancing } = topology;
  const sinceMs = before?.digest === digest ? before.sinceMs : nowMs;
  const known = before ?? { outcome: '', failures: 0, failedAtMs: 0 };
  const { failures, failedAtMs } = known;
  if (rebalancing || outcome === known.outcome)
    return { digest, sinceMs, outcome: known.outcome, failures, failedAtMs };
  if (rebalanceError === '') return { digest, sinceMs, outcome, failures: 0, failedAtMs };
  return { digest, sinceMs, outcome, failures: failures + 1, failedAtMs: nowMs };
}
