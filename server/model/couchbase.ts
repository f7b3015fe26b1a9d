/** What the server hears of a Couchbase cluster and tells its leader, beyond what every application has. */
import type { AutoFailoverSpec, BucketSpec, GroupSpec, UserSpec } from './cluster.ts';

/**
 * Where a node stands by its own word. `fresh`: of no cluster. `added`: waits for a rebalance. `failed`: failed over.
 * A node that was removed while it was away still says `active`: the leader's topology tells.
 */
export type Standing = 'fresh' | 'added' | 'active' | 'failed';

/** The nodes of a cluster and what is being done to them, in one reading. */
export interface Topology {
  /** Another one after every change of nodes or their health, and after every rebalance, also a failed one. */
  readonly digest: string;
  readonly nodes: readonly TopologyNode[];
  /** Whether a rebalance or a graceful failover is running. */
  readonly rebalancing: boolean;
  /** Of the running one. */
  readonly progressPercent: number;
  /** What the last one ended with; empty: it went well. */
  readonly rebalanceError: string;
  /** The database's own word. It knows nothing of health. */
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
  /** Another one where a bucket of the same name was made anew. */
  readonly uuid: string;
  /** Absent: unknown. */
  readonly items?: number;
  readonly ramQuotaMb: number;
  readonly replicas: number;
  readonly eviction: string;
}

export interface TopologyNode {
  /** The database's name of it, as rebalances take it. */
  readonly otp: string;
  /** Without a port: the address of a member. */
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

/** A node that is to be part of the cluster. */
export interface NodeToAdd {
  readonly host: string;
  readonly services: readonly string[];
  /** The server group that it is added to; empty: the database's own choice. */
  readonly group: string;
}

/**
 * What the leader must do to the cluster. Only in the topology that was judged: in any other one it does nothing and
 * waits for another order.
 */
export interface TopologyOrder {
  readonly judged: string;
  readonly add: readonly NodeToAdd[];
  /** Failed nodes that come back with their data. */
  readonly recover: readonly string[];
  /** Nodes that are lost, and of which every vBucket has another copy. */
  readonly failOver: readonly string[];
  readonly rebalance: boolean;
  /** Of a rebalance: exactly all nodes, and those that go. */
  readonly known: readonly string[];
  readonly eject: readonly string[];
  readonly buckets: readonly BucketSpec[];
  readonly autoFailover: AutoFailoverSpec;
  /** So many are failed over that the database must be forced to it. A person has approved that. */
  readonly unsafe: boolean;
  /** Failed nodes that are forgotten without a rebalance: their members are as new, and are added again. */
  readonly discard: readonly string[];
  /** Nodes that come into another server group, before there is any other node. */
  readonly move: readonly { readonly otp: string; readonly group: string }[];
  /** Buckets that go. `empty`: only while there is nothing in them. */
  readonly drop: readonly { readonly name: string; readonly uuid: string; readonly empty: boolean }[];
  /** Names of buckets that may become smaller. */
  readonly shrink: readonly string[];
  /** MB on each node, by service; empty: left as they are. */
  readonly memoryQuotas: Readonly<Record<string, number>>;
  readonly users: readonly UserSpec[];
  readonly groups: readonly GroupSpec[];
  readonly dropUsers: readonly string[];
  readonly dropGroups: readonly string[];
}
