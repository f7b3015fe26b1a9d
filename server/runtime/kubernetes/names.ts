/** What the objects of a cluster are called. Pure. */
import { labels, managedBy } from '../../kubernetes/kinds.ts';
import type { OwnerReference } from '../../kubernetes/objects.ts';
import type { ClusterSpec } from '../../model/cluster.ts';

/** StatefulSet, headless Service and PodDisruptionBudget of a pool. */
export function poolName(cluster: string, pool: string): string {
  return `${cluster}-${pool}`;
}

/** The volume claim of a member, as the StatefulSet controller calls it. */
export function claimName(member: string): string {
  return `${dataVolume}-${member}`;
}

export const dataVolume = 'data';

/** The Secret that the pods of a cluster mount. */
export function pilotSecretName({ id }: ClusterSpec): string {
  return `${id.name}-pilots`;
}

/** Where peers and people reach a member while it lives, whether or not it is ready. */
export function memberAddress(cluster: ClusterSpec, pool: string, member: string): string {
  return `${member}.${poolName(cluster.id.name, pool)}.${cluster.id.namespace}.svc`;
}

/** The labels of everything of a cluster, or of one pool of it. */
export function labelsOf(cluster: ClusterSpec, pool?: string): Record<string, string> {
  return {
    [labels.application]: cluster.application,
    [labels.managedBy]: managedBy,
    [labels.cluster]: cluster.id.name,
    ...(pool !== undefined && { [labels.pool]: pool }),
  };
}

/** What selects the pods of a cluster, or of one pool of it. */
export function selectorOf(cluster: ClusterSpec, pool?: string): Record<string, string> {
  return { [labels.cluster]: cluster.id.name, ...(pool !== undefined && { [labels.pool]: pool }) };
}

/** What makes an object go with its owner. */
export function ownedBy(owner: Omit<OwnerReference, 'controller' | 'blockOwnerDeletion'>): OwnerReference {
  return { ...owner, controller: true, blockOwnerDeletion: false };
}
