/** What the server has last heard and seen. It lives in memory only and is rebuilt after a start. */
import type { Standing, Topology } from './couchbase.ts';
import type { Allocation, Evidence, Verb } from './permit.ts';

export type Health = 'green' | 'yellow' | 'red' | 'unknown';

export type ProcessPhase = 'unknown' | 'preparing' | 'starting' | 'running' | 'stopping' | 'stopped' | 'backoff';

/** Everything observed of one cluster at one moment. */
export interface Observation {
  /** By member name. A member that was never heard of is absent. */
  readonly members: ReadonlyMap<string, MemberObservation>;
  /** What the runtime holds, by member name. */
  readonly runtime: ReadonlyMap<string, RuntimeMember>;
  /** From the current leader, in its current term; absent: unknown. */
  readonly cluster?: ClusterObservation;
  /** Addresses that the runtime has for members that are not in the ledger yet, by member name. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Monotonic ms at which this server started to listen. */
  readonly serverStartedAtMs: number;
  /** How many pilots, of all its clusters, were to come back to this server when it started. Absent: none. */
  readonly pilotsAtStart?: number;
  /** Monotonic ms of the last heartbeat that was answered with "you lead"; a lease lasts from there. */
  readonly leaseRenewedAtMs: number;
  /** Monotonic ms at which the present leader last said that it leads, or was first heard since its election; absent: not yet. */
  readonly ledAtMs?: number;
  /** Monotonic ms at which this server wrote a permit's present state, by permit id; absent: before its start. */
  readonly permitChangedAtMs: ReadonlyMap<string, number>;
  /** The order that this server has told last. Before the first one its id is this server's own, as no other life of it has. */
  readonly told: ToldOrder;
  /** Hosts that a leader was told to add to a cluster of Couchbase, and may be adding still. Absent: not known. */
  readonly adding?: readonly string[];
  /** What is remembered of the topology, of Couchbase only. Absent: none was heard of since this server began. */
  readonly watch?: TopologyWatch;
  /** Why this server cannot write its journal now. Absent: it can. */
  readonly unrecordable?: string;
}

export interface ToldOrder {
  readonly id: string;
  readonly content: string;
}

/** How long a topology is as it is, and what became of the last rebalances. Monotonic ms of this server. */
export interface TopologyWatch {
  readonly digest: string;
  readonly sinceMs: number;
  /** Which one ended last. */
  readonly outcome: string;
  /** How many have failed in a row, and when the last of them did. */
  readonly failures: number;
  readonly failedAtMs: number;
}

export interface MemberObservation {
  readonly member: string;
  readonly incarnation: string;
  /** Whether its stream is up. A cut one is suspect, then unknown; never drained. */
  readonly connected: boolean;
  /** Monotonic ms of the last message from it. */
  readonly heardAtMs: number;
  /** Wall ms of it, for people. */
  readonly heardAtWall: number;
  readonly process: ProcessObservation;
  /** Absent where the database does not answer. */
  readonly node?: NodeObservation;
  /** Monotonic ms since when its node has said the same of its place in the cluster. Absent: it says nothing of it. */
  readonly standsSinceMs?: number;
  /** The permission that it asks for now, by its latest evidence. */
  readonly request?: PermissionRequest;
  /** The permit that it is about to use and waits for the answer. */
  readonly use?: PermitUse;
  /** Permits that its last heartbeat says it holds. */
  readonly permits: readonly string[];
  /** The id of what its last heartbeat says it asks for, empty: nothing. Absent: no heartbeat has come on this stream. */
  readonly asking?: string;
  readonly lastHook?: HookRun;
}

export interface ProcessObservation {
  readonly phase: ProcessPhase;
  readonly pid: number;
  readonly restarts: number;
  readonly specHash: string;
  readonly version: string;
  readonly lastLog: string;
  readonly doing: string;
}

export interface NodeObservation {
  readonly nodeId: string;
  readonly processId: string;
  readonly joined: boolean;
  readonly shards?: number;
  readonly documents?: number;
  readonly version: string;
  /** Of Couchbase only. */
  readonly standing?: Standing;
}

export interface ClusterObservation {
  readonly term: number;
  readonly heardAtMs: number;
  readonly stateVersion: number;
  readonly health: Health;
  readonly nodes: readonly string[];
  readonly moving: number;
  readonly unassigned: number;
  readonly unassignedPrimaries: number;
  readonly excluded: readonly string[];
  readonly allocation: Allocation;
  readonly quorum?: number;
  readonly documents: number;
  readonly electedMaster: string;
  /** The id of the order whose settings were true when this was read; empty: none. */
  readonly appliedOrder: string;
  /** Of Couchbase only. */
  readonly topology?: Topology;
}

export interface PermissionRequest {
  readonly id: string;
  readonly verb: Verb;
  readonly evidence: Evidence;
  readonly reason: string;
  /** Counts the askings of one life of the pilot. */
  readonly sequence: number;
  /** Monotonic ms of its arrival: later than its sending, from which the pilot counts. */
  readonly receivedAtMs: number;
}

export interface PermitUse {
  readonly permitId: string;
  /** Read again, at the moment of use. */
  readonly evidence: Evidence;
}

export interface HookRun {
  readonly hook: string;
  readonly ok: boolean;
  readonly message: string;
  readonly at: number;
}

export interface RuntimeMember {
  readonly name: string;
  /** The version that its pilot was launched for. */
  readonly version: string;
  /** What its pod was made by, as templateOf gives it; absent where there are no pods. */
  readonly template?: string;
  /** Whether the pilot's process is there. */
  readonly alive: boolean;
  /** Why nothing of it runs, where the runtime knows that: it waits for a node, a volume, an image. Absent: it may run. */
  readonly waiting?: string;
}

/** Whether a member is known to serve: it is heard, and its database is part of the cluster. Unknown is not serving. */
export function serves(member: MemberObservation | undefined): member is MemberObservation {
  return member !== undefined && member.connected && member.process.phase === 'running' && member.node?.joined === true;
}
