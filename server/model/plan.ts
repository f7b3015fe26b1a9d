/** What is to be done next: values, applied elsewhere. */
import type { TopologyOrder } from './couchbase.ts';
import type { Hold } from './hold.ts';
import type { Ledger, MemberRecord } from './ledger.ts';
import type { Allocation, PermitState } from './permit.ts';

export interface Plan {
  /** The ledger as it must be written before anything below is done. The same object: nothing to write. */
  readonly ledger: Ledger;
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** What is being done, a line each, for people. */
  readonly doing: readonly Doing[];
  /** The leader has made the settings true that this plan calls for, and has read the cluster since. */
  readonly settled: boolean;
  /** When to look again though nothing has changed, in ms. */
  readonly recheckInMs: number;
}

export interface Doing {
  /** Empty for the whole cluster. */
  readonly member: string;
  readonly message: string;
}

/** An effect. Each one is idempotent: to do it twice is to do it once. */
export type Action =
  | { readonly kind: 'create_member'; readonly record: MemberRecord }
  | { readonly kind: 'replace_member'; readonly record: MemberRecord }
  | { readonly kind: 'remove_member'; readonly record: MemberRecord; readonly keepData: boolean }
  | { readonly kind: 'forget_cluster' }
  | { readonly kind: 'say_desired'; readonly member: string; readonly desired: Desired }
  | { readonly kind: 'say_use_answer'; readonly member: string; readonly answer: UseAnswer }
  | { readonly kind: 'say_decision'; readonly member: string; readonly decision: Decision }
  | { readonly kind: 'say_order'; readonly member: string; readonly order: SettingsOrder };

export type EventKind = 'started' | 'done' | 'held' | 'refused' | 'changed';

/** All that one member is meant to be. */
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
  readonly seeds: readonly string[];
  readonly quorum: number;
  /** Stands for what its pod is to be made of. A pilot that was launched for another one asks to be replaced. */
  readonly template: string;
  /** Of Couchbase only. Not part of the hash. */
  readonly couchbase?: CouchbaseMember;
}

export interface CouchbaseMember {
  /** It is the one that makes a cluster of itself, which the others are then added to. */
  readonly founds: boolean;
  /** MB on each node, by service. */
  readonly memoryQuotas: Readonly<Record<string, number>>;
  /** Its node was taken out while it was away and does not know it: it asks to be reset. */
  readonly stale: boolean;
}

/** The server's answer to one asking. */
export interface Decision {
  readonly requestId: string;
  readonly permitId: string;
  readonly state: PermitState;
  readonly ttlMs: number;
  readonly holds: readonly Hold[];
  /** Its place among those that wait, from 1; 0 where it does not wait. */
  readonly position: number;
  readonly term: number;
  /** The asking on whose evidence it was decided. */
  readonly sequence: number;
}

/** Whether a pilot may begin the step that a permit was granted for. */
export interface UseAnswer {
  readonly permitId: string;
  readonly ok: boolean;
  readonly message: string;
  /** The holds that a person has taken upon themselves. */
  readonly approvedHolds: readonly string[];
}

/** The cluster-wide settings as the leader must make them. */
export interface SettingsOrder {
  /** Another one each time that another order was told in between: what the leader says of an earlier one says nothing of this. */
  readonly id: string;
  /** A digest of what it says. */
  readonly content: string;
  readonly term: number;
  readonly excluded: readonly string[];
  readonly owned: readonly string[];
  readonly allocation: Allocation;
  /** 0: leave it. */
  readonly quorum: number;
  /** Of Couchbase only, which has none of the settings above. */
  readonly topology?: TopologyOrder;
}
