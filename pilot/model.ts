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
}

export interface TopologyNode {
  readonly otp: string;
  readonly host: string;
  readonly standing: Exclude<Standing, 'fresh'>;
  readonly healthy: boolean;
  /** vBuckets that are active on it and have no copy on another healthy node. */
  readonly lastCopies: number;
}

/** What the leader must do to a Couchbase cluster, in the topology that was judged and in no other. */
export interface TopologyOrder {
  readonly judged: string;
  readonly add: readonly { readonly host: string; readonly services: readonly string[] }[];
  readonly recover: readonly string[];
  readonly failOver: readonly string[];
  readonly rebalance: boolean;
  readonly known: readonly string[];
  readonly eject: readonly string[];
  readonly buckets: readonly Bucket[];
  readonly autoFailover: AutoFailover;
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
  /** Of Couchbase only: whether it makes a cluster of itself, and the MB of each service. */
  readonly couchbase?: { readonly founds: boolean; readonly memoryQuotas: Readonly<Record<string, number>> };
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
