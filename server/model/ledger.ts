/** The one row that a server keeps of a cluster: all that must outlive it. */
import type { ClusterSpec } from './cluster.ts';
import type { Permit } from './permit.ts';

export interface Ledger {
  readonly spec: ClusterSpec;
  /** The manifest as it was applied, YAML. */
  readonly manifest: string;
  /** Counts the changes of the spec. */
  readonly generation: number;
  /** Paused by `navigator pause`, beside `spec.paused`. */
  readonly paused: boolean;
  readonly deleting: boolean;
  /** Set while a person has asked for an orderly stop of everything. */
  readonly stopping?: { readonly who: string; readonly why: string };
  /** Of Couchbase only: the one member that may make a cluster of itself. Written before it is told, and never changed. */
  readonly founder?: string;
  /** Of Couchbase only: buckets that a manifest has named and that are not known to be gone. No other is ever touched. */
  readonly ownedBuckets?: readonly string[];
  /** Of Couchbase only: users and groups that a manifest has named. No other is ever touched. */
  readonly ownedUsers?: readonly string[];
  readonly ownedGroups?: readonly string[];
  readonly leadership: Leadership;
  readonly members: Readonly<Record<string, MemberRecord>>;
  /** Open permits and a bounded number of ended ones, oldest first. */
  readonly permits: readonly Permit[];
}

/** Whether a person has paused it, by command or in its manifest. */
export function isPaused(ledger: Ledger): boolean {
  return ledger.paused || ledger.spec.paused;
}

export interface Leadership {
  /** Only grows, also across server restarts. */
  readonly term: number;
  /** Empty while nobody leads. */
  readonly leader: string;
  /** The life of the leader's pilot; while nobody leads, of the last one's. */
  readonly incarnation: string;
}

export interface MemberRecord {
  readonly name: string;
  readonly pool: string;
  readonly ordinal: number;
  readonly roles: readonly string[];
  /** The version that it may run. Changed by the use of an `upgrade` permit alone. */
  readonly version: string;
  /** What its pod may be made of, by templateOf. Changed as `version` is; absent in a ledger of before there were pods. */
  readonly template?: string;
  /** Where its peers reach it. Given by the runtime when it is created. */
  readonly address: string;
  /** Whether its data stays when it is removed by a smaller number of replicas. */
  readonly keepOnScaleDown: boolean;
  /** Whether its data stays when the cluster is deleted. */
  readonly keepOnDelete: boolean;
  /** Set once it has left by permit: nothing of it may be started again before it is removed. */
  readonly left: boolean;
  /** Set once the database has reported the node as joined: from then on it counts as a known voter. */
  readonly joinedOnce: boolean;
  /** It is there for as long as its pool is upgraded by swaps, beside those that the manifest asks for. */
  readonly spare?: boolean;
  /** The database's id of its node as it was when it was failed over with force: in that life it counts no more. */
  readonly cast?: string;
}
