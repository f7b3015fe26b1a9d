/** The pilot's words ↔ the wire's. What the server says and the pilot does not understand is refused by name. */
import type * as wire from '../proto/navigator/v1/pilot.ts';
import type * as common from '../proto/navigator/v1/types.ts';
import { NavigatorError } from '../shared/errors.ts';
import type {
  Allocation,
  ClusterObservation,
  Desired,
  Evidence,
  Hook,
  MemberSpec,
  NodeObservation,
  Settings,
  Standing,
  Topology,
  TopologyOrder,
  Verb,
} from './model.ts';
import type { Phase } from './supervisor/step.ts';

export type FromServer =
  | { readonly kind: 'welcome'; readonly heartbeatMs: number; readonly leaseMs: number }
  | { readonly kind: 'heartbeat_answer'; readonly sequence: bigint; readonly term: number; readonly yours: boolean }
  | { readonly kind: 'desired'; readonly desired: Desired }
  | { readonly kind: 'order'; readonly id: string; readonly term: number; readonly settings: Settings }
  | { readonly kind: 'decision'; readonly decision: Decision }
  | {
      readonly kind: 'use_answer';
      readonly permitId: string;
      readonly ok: boolean;
      readonly message: string;
      readonly approvedHolds: readonly string[];
    }
  | { readonly kind: 'hook_answer'; readonly id: string };

export interface Decision {
  readonly requestId: string;
  readonly permitId: string;
  readonly state: 'waiting' | 'granted' | 'ended';
  readonly ttlMs: number;
  readonly sequence: number;
  readonly term: number;
  /** Why it waits, in words. */
  readonly holds: readonly string[];
}

export interface Beat {
  readonly sequence: bigint;
  readonly phase: Phase;
  readonly pid: number;
  readonly restarts: number;
  readonly specHash: string;
  readonly version: string;
  readonly lastLog: string;
  readonly doing: string;
  readonly node?: NodeObservation;
  readonly cluster?: ClusterObservation;
  /** The order whose settings were true when the cluster was read. */
  readonly appliedOrder: string;
  readonly leadingTerm: number;
  readonly permits: readonly string[];
  readonly asking: string;
}

const phases = {
  idle: 'PROCESS_PHASE_PREPARING',
  preparing: 'PROCESS_PHASE_PREPARING',
  starting: 'PROCESS_PHASE_STARTING',
  running: 'PROCESS_PHASE_RUNNING',
  stopping: 'PROCESS_PHASE_STOPPING',
  stopped: 'PROCESS_PHASE_STOPPED',
  backoff: 'PROCESS_PHASE_BACKOFF',
} as const;

/** Reads what the server says. */
export function fromWire(response: wire.ConnectResponse): FromServer {
  const { message } = response;
  switch (message?.$case) {
    case 'welcome':
      return { kind: 'welcome', heartbeatMs: message.value.heartbeatIntervalMs, leaseMs: message.value.leaseTtlMs };
    case 'heartbeatAnswer': {
      const { sequence, leadership } = message.value;
      return {
        kind: 'heartbeat_answer',
        sequence,
        term: Number(leadership?.term ?? 0n),
        yours: leadership?.yours ?? false,
      };
    }
    case 'desiredState':
      return { kind: 'desired', desired: desiredFromWire(message.value) };
    case 'order': {
      const { id, term, verb } = message.value;
      if (verb === undefined) throw invalid('order.verb', 'nothing that this pilot knows');
      const { excluded, owned, allocation, quorum, topology } = verb.value;
      const settings = { excluded, owned, allocation: known('order', allocation, allocations), quorum };
      return {
        kind: 'order',
        id,
        term: Number(term),
        settings: { ...settings, ...(topology && { topology: topologyOrderFromWire(topology) }) },
      };
    }
    case 'permissionDecision':
      return { kind: 'decision', decision: decisionFromWire(message.value) };
    case 'permitUseAnswer':
      return { kind: 'use_answer', ...message.value };
    case 'hookAnswer':
      return { kind: 'hook_answer', id: message.value.id };
    case undefined:
      throw invalid('message', 'of a kind that this pilot does not know');
  }
}

const allocations: Readonly<Record<common.Allocation, Allocation | undefined>> = {
  ALLOCATION_UNSPECIFIED: undefined,
  ALLOCATION_ALL: 'all',
  ALLOCATION_PRIMARIES: 'primaries',
  ALLOCATION_NEW_PRIMARIES: 'new_primaries',
  ALLOCATION_NONE: 'none',
  UNRECOGNIZED: undefined,
};
const desiredPhases: Readonly<Record<common.DesiredPhase, Desired['phase'] | undefined>> = {
  DESIRED_PHASE_UNSPECIFIED: undefined,
  DESIRED_PHASE_RUNNING: 'running',
  DESIRED_PHASE_STOPPED: 'stopped',
  DESIRED_PHASE_DECOMMISSIONED: 'decommissioned',
  UNRECOGNIZED: undefined,
};
const permitStates: Readonly<Record<common.PermitState, Decision['state'] | undefined>> = {
  PERMIT_STATE_UNSPECIFIED: undefined,
  PERMIT_STATE_QUEUED: 'waiting',
  PERMIT_STATE_DENIED: 'waiting',
  PERMIT_STATE_GRANTED: 'granted',
  PERMIT_STATE_USED: 'waiting',
  PERMIT_STATE_COMPLETED: 'ended',
  PERMIT_STATE_EXPIRED: 'ended',
  PERMIT_STATE_REVOKED: 'ended',
  PERMIT_STATE_WITHDRAWN: 'ended',
  UNRECOGNIZED: undefined,
};

function desiredFromWire(state: wire.DesiredState): Desired {
  if (state.spec === undefined) throw invalid('desired_state.spec', 'missing');
  const { spec } = state;
  const config = spec.config.map(({ name, valueJson }): [string, unknown] => [name, JSON.parse(valueJson)]);
  const { couchbase, ...rest } = spec;
  const words: MemberSpec = {
    ...rest,
    config: Object.fromEntries(config),
    heapBytes: Number(spec.heapBytes),
    ...(couchbase && { couchbase: { ...couchbase, memoryQuotas: quotasFromWire(couchbase.memoryQuotas) } }),
  };
  return {
    revision: Number(state.revision),
    phase: known('desired_state.phase', state.phase, desiredPhases),
    spec: words,
  };
}

function topologyOrderFromWire(order: wire.TopologyOrder): TopologyOrder {
  const { autoFailover } = order;
  if (autoFailover === undefined) throw invalid('order.topology.auto_failover', 'missing');
  return { ...order, autoFailover, memoryQuotas: quotasFromWire(order.memoryQuotas) };
}

function quotasFromWire(quotas: readonly wire.MemoryQuota[]): Readonly<Record<string, number>> {
  return Object.fromEntries(quotas.map(({ service, megabytes }) => [service, megabytes] as const));
}

function decisionFromWire(decision: wire.PermissionDecision): Decision {
  return {
    requestId: decision.requestId,
    permitId: decision.permitId,
    state: known('permission_decision.state', decision.state, permitStates),
    ttlMs: decision.ttlMs,
    sequence: Number(decision.sequence),
    term: Number(decision.term),
    holds: decision.holds.map((hold) => hold.name),
  };
}

/** What a stream begins with. */
export interface Greeting {
  readonly namespace: string;
  readonly cluster: string;
  readonly member: string;
  readonly application: string;
  readonly pilotVersion: string;
  readonly incarnation: string;
  readonly highestTerm: number;
  readonly highestRevision: number;
  readonly permits: readonly string[];
}

/** The first message of a stream. */
export function helloToWire(greeting: Greeting): wire.ConnectRequest {
  const { namespace, cluster, member, application, pilotVersion, incarnation } = greeting;
  const value: wire.Hello = {
    namespace,
    cluster,
    member,
    application,
    pilotVersion,
    incarnation,
    highestTerm: BigInt(greeting.highestTerm),
    highestRevision: BigInt(greeting.highestRevision),
    permits: [...greeting.permits],
  };
  return { message: { $case: 'hello', value } };
}

/** The pilot is about to use a permit, on the evidence of this moment. */
export function useToWire(permitId: string, evidence: common.Evidence): wire.ConnectRequest {
  return { message: { $case: 'permitUse', value: { permitId, evidence } } };
}

/** What has become of a permit. */
export function completionToWire(end: { permitId: string; ok: boolean; message: string }): wire.ConnectRequest {
  const { permitId, ok, message } = end;
  return { message: { $case: 'permitCompletion', value: { permitId, ok, message } } };
}

/** What has become of an order. */
export function orderResultToWire(result: { id: string; ok: boolean; message: string }): wire.ConnectRequest {
  return { message: { $case: 'orderResult', value: result } };
}

/** A heartbeat, ready to send. */
export function beatToWire(beat: Beat): wire.ConnectRequest {
  const { sequence, phase, node, cluster, appliedOrder, leadingTerm, permits, asking, ...process } = beat;
  const value: wire.Heartbeat = {
    sequence,
    process: { ...process, phase: phases[phase] },
    node: node && {
      ...node,
      shards: count(node.shards),
      documents: count(node.documents),
      standing: node.standing && standingToWire(node.standing),
    },
    cluster: cluster && { ...clusterToWire(cluster), appliedOrder },
    leadingTerm: BigInt(leadingTerm),
    permits: [...permits],
    asking,
  };
  return { message: { $case: 'heartbeat', value } };
}

function clusterToWire(cluster: ClusterObservation): Omit<wire.ClusterObservation, 'appliedOrder'> {
  return {
    stateVersion: cluster.stateVersion,
    health: cluster.health === 'unknown' ? 'HEALTH_UNSPECIFIED' : `HEALTH_${upper(cluster.health)}`,
    nodes: [...cluster.nodes],
    moving: BigInt(cluster.moving),
    unassigned: BigInt(cluster.unassigned),
    unassignedPrimaries: BigInt(cluster.unassignedPrimaries),
    excluded: [...cluster.excluded],
    allocation: `ALLOCATION_${upper(cluster.allocation)}`,
    quorum: cluster.quorum,
    documents: BigInt(cluster.documents),
    electedMaster: cluster.electedMaster,
    topology: cluster.topology && topologyToWire(cluster.topology),
  };
}

function topologyToWire(topology: Topology): wire.Topology {
  const nodes = topology.nodes.map((node) => {
    return { ...node, standing: standingToWire(node.standing), lastCopies: BigInt(node.lastCopies) };
  });
  const buckets = topology.buckets.map((bucket) => ({ ...bucket, items: count(bucket.items) }));
  return { ...topology, nodes, buckets };
}

function standingToWire(standing: Standing): common.Standing {
  return `STANDING_${upper(standing)}`;
}

/** An asking for a permission, ready to send. */
export function requestToWire(
  asking: { readonly id: string; readonly verb: Verb; readonly reason: string },
  sequence: number,
  evidence: common.Evidence,
): wire.ConnectRequest {
  const { id, reason } = asking;
  const value = { id, verb: `VERB_${upper(asking.verb)}` as const, evidence, reason, sequence: BigInt(sequence) };
  return { message: { $case: 'permissionRequest', value } };
}

/** The evidence of this life of the pilot. What could not be read stays unknown. */
export function evidenceToWire(incarnation: string, evidence: Evidence | undefined): common.Evidence {
  return {
    incarnation,
    nodeId: evidence?.nodeId ?? '',
    processId: evidence?.processId ?? '',
    stateVersion: evidence?.stateVersion ?? 0n,
    shards: count(evidence?.shards),
    lastCopies: count(evidence?.lastCopies),
    unassignedPrimaries: count(evidence?.unassignedPrimaries),
    unassigned: count(evidence?.unassigned),
    moving: count(evidence?.moving),
    excluded: evidence?.excluded,
    allocation: evidence?.allocation ? `ALLOCATION_${upper(evidence.allocation)}` : 'ALLOCATION_UNSPECIFIED',
    liveVoters: evidence?.liveVoters,
    quorum: evidence?.quorum,
    standing: evidence?.standing && standingToWire(evidence.standing),
  };
}

/** A hook's outcome, ready to send. */
export function hookToWire(id: string, hook: Hook, outcome: { ok: boolean; message: string }): wire.ConnectRequest {
  return { message: { $case: 'hookEvent', value: { id, hook: `HOOK_${upper(hook)}`, ...outcome } } };
}

function count(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

function known<W extends string, M>(field: string, value: W, table: Readonly<Record<W, M | undefined>>): M {
  const found = table[value];
  if (found === undefined) throw invalid(field, `${value}, which this pilot does not know`);
  return found;
}

function upper<T extends string>(word: T): Uppercase<T> {
  return word.toUpperCase() as Uppercase<T>;
}

function invalid(field: string, why: string): NavigatorError {
  return new NavigatorError('invalid', `${field} is ${why}`);
}
