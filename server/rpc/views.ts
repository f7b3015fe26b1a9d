/** What people are shown: a snapshot of a cluster → the wire's Cluster and Member. Pure. */
import type * as wire from '../../proto/navigator/v1/navigator.ts';
import type { ClusterLoop } from '../cluster-loop.ts';
import { isPaused, type MemberRecord } from '../model/ledger.ts';
import { serves, type ClusterObservation, type MemberObservation } from '../model/observation.ts';
import { desiredOf } from '../reconcile/plan.ts';
import { summaryOf } from '../summary.ts';
import { healthToWire, holdToWire } from './wire.ts';

/** One cluster as people see it. Before its first pass only what is desired is known. */
export function clusterView(cluster: ClusterLoop): wire.Cluster {
  const { ledger, snapshot } = cluster;
  const { spec, leadership } = ledger;
  const observed = snapshot?.observed.cluster;
  const { desired, ready, conditions } = summaryOf(ledger, snapshot);
  return {
    namespace: spec.id.namespace,
    name: spec.id.name,
    application: spec.application,
    version: spec.version,
    generation: BigInt(ledger.generation),
    observedGeneration: BigInt(snapshot?.stored.ledger.generation ?? 0),
    paused: isPaused(ledger),
    deleting: ledger.deleting,
    health: healthToWire(observed?.health ?? 'unknown'),
    desiredMembers: desired,
    readyMembers: ready,
    leader: leadership.leader,
    term: BigInt(leadership.term),
    doing: (snapshot?.plan.doing ?? []).map(({ member, message }) =>
      member === '' ? message : `${member}: ${message}`,
    ),
    holds: (snapshot?.plan.holds ?? []).map(holdToWire),
    conditions: [...conditions],
    documents: documentsOf(observed),
  };
}

/** Of a database with buckets the sum of what is in them; where one of them is not known, unknown is not zero. */
function documentsOf(observed: ClusterObservation | undefined): bigint | undefined {
  if (observed?.topology === undefined) return observed && BigInt(observed.documents);
  const counts = observed.topology.buckets.map(({ items }) => items);
  return counts.includes(undefined) ? undefined : BigInt(counts.reduce<number>((sum, one) => sum + (one ?? 0), 0));
}

/** The members of a cluster as people see them, ordered by name. */
export function memberViews(cluster: ClusterLoop): readonly wire.Member[] {
  return Object.values(cluster.ledger.members)
    .toSorted((a, b) => (a.pool < b.pool ? -1 : a.pool > b.pool ? 1 : a.ordinal - b.ordinal))
    .map((record) => memberView(cluster, record));
}

function memberView({ ledger, snapshot }: ClusterLoop, record: MemberRecord): wire.Member {
  const seen = snapshot?.observed.members.get(record.name);
  const { phase } = desiredOf(ledger, record, 0);
  const doing = snapshot?.plan.doing.find((line) => line.member === record.name)?.message;
  const holds = snapshot?.plan.holds.filter((hold) => hold.member === record.name) ?? [];
  return {
    name: record.name,
    pool: record.pool,
    roles: [...record.roles],
    desired: desiredPhases[phase],
    phase: phaseOf(seen),
    version: seen?.node?.version ?? (seen?.process.version || record.version),
    shards: count(seen?.node?.shards),
    documents: count(seen?.node?.documents),
    leader: ledger.leadership.leader === record.name,
    ready: serves(seen) && record.cast === undefined,
    doing: doing ?? seen?.process.doing ?? '',
    holds: holds.map(holdToWire),
    incarnation: seen?.incarnation ?? '',
    nodeId: seen?.node?.nodeId ?? '',
    pid: seen?.process.pid ?? 0,
    restarts: seen?.process.restarts ?? 0,
    lastHeartbeat: seen && new Date(seen.heardAtWall),
    lastLog: seen?.process.lastLog ?? '',
    address: record.address,
    lastHook: seen?.lastHook && { ...seen.lastHook, at: new Date(seen.lastHook.at) },
  };
}

const desiredPhases = {
  running: 'DESIRED_PHASE_RUNNING',
  stopped: 'DESIRED_PHASE_STOPPED',
  decommissioned: 'DESIRED_PHASE_DECOMMISSIONED',
} as const;

function phaseOf(seen: MemberObservation | undefined): string {
  if (seen === undefined) return 'not heard of yet';
  if (!seen.connected) return `not connected, was ${seen.process.phase}`;
  if (seen.process.phase === 'running' && seen.node?.joined !== true) return 'joining';
  return seen.process.phase;
}

function count(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}
