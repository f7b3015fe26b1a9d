/** What the server hears of a Couchbase cluster and tells its leader, beyond what every application has. */
import type { AutoFailoverSpec, BucketSpec } from './cluster.ts';

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
}

/**
 * What the leader must do to the cluster. Only in the topology that was judged: in any other one it does nothing and
 * waits for another order.
 */
export interface TopologyOrder {
  readonly judged: string;
  readonly add: readonly { readonly host: string; readonly services: readonly string[] }[];
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
}
