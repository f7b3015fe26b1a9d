/** The pilots' messages, wire ↔ model. Whatever is not in order is refused by name; nothing is guessed. */
import type * as wire from '../../proto/navigator/v1/pilot.ts';
import type * as common from '../../proto/navigator/v1/types.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { FromPilot, Heartbeat, Hello, ToPilot } from '../model/messages.ts';
import type { Health, NodeObservation, ProcessPhase } from '../model/observation.ts';
import type { Allocation, Evidence, Verb } from '../model/permit.ts';
import type { Decision, MemberSpec } from '../model/plan.ts';
import { couchbaseMemberToWire, standingFromWire, topologyFromWire, topologyOrderToWire } from './couchbase-wire.ts';
import { allocationToWire, holdToWire, permitStateToWire } from './wire.ts';

/** The longest text that a pilot may send in a field, and the longest list. */
const textMax = 16_384;
const listMax = 10_000;

const verbs: Readonly<Record<common.Verb, Verb | undefined>> = {
  VERB_UNSPECIFIED: undefined,
  VERB_START: 'start',
  VERB_RESTART: 'restart',
  VERB_STOP: 'stop',
  VERB_LEAVE: 'leave',
  VERB_FAILOVER: 'failover',
  VERB_REBALANCE: 'rebalance',
  VERB_UPGRADE: 'upgrade',
  VERB_WIPE: 'wipe',
  UNRECOGNIZED: undefined,
};
const healths: Readonly<Record<common.Health, Health | undefined>> = {
  HEALTH_UNSPECIFIED: 'unknown',
  HEALTH_GREEN: 'green',
  HEALTH_YELLOW: 'yellow',
  HEALTH_RED: 'red',
  UNRECOGNIZED: undefined,
};
const allocations: Readonly<Record<common.Allocation, Allocation | undefined>> = {
  ALLOCATION_UNSPECIFIED: undefined,
  ALLOCATION_ALL: 'all',
  ALLOCATION_PRIMARIES: 'primaries',
  ALLOCATION_NEW_PRIMARIES: 'new_primaries',
  ALLOCATION_NONE: 'none',
  UNRECOGNIZED: undefined,
};
const phases: Readonly<Record<common.ProcessPhase, ProcessPhase | undefined>> = {
  PROCESS_PHASE_UNSPECIFIED: 'unknown',
  PROCESS_PHASE_PREPARING: 'preparing',
  PROCESS_PHASE_STARTING: 'starting',
  PROCESS_PHASE_RUNNING: 'running',
  PROCESS_PHASE_STOPPING: 'stopping',
  PROCESS_PHASE_STOPPED: 'stopped',
  PROCESS_PHASE_BACKOFF: 'backoff',
  UNRECOGNIZED: undefined,
};
const hooks: Readonly<Record<wire.Hook, string | undefined>> = {
  HOOK_UNSPECIFIED: undefined,
  HOOK_PRE_START: 'PreStart',
  HOOK_POST_START: 'PostStart',
  HOOK_PRE_STOP: 'PreStop',
  HOOK_POST_STOP: 'PostStop',
  UNRECOGNIZED: undefined,
};

/** The hello that every stream begins with. */
export function helloFromWire(hello: wire.Hello): Hello {
  return {
    cluster: {
      namespace: text('hello.namespace', hello.namespace) || 'default',
      name: named('hello.cluster', hello.cluster),
    },
    member: named('hello.member', hello.member),
    incarnation: named('hello.incarnation', hello.incarnation),
    application: text('hello.application', hello.application),
    pilotVersion: text('hello.pilot_version', hello.pilotVersion),
    highestTerm: whole('hello.highest_term', hello.highestTerm),
    permits: list('hello.permits', hello.permits),
  };
}

/** Any message after the hello. */
export function fromWire(request: wire.ConnectRequest): FromPilot {
  const { message } = request;
  switch (message?.$case) {
    case 'heartbeat':
      return { kind: 'heartbeat', heartbeat: heartbeat(message.value) };
    case 'hookEvent': {
      const { id, hook, ok, message: words } = message.value;
      return {
        kind: 'hook',
        id: named('hook_event.id', id),
        hook: known('hook_event.hook', hook, hooks),
        ok,
        message: text('hook_event.message', words),
      };
    }
    case 'permissionRequest': {
      const { id, verb, reason, sequence } = message.value;
      return {
        kind: 'request',
        id: named('permission_request.id', id),
        verb: known('permission_request.verb', verb, verbs),
        evidence: evidence('permission_request.evidence', message.value.evidence),
        reason: text('permission_request.reason', reason),
        sequence: whole('permission_request.sequence', sequence),
      };
    }
    case 'permitUse': {
      const permitId = named('permit_use.permit_id', message.value.permitId, 512);
      return { kind: 'use', permitId, evidence: evidence('permit_use.evidence', message.value.evidence) };
    }
    case 'permitCompletion': {
      const { ok, message: words } = message.value;
      const permitId = named('permit_completion.permit_id', message.value.permitId, 512);
      return { kind: 'completion', permitId, ok, message: text('permit_completion.message', words) };
    }
    case 'orderResult': {
      const { id, ok, message: words } = message.value;
      return {
        kind: 'order_result',
        id: named('order_result.id', id),
        ok,
        message: text('order_result.message', words),
      };
    }
    case 'hello':
      throw invalid('hello', 'stands at the beginning of a stream only, and has been said already');
    case undefined:
      throw invalid('message', 'is empty, or of a kind that this server does not know');
  }
}

/** Anything that the server says. */
export function toWire(message: ToPilot): wire.ConnectResponse {
  switch (message.kind) {
    case 'welcome':
      return {
        message: { $case: 'welcome', value: { heartbeatIntervalMs: message.heartbeatMs, leaseTtlMs: message.leaseMs } },
      };
    case 'heartbeat_answer': {
      const { term, leader, yours } = message.leadership;
      const leadership = { term: BigInt(term), leader, yours };
      return { message: { $case: 'heartbeatAnswer', value: { sequence: message.sequence, leadership } } };
    }
    case 'desired': {
      const { revision, phase, spec } = message.desired;
      const value = { revision: BigInt(revision), phase: desiredPhases[phase], spec: specToWire(spec) };
      return { message: { $case: 'desiredState', value } };
    }
    case 'order': {
      const { id, term, excluded, owned, allocation, quorum, topology } = message.order;
      const settings = {
        ...{ excluded: [...excluded], owned: [...owned], allocation: allocationToWire(allocation), quorum },
        topology: topology && topologyOrderToWire(topology),
      };
      const value = { id, term: BigInt(term), verb: { $case: 'applySettings' as const, value: settings } };
      return { message: { $case: 'order', value } };
    }
    case 'decision':
      return { message: { $case: 'permissionDecision', value: decisionToWire(message.decision) } };
    case 'use_answer': {
      const value = { ...message.answer, approvedHolds: [...message.answer.approvedHolds] };
      return { message: { $case: 'permitUseAnswer', value } };
    }
    case 'hook_answer':
      return { message: { $case: 'hookAnswer', value: { id: message.id } } };
  }
}

const desiredPhases = {
  running: 'DESIRED_PHASE_RUNNING',
  stopped: 'DESIRED_PHASE_STOPPED',
  decommissioned: 'DESIRED_PHASE_DECOMMISSIONED',
} as const;

function specToWire(spec: MemberSpec): wire.MemberSpec {
  return {
    hash: spec.hash,
    version: spec.version,
    roles: [...spec.roles],
    plugins: [...spec.plugins],
    config: Object.entries(spec.config).map(([name, value]) => ({ name, valueJson: JSON.stringify(value) })),
    heapBytes: BigInt(spec.heapBytes),
    seeds: [...spec.seeds],
    quorum: spec.quorum,
    template: spec.template,
    couchbase: spec.couchbase && couchbaseMemberToWire(spec.couchbase),
  };
}

function decisionToWire(decision: Decision): wire.PermissionDecision {
  return {
    requestId: decision.requestId,
    permitId: decision.permitId,
    state: permitStateToWire(decision.state),
    ttlMs: decision.ttlMs,
    holds: decision.holds.map(holdToWire),
    position: decision.position,
    term: BigInt(decision.term),
    sequence: BigInt(decision.sequence),
  };
}

function heartbeat(beat: wire.Heartbeat): Heartbeat {
  const { process, node, cluster } = beat;
  if (process === undefined) throw invalid('heartbeat.process', 'is missing');
  return {
    sequence: beat.sequence,
    process: {
      phase: known('heartbeat.process.phase', process.phase, phases),
      pid: natural('heartbeat.process.pid', process.pid),
      restarts: natural('heartbeat.process.restarts', process.restarts),
      specHash: text('heartbeat.process.spec_hash', process.specHash),
      version: text('heartbeat.process.version', process.version),
      lastLog: text('heartbeat.process.last_log', process.lastLog),
      doing: text('heartbeat.process.doing', process.doing),
    },
    leadingTerm: whole('heartbeat.leading_term', beat.leadingTerm),
    permits: list('heartbeat.permits', beat.permits),
    asking: text('heartbeat.asking', beat.asking),
    ...(node && { node: nodeFromWire(node) }),
    ...(cluster && { cluster: clusterFromWire(cluster) }),
  };
}

function nodeFromWire(node: wire.NodeObservation): NodeObservation {
  return {
    nodeId: text('heartbeat.node.node_id', node.nodeId),
    processId: text('heartbeat.node.process_id', node.processId),
    joined: node.joined,
    version: text('heartbeat.node.version', node.version),
    ...counted('heartbeat.node.shards', 'shards', node.shards),
    ...counted('heartbeat.node.documents', 'documents', node.documents),
    ...standingFromWire('heartbeat.node.standing', node.standing),
  };
}

function clusterFromWire(cluster: wire.ClusterObservation): NonNullable<Heartbeat['cluster']> {
  const at = 'heartbeat.cluster';
  return {
    stateVersion: whole(`${at}.state_version`, cluster.stateVersion),
    health: known(`${at}.health`, cluster.health, healths),
    nodes: list(`${at}.nodes`, cluster.nodes),
    moving: whole(`${at}.moving`, cluster.moving),
    unassigned: whole(`${at}.unassigned`, cluster.unassigned),
    unassignedPrimaries: whole(`${at}.unassigned_primaries`, cluster.unassignedPrimaries),
    excluded: list(`${at}.excluded`, cluster.excluded),
    allocation: known(`${at}.allocation`, cluster.allocation, allocations),
    documents: whole(`${at}.documents`, cluster.documents),
    electedMaster: text(`${at}.elected_master`, cluster.electedMaster),
    appliedOrder: text(`${at}.applied_order`, cluster.appliedOrder),
    ...(cluster.quorum !== undefined && { quorum: natural(`${at}.quorum`, cluster.quorum) }),
    ...(cluster.topology && { topology: topologyFromWire(`${at}.topology`, cluster.topology) }),
  };
}

function evidence(field: string, proof: common.Evidence | undefined): Evidence {
  if (proof === undefined) throw invalid(field, 'is missing; without evidence nothing is permitted');
  const { allocation } = proof;
  return {
    incarnation: named(`${field}.incarnation`, proof.incarnation),
    nodeId: text(`${field}.node_id`, proof.nodeId),
    processId: text(`${field}.process_id`, proof.processId),
    stateVersion: whole(`${field}.state_version`, proof.stateVersion),
    ...counted(`${field}.shards`, 'shards', proof.shards),
    ...counted(`${field}.last_copies`, 'lastCopies', proof.lastCopies),
    ...counted(`${field}.unassigned_primaries`, 'unassignedPrimaries', proof.unassignedPrimaries),
    ...counted(`${field}.unassigned`, 'unassigned', proof.unassigned),
    ...counted(`${field}.moving`, 'moving', proof.moving),
    ...(proof.excluded !== undefined && { excluded: proof.excluded }),
    ...(allocation !== 'ALLOCATION_UNSPECIFIED' && {
      allocation: known(`${field}.allocation`, allocation, allocations),
    }),
    ...(proof.liveVoters !== undefined && { liveVoters: natural(`${field}.live_voters`, proof.liveVoters) }),
    ...(proof.quorum !== undefined && { quorum: natural(`${field}.quorum`, proof.quorum) }),
    ...standingFromWire(`${field}.standing`, proof.standing),
  };
}

function known<W extends string, M>(field: string, value: W, table: Readonly<Record<W, M | undefined>>): M {
  const found = table[value];
  if (found === undefined) throw invalid(field, `is ${value}, which this server does not know`);
  return found;
}

function counted<K extends string>(field: string, key: K, value: bigint | undefined): Partial<Record<K, number>> {
  if (value === undefined) return {};
  return { [key]: whole(field, value) } as Partial<Record<K, number>>;
}

function whole(field: string, value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(field, `is ${value}, not a count`);
  return Number(value);
}

/** The count in a field that the wire would let be negative. */
function natural(field: string, value: number): number {
  return whole(field, BigInt(value));
}

function text(field: string, value: string): string {
  if (value.length > textMax) throw invalid(field, `has ${value.length} characters; ${textMax} are allowed`);
  return value;
}

function named(field: string, value: string, longest = 253): string {
  if (value === '') throw invalid(field, 'is missing');
  if (value.length > longest) throw invalid(field, `has ${value.length} characters; ${longest} are allowed`);
  return value;
}

function list(field: string, values: readonly string[]): readonly string[] {
  if (values.length > listMax) throw invalid(field, `has ${values.length} entries; ${listMax} are allowed`);
  return values.map((value) => text(field, value));
}

function invalid(field: string, why: string): NavigatorError {
  return new NavigatorError('invalid', `${field} ${why}`);
}
