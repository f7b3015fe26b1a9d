/** Builders of what the pure code reads: a healthy thing each, and what the caller says otherwise. */
import { memberName, type ClusterSpec, type NodePool } from '../../server/model/cluster.ts';
import type { Ledger, MemberRecord } from '../../server/model/ledger.ts';
import type {
  ClusterObservation,
  MemberObservation,
  Observation,
  PermissionRequest,
} from '../../server/model/observation.ts';
import type { Evidence, Permit, Verb } from '../../server/model/permit.ts';
import type { Asking } from '../../server/reconcile/asking.ts';

/** The state version that every builder's evidence and observation is of. */
const stateVersion = 7;

export function pool(name: string, replicas: number, roles: readonly string[] = ['master', 'data']): NodePool {
  return { name, replicas, roles, config: {}, heapBytes: 2 ** 30 };
}

export function clusterSpec(
  nodePools: readonly NodePool[] = [pool('node', 3)],
  change: Partial<ClusterSpec> = {},
): ClusterSpec {
  return {
    id: { namespace: 'default', name: 'demo' },
    application: 'elasticsearch',
    version: '6.8.23',
    paused: false,
    plugins: [],
    config: {},
    maxUnavailable: 1,
    runAsUser: 1000,
    deletionProtected: false,
    nodePools,
    ...change,
  };
}

export function record(ordinal: number, change: Partial<MemberRecord> = {}): MemberRecord {
  const where = change.pool ?? 'node';
  return {
    name: memberName('demo', where, ordinal),
    pool: where,
    ordinal,
    roles: ['master', 'data'],
    version: '6.8.23',
    address: `10.0.0.${ordinal}`,
    keepOnScaleDown: false,
    keepOnDelete: false,
    left: false,
    joinedOnce: true,
    ...change,
  };
}

export function ledgerOf(records: readonly MemberRecord[], change: Partial<Ledger> = {}): Ledger {
  return {
    spec: clusterSpec(),
    manifest: '',
    generation: 1,
    paused: false,
    deleting: false,
    leadership: { term: 1, leader: 'demo-node-0', incarnation: lifeOf('demo-node-0') },
    members: Object.fromEntries(records.map((one) => [one.name, one])),
    permits: [],
    ...change,
  };
}

/** The life of a member's pilot, unless a test says otherwise. */
export function lifeOf(member: string): string {
  return `life-of-${member}`;
}

/** Evidence on which every step is free: drained, all green, restricted, three voters. */
export function evidence(member: string, change: Partial<Evidence> = {}): Evidence {
  return {
    incarnation: lifeOf(member),
    nodeId: `id-of-${member}`,
    processId: `process-of-${member}`,
    stateVersion,
    shards: 0,
    lastCopies: 0,
    unassignedPrimaries: 0,
    unassigned: 0,
    moving: 0,
    excluded: true,
    allocation: 'primaries',
    liveVoters: 3,
    quorum: 2,
    ...change,
  };
}

/** The same evidence with one thing not known. */
export function without<T extends object>(whole: T, field: keyof T): T {
  const { [field]: _unknown, ...rest } = whole;
  return rest as T;
}

export function request(member: string, verb: Verb, change: Partial<PermissionRequest> = {}): PermissionRequest {
  return { id: 'ask-1', verb, evidence: evidence(member), reason: 'a test', sequence: 1, receivedAtMs: 0, ...change };
}

/** A member that is joined and serves. */
export function seen(member: string, change: Partial<MemberObservation> = {}): MemberObservation {
  return {
    member,
    incarnation: lifeOf(member),
    connected: true,
    heardAtMs: 0,
    heardAtWall: 0,
    process: process(),
    node: { nodeId: `id-of-${member}`, processId: `process-of-${member}`, joined: true, shards: 0, version: '6.8.23' },
    permits: [],
    ...change,
  };
}

export function process(phase: MemberObservation['process']['phase'] = 'running'): MemberObservation['process'] {
  return { phase, pid: 1, restarts: 0, specHash: '', version: '6.8.23', lastLog: '', doing: '' };
}

export function clusterSeen(change: Partial<ClusterObservation> = {}): ClusterObservation {
  return {
    term: 1,
    heardAtMs: 0,
    stateVersion,
    health: 'green',
    nodes: ['demo-node-0', 'demo-node-1', 'demo-node-2'],
    moving: 0,
    unassigned: 0,
    unassignedPrimaries: 0,
    excluded: [],
    allocation: 'all',
    quorum: 2,
    documents: 0,
    electedMaster: 'demo-node-0',
    appliedOrder: '',
    ...change,
  };
}

export function observation(members: readonly MemberObservation[], change: Partial<Observation> = {}): Observation {
  return {
    members: new Map(members.map((one) => [one.member, one])),
    runtime: new Map(members.map((one) => [one.member, { name: one.member, version: '6.8.23', alive: true }])),
    cluster: clusterSeen(),
    addresses: new Map(),
    serverStartedAtMs: 0,
    leaseRenewedAtMs: 0,
    told: { id: 'server-life', content: '' },
    adding: [],
    permitChangedAtMs: new Map(),
    ...change,
  };
}

export function permit(member: string, verb: Verb, change: Partial<Permit> = {}): Permit {
  return {
    id: `${verb}-${member}-ask-1`,
    requestId: 'ask-1',
    member,
    verb,
    incarnation: lifeOf(member),
    state: 'queued',
    evidence: evidence(member),
    sequence: 1,
    reason: 'a test',
    requestedAt: 0,
    changedAt: 0,
    ttlMs: 30_000,
    decidedBy: '',
    decision: '',
    undo: '',
    ...change,
  };
}

/** An asking of the last of three masters with data, against which no rule speaks. */
export function asking(verb: Verb, change: Partial<Asking> = {}): Asking {
  const records = [record(0), record(1), record(2)];
  const name = 'demo-node-2';
  return {
    verb,
    ledger: ledgerOf(records),
    record: record(2),
    member: seen(name),
    evidence: evidence(name),
    observed: observation(records.map((one) => seen(one.name))),
    away: new Set(),
    leaving: verb === 'leave',
    approved: [],
    ...change,
  };
}
