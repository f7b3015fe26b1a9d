/** What a person wants: one cluster, validated and with every default filled in. */

export type Application = 'elasticsearch' | 'couchbase';

/** Names a cluster. In a store and in logs it is written `namespace/name`. */
export interface ClusterId {
  readonly namespace: string;
  readonly name: string;
}

export interface ClusterSpec {
  readonly id: ClusterId;
  readonly application: Application;
  /** Semver of the database. */
  readonly version: string;
  readonly paused: boolean;
  /** Absent: the quorum of the masters. */
  readonly minimumMasters?: number;
  /** Names or URLs of plugins. */
  readonly plugins: readonly string[];
  /** Raw database settings, flat keys, merged over Navigator's own. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The one budget: how many members may be away at once, ≥ 1. */
  readonly maxUnavailable: number;
  /** The user that the database runs as where the pilot runs as root. */
  readonly runAsUser: number;
  readonly deletionProtected: boolean;
  /** What its pods are made of. Absent, or a part of it: the default. The embedded runtime has no pods. */
  readonly pod?: ClusterPod;
  readonly nodePools: readonly NodePool[];
  /** What only Couchbase has. */
  readonly couchbase?: CouchbaseSpec;
}

export interface CouchbaseSpec {
  /** How members come to another version. Absent, in a ledger of before there was a choice: in place. */
  readonly upgrade?: 'swap' | 'in_place';
  readonly buckets: readonly BucketSpec[];
  readonly autoFailover: AutoFailoverSpec;
  /** MB on each node, by service as people name it. */
  readonly memoryQuotas: Readonly<Record<string, number>>;
  readonly users?: readonly UserSpec[];
  readonly groups?: readonly GroupSpec[];
  /** Pilots speak TLS with their nodes, whose certificates Navigator makes and renews. */
  readonly tls?: boolean;
  /** The secret with the administrator's credentials. Absent: they are generated. */
  readonly adminSecret?: string;
}

/** A user of the database itself; the password lies in a secret. */
export interface UserSpec {
  readonly name: string;
  /** As the database writes them, such as `bucket_full_access[travel]`. */
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly secretName: string;
}

export interface GroupSpec {
  readonly name: string;
  readonly roles: readonly string[];
}

export interface BucketSpec {
  readonly name: string;
  /** MB on each data node. */
  readonly ramQuotaMb: number;
  readonly replicas: number;
  readonly type: string;
  /** Absent: the database's own default. */
  readonly eviction?: string;
  readonly flush: boolean;
}

export interface AutoFailoverSpec {
  readonly enabled: boolean;
  /** Seconds. */
  readonly timeout: number;
  readonly maxCount: number;
}

export interface NodePool {
  readonly name: string;
  /** ≥ 0. */
  readonly replicas: number;
  /** Roles of Elasticsearch, services of Couchbase. */
  readonly roles: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  /** Of Couchbase: the zones that its members are spread over by their ordinals, each a server group. Absent: there are none. */
  readonly zones?: readonly string[];
  /** Bytes of the Java heap. */
  readonly heapBytes: number;
  /** Absent: what a member holds goes when it goes. */
  readonly persistence?: Persistence;
  /** How its pods differ from others. The embedded runtime has no pods. */
  readonly pod?: PoolPod;
}

/** What the pods of a whole cluster have in common, as it was written. */
export interface ClusterPod {
  readonly image?: Image;
  readonly pilotImage?: Image;
  /** The group that the files of its volumes belong to. */
  readonly fsGroup?: number;
}

/** An image of containers, of which a person may have named a part. */
export interface Image {
  readonly repository?: string;
  readonly tag?: string;
  readonly pullPolicy?: string;
}

/** What is passed on to the pods of a pool as it was written: nobody but Kubernetes knows what is in it. */
export interface PoolPod {
  readonly resources?: JsonObject;
  readonly nodeSelector?: JsonObject;
  readonly tolerations?: readonly unknown[];
  readonly affinity?: JsonObject;
  readonly schedulerName?: string;
  readonly podTemplate?: JsonObject;
}

/** Any object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

export interface Persistence {
  readonly sizeBytes: number;
  readonly storageClass?: string;
  readonly onDelete: 'Retain' | 'Delete';
  readonly onScaleDown: 'Retain' | 'Delete';
}

/** Writes a cluster's id as it stands in the store and in logs. */
export function clusterKey(id: ClusterId): string {
  return `${id.namespace}/${id.name}`;
}

/** The lasting name of a member: cluster, pool, ordinal. It is also the database's own name of the node. */
export function memberName(cluster: string, pool: string, ordinal: number): string {
  return `${cluster}-${pool}-${ordinal}`;
}

/** Whether a member of the cluster has this name, had it once, or could get it. */
export function isMemberName(cluster: string, name: string): boolean {
  return name.startsWith(`${cluster}-`) && /-\d+$/.test(name.slice(cluster.length));
}
