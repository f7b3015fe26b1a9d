/** The kinds of objects that Navigator reads or writes, and the labels by which it knows its own. */
import type { Kind, KubeObject } from './objects.ts';

const group = 'navigator.jetstack.io';

export const kinds = {
  elasticsearchCluster: {
    apiVersion: `${group}/v1alpha1`,
    kind: 'ElasticsearchCluster',
    plural: 'elasticsearchclusters',
  },
  couchbaseCluster: {
    apiVersion: `${group}/v1alpha1`,
    kind: 'CouchbaseCluster',
    plural: 'couchbaseclusters',
  },
  pilot: { apiVersion: `${group}/v1alpha1`, kind: 'Pilot', plural: 'pilots' },
  statefulSet: { apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets' },
  disruptionBudget: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' },
  service: { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  serviceAccount: { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' },
  pod: { apiVersion: 'v1', kind: 'Pod', plural: 'pods' },
  claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims' },
  secret: { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' },
  event: { apiVersion: 'v1', kind: 'Event', plural: 'events' },
} as const satisfies Record<string, Kind>;

/** What people write, one kind an application. */
export const clusterKinds: readonly Kind[] = [kinds.elasticsearchCluster, kinds.couchbaseCluster];

/** The kind of the object of a cluster. */
export function clusterKindOf(object: KubeObject): Kind {
  return clusterKinds.find(({ kind }) => kind === object.kind) ?? kinds.elasticsearchCluster;
}

export const labels = {
  cluster: `${group}/cluster`,
  pool: `${group}/pool`,
  application: 'app.kubernetes.io/name',
  managedBy: 'app.kubernetes.io/managed-by',
  active: `${group}/active`,
} as const;

export const annotations = {
  /** The version of the database that a pod was made for. */
  version: `${group}/version`,
  /** What stands for all that a person has said of the pod. */
  template: `${group}/template`,
  deletionProtection: `${group}/deletion-protection`,
} as const;

export const managedBy = 'navigator';

/** Keeps a cluster's object until its members have gone. */
export const finalizer = `${group}/cluster`;

/** Selects everything that Navigator has made. */
export const ownSelector = `${labels.managedBy}=${managedBy}`;

/** `namespace/name` of the cluster that an object of Navigator's belongs to; undefined: to none. */
export function clusterKeyOf({ metadata }: KubeObject): string | undefined {
  const cluster = metadata.labels?.[labels.cluster];
  return cluster === undefined ? undefined : `${metadata.namespace}/${cluster}`;
}
