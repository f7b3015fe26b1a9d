/** From the shaped object of a CouchbaseCluster to its spec. */
import type { BucketSpec, ClusterSpec, CouchbaseSpec, GroupSpec, NodePool, UserSpec } from '../model/cluster.ts';
import { configPath, flattenConfig } from './config.ts';
import { problemAt, type Problem } from './problem.ts';
import { quantityOf } from './quantity.ts';
import { isJsonMap, type JsonMap } from './source.ts';
import { buildPool, listIn, mapIn, memoryLimit, numberIn, scaled, textIn, warningsOf, type BuiltSpec } from './spec.ts';

const mebibyte = 2 ** 20;
/** The least that Couchbase takes for each service, in MB. A node of the service query has no quota. */
const leastQuotas: Readonly<Record<string, number>> = {
  data: 256,
  index: 256,
  search: 256,
  analytics: 1024,
  eventing: 256,
};
/** Of limits.memory, for the data service; the rest is the process's, and the other services'. */
const dataShare = 0.6;

/** Makes the spec of a Couchbase cluster from its object, pruned and with its defaults filled in. */
export function buildCouchbase(object: JsonMap): BuiltSpec {
  const metadata = mapIn(object, 'metadata');
  const spec = mapIn(object, 'spec');
  const written = listIn(spec, 'nodePools').map((pool) => (isJsonMap(pool) ? pool : {}));
  const pools = written.map((pool, at) => withZones(buildPool(pool, at, 'services'), textsIn(pool, 'zones')));
  const config = flattenConfig(spec.config, configPath(undefined));
  const built: ClusterSpec = {
    id: { namespace: textIn(metadata, 'namespace', 'default'), name: textIn(metadata, 'name', '') },
    application: 'couchbase',
    version: textIn(spec, 'version', ''),
    paused: spec.paused === true,
    plugins: [],
    config: config.config,
    maxUnavailable: numberIn(mapIn(spec, 'updateStrategy'), 'maxUnavailable', 1),
    runAsUser: numberIn(mapIn(spec, 'securityContext'), 'runAsUser', 1000),
    deletionProtected: mapIn(metadata, 'annotations')['navigator.jetstack.io/deletion-protection'] === 'true',
    nodePools: pools.map(({ pool }) => scaled(pool, pools.length === 1 ? spec.replicas : undefined)),
    couchbase: buildCouchbaseSpec(spec, written),
  };
  const unknown = settingProblems(config.config);
  const warnings = warningsOf(spec);
  return { spec: built, problems: [...config.problems, ...unknown, ...pools.flatMap((one) => one.problems)], warnings };
}

function withZones<P extends { readonly pool: NodePool }>(built: P, zones: readonly string[]): P {
  return zones.length === 0 ? built : { ...built, pool: { ...built.pool, zones } };
}

/** No raw setting of Couchbase is carried out yet: one that is written would be believed to be in force. */
function settingProblems(config: Readonly<Record<string, unknown>>): Problem[] {
  return Object.keys(config).map((key) => {
    const reason = 'raw settings of Couchbase are not carried out: use memoryQuotas, buckets and autoFailover';
    return problemAt([...configPath(undefined), key], config[key], reason);
  });
}

function buildCouchbaseSpec(spec: JsonMap, pools: readonly JsonMap[]): CouchbaseSpec {
  const autoFailover = mapIn(spec, 'autoFailover');
  const adminSecret = textIn(mapIn(spec, 'auth'), 'secretName', '');
  const inPlace = textIn(mapIn(spec, 'updateStrategy'), 'type', 'SwapRebalance') === 'InPlace';
  return {
    upgrade: inPlace ? 'in_place' : 'swap',
    buckets: listIn(spec, 'buckets').filter(isJsonMap).map(buildBucket),
    autoFailover: {
      enabled: autoFailover.enabled !== false,
      timeout: numberIn(autoFailover, 'timeout', 120),
      maxCount: numberIn(autoFailover, 'maxCount', 1),
    },
    memoryQuotas: quotas(mapIn(spec, 'memoryQuotas'), pools),
    users: listIn(spec, 'users').filter(isJsonMap).map(buildUser),
    groups: listIn(spec, 'groups').filter(isJsonMap).map(buildGroup),
    tls: mapIn(spec, 'tls').enabled === true,
    ...(adminSecret !== '' && { adminSecret }),
  };
}

function buildUser(user: JsonMap): UserSpec {
  return { ...buildGroup(user), groups: textsIn(user, 'groups'), secretName: textIn(user, 'secretName', '') };
}

function buildGroup(group: JsonMap): GroupSpec {
  return { name: textIn(group, 'name', ''), roles: textsIn(group, 'roles') };
}

function textsIn(map: JsonMap, key: string): readonly string[] {
  return listIn(map, key).filter((item) => typeof item === 'string');
}

function buildBucket(bucket: JsonMap): BucketSpec {
  const { eviction } = bucket;
  return {
    name: textIn(bucket, 'name', ''),
    ramQuotaMb: Math.floor((quantityOf(bucket.ramQuota) ?? 0) / mebibyte),
    replicas: numberIn(bucket, 'replicas', 1),
    type: textIn(bucket, 'type', 'couchbase'),
    ...(typeof eviction === 'string' ? { eviction } : {}),
    flush: bucket.flush === true,
  };
}

/** The quotas hold for every node, so the smallest pool with the service decides. */
function quotas(written: JsonMap, pools: readonly JsonMap[]): Readonly<Record<string, number>> {
  const limits = pools
    .filter((pool) => listIn(pool, 'services').includes('data'))
    .map((pool) => quantityOf(memoryLimit(pool)))
    .filter((bytes) => bytes !== undefined);
  const data = limits.length === 0 ? 0 : Math.floor((Math.min(...limits) * dataShare) / mebibyte);
  const derived = { ...leastQuotas, data: Math.max(leastQuotas['data'] ?? 0, data) };
  return Object.fromEntries(
    Object.entries(derived).map(([service, megabytes]) => [service, numberIn(written, service, megabytes)]),
  );
}
