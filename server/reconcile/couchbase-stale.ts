/**
 * Nodes that were taken out while they were away and do not know it. Pure. One that comes back says that it is active, and
 * with others of its kind it may even see a majority: nothing that it says of the cluster counts, and it is never chosen to lead.
 */
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import type { Now } from '../model/timing.ts';
import { hasQuorum, nodeOf } from './couchbase-topology.ts';

/**
 * How long the cluster must be without a node that has said all the time that it is of it, in ms: right after an ejection it has
 * yet to hear of it, and right after it was added the leader has.
 */
const staleAfterMs = 30_000;

/** The ledger with the nodes that are stale now. One that is as new again, or known to the cluster again, is none. */
export function noteStale(ledger: Ledger, observed: Observation, now: Now): Ledger {
  if (ledger.spec.couchbase === undefined) return ledger;
  const changed = Object.values(ledger.members).flatMap((record) => {
    const cast = castOf(record, observed, now);
    return cast === record.cast ? [] : [{ record, cast }];
  });
  if (changed.length === 0) return ledger;
  const members = { ...ledger.members };
  for (const { record, cast } of changed) {
    const { cast: _before, ...rest } = record;
    members[record.name] = cast === undefined ? rest : { ...rest, cast };
  }
  return { ...ledger, members };
}

function castOf(record: MemberRecord, observed: Observation, now: Now): string | undefined {
  const seen = observed.members.get(record.name);
  const node = seen?.connected === true ? seen.node : undefined;
  if (node?.standing === undefined) return record.cast;
  if (node.standing === 'fresh') return undefined;
  const { watch } = observed;
  const topology = observed.cluster?.topology;
  if (record.cast !== undefined) {
    const present = topology !== undefined && hasQuorum(topology) ? nodeOf(topology, record) : undefined;
    const isBack = present?.healthy === true && present.standing !== 'failed';
    return node.nodeId === record.cast && !isBack ? record.cast : undefined;
  }
  if (topology === undefined || watch?.digest !== topology.digest || !hasQuorum(topology)) return undefined;
  const sinceMs = Math.max(watch.sinceMs, seen?.standsSinceMs ?? Infinity);
  const isLong = now.monotonicMs >= sinceMs + staleAfterMs;
  const isOut = nodeOf(topology, record) === undefined && !topology.rebalancing;
  return isOut && isLong ? node.nodeId : undefined;
}
