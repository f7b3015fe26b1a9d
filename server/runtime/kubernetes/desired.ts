/** The objects around the members of a cluster, as they have to be. Pure: the same input makes the same objects. */
import { kinds } from '../../kubernetes/kinds.ts';
import type { Kind, KubeObject, OwnerReference } from '../../kubernetes/objects.ts';
import type { ClusterSpec, JsonObject, NodePool } from '../../model/cluster.ts';
import { databases } from './databases.ts';
import { dataVolume, labelsOf, ownedBy, poolName, selectorOf } from './names.ts';
import { podTemplate, type PodOptions } from './pod.ts';
import { sizeText } from './sizes.ts';

/** One object that is to be there, and of which kind. */
export interface Wanted {
  readonly kind: Kind;
  readonly object: KubeObject;
}

export type Owner = Omit<OwnerReference, 'controller' | 'blockOwnerDeletion'>;

/** Everything of a cluster but its StatefulSets. `mayGo` names the pools of which one member may be evicted now. */
export function surroundings(cluster: ClusterSpec, owner: Owner, mayGo: ReadonlySet<string>): readonly Wanted[] {
  const { name } = cluster.id;
  const { ports, peerPorts } = databases[cluster.application];
  const client = {
    type: 'ClusterIP',
    ports: portsOf(ports),
    selector: selectorOf(cluster),
  };
  return [
    wanted(kinds.serviceAccount, head(cluster, owner, name), { automountServiceAccountToken: false }),
    wanted(kinds.service, head(cluster, owner, name), { spec: client }),
    ...cluster.nodePools.flatMap((pool) => {
      const called = head(cluster, owner, poolName(name, pool.name), pool.name);
      const headless = {
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        ports: portsOf({ ...ports, ...peerPorts }),
        selector: selectorOf(cluster, pool.name),
      };
      const budget = {
        maxUnavailable: mayGo.has(pool.name) ? 1 : 0,
        selector: { matchLabels: selectorOf(cluster, pool.name) },
      };
      return [
        wanted(kinds.service, called, { spec: headless }),
        wanted(kinds.disruptionBudget, called, { spec: budget }),
      ];
    }),
  ];
}

function portsOf(ports: Readonly<Record<string, number>>): readonly JsonObject[] {
  return Object.entries(ports).map(([name, port]) => ({ name, port, protocol: 'TCP', targetPort: name }));
}

export interface SetOptions extends PodOptions {
  readonly owner: Owner;
  readonly replicas: number;
  /** Stands for what a person has said of the pods. */
  readonly template: string;
}

/**
 * The StatefulSet of a pool. Pods are made all at once and replaced by nobody but Navigator; whose volume goes is for
 * Navigator to say, too, so that a StatefulSet that is scaled or deleted by hand takes no data with it.
 */
export function statefulSet(cluster: ClusterSpec, pool: NodePool, options: SetOptions): Wanted {
  const { owner, replicas } = options;
  const name = poolName(cluster.id.name, pool.name);
  return wanted(kinds.statefulSet, head(cluster, owner, name, pool.name), {
    spec: {
      replicas,
      serviceName: name,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      revisionHistoryLimit: 5,
      selector: { matchLabels: selectorOf(cluster, pool.name) },
      template: podTemplate(cluster, pool, { ...options, ownerUid: owner.uid }),
      ...claims(cluster, pool),
    },
  });
}

function claims(cluster: ClusterSpec, { name, persistence }: NodePool): JsonObject {
  if (persistence === undefined) return {};
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: dataVolume, labels: labelsOf(cluster, name) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: sizeText(persistence.sizeBytes) } },
      volumeMode: 'Filesystem',
      ...(persistence.storageClass !== undefined && { storageClassName: persistence.storageClass }),
    },
  };
  return { volumeClaimTemplates: [claim] };
}

function head(cluster: ClusterSpec, owner: Owner, name: string, pool?: string): KubeObject['metadata'] {
  const { namespace } = cluster.id;
  return { name, namespace, labels: labelsOf(cluster, pool), ownerReferences: [ownedBy(owner)] };
}

function wanted(kind: Kind, metadata: KubeObject['metadata'], more: JsonObject): Wanted {
  return { kind, object: { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...more } };
}
