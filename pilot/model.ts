/** What a pilot knows and says: its own words for what stands on the wire. */

export type Verb = 'start' | 'restart' | 'stop' | 'leave' | 'failover' | 'rebalance' | 'upgrade' | 'wipe';
export type Allocation = 'all' | 'primaries' | 'new_primaries' | 'none';
export type Health = 'green' | 'yellow' | 'red' | 'unknown';
export type Hook = 'pre_start' | 'post_start' | 'pre_stop' | 'post_stop';

/** Where a node of Couchbase stands by its own word. */
export type Standing = 'fresh' | 'added' | 'active' | 'failed';

/** The nodes of a Couchbase cluster and what is being done to them, in one reading. */
export interface Topology {
  /** Another one after every change of nodes or their health, and after every rebalance. */
  readonly digest: string;
  readonly nodes: readonly TopologyNode[];
  readonly rebalancing: boolean;
  readonly progressPercent: number;
  /** What the last one ended with; empty: it went well. */
  readonly rebalanceError: string;
  readonly balanced: boolean;
  /** Which rebalance or failover ended last; empty: there was none. */
  readonly outcome: string;
  /** The lowest version that a node may have, such as 7.6; empty: unknown. */
  readonly compatibility: string;
  readonly buckets: readonly BucketState[];
  /** The id of the administrator's next credentials, where the database takes those already; empty: it does not. */
  readonly administrator: string;
}

/** A bucket as it is. */
export interface BucketState {
  readonly name: string;
  readonly uuid: string;
  /** Absent: unknown. */
  readonly items?: number;
  readonly ramQuotaMb: number;
  readonly replicas: number;
  readonly eviction: string;
}

export interface TopologyNode {
  readonly otp: string;
  readonly host: string;
  readonly standing: Exclude<Standing, 'fresh'>;
  readonly healthy: boolean;
  /** vBuckets that are active on it and have no copy on another healthy node. */
  readonly lastCopies: number;
  /** The database's lasting id of the node; empty: unknown. */
  readonly uuid: string;
  /** Its server group. */
  readonly group: string;
}

/** A node that is to be part of the cluster, in a server group, or, where that is empty, in the one that the database chooses. */
export interface NodeToAdd {
  readonly host: string;
  readonly services: readonly string[];
  readonly group: string;
}

/** What the leader must do to a Couchbase cluster, in the topology that was judged and in no other. */
export interface TopologyOrder {
  readonly judged: string;
  readonly add: readonly NodeToAdd[];
  readonly recover: readonly string[];
  readonly failOver: readonly string[];
  readonly rebalance: boolean;
  readonly known: readonly string[];
  readonly eject: readonly string[];
  readonly buckets: readonly Bucket[];
  readonly autoFailover: AutoFailover;
  readonly unsafe: boolean;
  readonly discard: readonly string[];
  /** Nodes that come into another server group, before there is any other node. */
  readonly move: readonly { readonly otp: string; readonly group: string }[];
  readonly drop: readonly { readonly name: string; readonly uuid: string; readonly empty: boolean }[];
  readonly shrink: readonly string[];
  readonly memoryQuotas: Readonly<Record<string, number>>;
  readonly users: readonly User[];
  readonly groups: readonly Group[];
  readonly dropUsers: readonly string[];
  readonly dropGroups: readonly string[];
}

/** A user of the database itself; the password lies in a secret. */
export interface User {
  readonly name: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly secretName: string;
}

export interface Group {
  readonly name: string;
  readonly roles: readonly string[];
}

export interface Bucket {
  readonly name: string;
  readonly ramQuotaMb: number;
  readonly replicas: number;
  readonly type: string;
  /** Empty: the database's own default. */
  readonly eviction: string;
  readonly flush: boolean;
}

export interface AutoFailover {
  readonly enabled: boolean;
  /** Seconds. */
  readonly timeout: number;
  readonly maxCount: number;
}

/** All that this member is meant to be. `revision` only grows. */
export interface Desired {
  readonly revision: number;
  readonly phase: 'running' | 'stopped' | 'decommissioned';
  readonly spec: MemberSpec;
}

export interface MemberSpec {
  /** Covers everything that needs a restart to follow. */
  readonly hash: string;
  readonly version: string;
  readonly roles: readonly string[];
  readonly plugins: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly heapBytes: number;
  /** Peers that can vote: host or host:port. */
  readonly seeds: readonly string[];
  /** How many voters must agree. */
  readonly quorum: number;
  /** Stands for what its pod is to be made of; empty or absent: there are no pods. */
  readonly template?: string;
  /** Of Couchbase only. */
  readonly couchbase?: CouchbaseMember;
}

/** What a member of a Couchbase cluster is told of itself. */
export interface CouchbaseMember {
  /** It makes a cluster of itself. */
  readonly founds: boolean;
  /** MB on each node, by service. */
  readonly memoryQuotas: Readonly<Record<string, number>>;
  /** Its node was taken out while it was away and does not know it. */
  readonly stale: boolean;
}

/** What the database says of this node. */
export interface NodeObservation {
  readonly nodeId: string;
  readonly processId: string;
  readonly joined: boolean;
  /** Absent: unknown. */
  readonly shards?: number;
  readonly documents?: number;
  readonly version: string;
  readonly standing?: Standing;
}

/** What the leader reads of the whole cluster. */
export interface ClusterObservation {
  readonly stateVersion: bigint;
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
  readonly topology?: Topology;
}

/** What this node holds, read from one state of the database. An absent field is unknown, never zero. */
export interface Evidence {
  readonly nodeId: string;
  readonly processId: string;
  readonly stateVersion: bigint;
  readonly shards?: number;
  readonly lastCopies?: number;
  readonly unassignedPrimaries?: number;
  /** Copies, primaries or not, that are on no node. */
  readonly unassigned?: number;
  readonly moving?: number;
  readonly excluded?: boolean;
  readonly allocation?: Allocation;
  readonly liveVoters?: number;
  readonly quorum?: number;
  readonly standing?: Standing;
}

/** The cluster-wide settings that the leader must make true. */
export interface Settings {
  readonly excluded: readonly string[];
  readonly owned: readonly string[];
  readonly allocation: Allocation;
  /** 0: leave it. */
  readonly quorum: number;
  readonly topology?: TopologyOrder;
}

/** How a database process is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absent: the pilot's own user. */
  readonly uid?: number;
}
