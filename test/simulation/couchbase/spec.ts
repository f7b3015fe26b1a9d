/** What the clusters of Couchbase are like that seeds begin with. */
import type { ClusterSpec, NodePool } from '../../../server/model/cluster.ts';
import { clusterSpec, pool } from '../../support/model.ts';
import { versionsOf } from '../person.ts';
import type { SeededRandom } from '../random.ts';

export const bucketName = 'songs';

/** A cluster of Couchbase with one bucket; auto-failover comes sooner than anybody would have it. */
export function couchbaseOf(nodePools: readonly NodePool[], replicas: number, timeout: number): ClusterSpec {
  const bucket = { name: bucketName, ramQuotaMb: 100, replicas, type: 'couchbase', flush: false };
  const autoFailover = { enabled: timeout > 0, timeout: Math.max(5, timeout), maxCount: 1 };
  return clusterSpec(nodePools, {
    application: 'couchbase',
    version: versionsOf.couchbase[0],
    couchbase: { buckets: [bucket], autoFailover, memoryQuotas: { data: 256 } },
  });
}

/** `least`: the data members that the replicas of the bucket need. */
export function couchbaseSpec(random: SeededRandom, least: number): ClusterSpec {
  const many = random.chance(0.15) ? 8 : 5;
  const together = random.chance(0.75);
  const pools = together
    ? [pool('node', random.whole(least, many), ['data'])]
    : [pool('data', random.whole(least, many - 1), ['data']), pool('query', random.whole(1, 2), ['index', 'query'])];
  const keeps = random.chance(0.2);
  const persistence = { sizeBytes: 2 ** 30, onDelete: 'Delete', onScaleDown: 'Retain' } as const;
  const nodePools = pools.map((one) => (keeps ? { ...one, persistence } : one));
  const replicas = least === 2 && random.chance(0.2) ? 2 : least - 1;
  const spec = couchbaseOf(nodePools, replicas, random.chance(0.75) ? random.whole(10, 60) : 0);
  const maxUnavailable = random.chance(0.8) ? 1 : 2;
  const upgrade = random.chance(0.5) ? 'swap' : 'in_place';
  return { ...spec, maxUnavailable, ...(spec.couchbase && { couchbase: { ...spec.couchbase, upgrade } }) };
}
