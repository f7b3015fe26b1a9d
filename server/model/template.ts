/** What stands for everything that a person has said of a pool's pods. Pure. */
import { digest } from '../../shared/ids.ts';
import type { ClusterSpec, NodePool } from './cluster.ts';

/**
 * Another one means that the pods have to be replaced. What a person has not named is not in it, so that a server with
 * other defaults, such as a newer pilot, replaces nothing; nor is the version, which has its own way.
 */
export function templateOf(cluster: ClusterSpec, pool: NodePool): string {
  const { pod, runAsUser, couchbase } = cluster;
  const credentials = couchbase?.adminSecret;
  return digest({ pod, runAsUser, own: pool.pod, ...(credentials !== undefined && { credentials }) });
}
