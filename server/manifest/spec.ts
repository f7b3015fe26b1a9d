/**
 * From a shaped object to the ClusterSpec that everything else decides by. It reads what it can even of a wrong object,
 * so that the rules in rules.ts can speak about the rest: a spec that came with problems must never be acted upon.
 */
import type { ClusterSpec, NodePool, Persistence } from '../model/cluster.ts';
import { configPath, flattenConfig } from './config.ts';
import { clusterPod, poolPod } from './pod.ts';
import { problemAt, type Problem } from './problem.ts';
import { quantityOf } from './quantity.ts';
import { isJsonMap, type Json, type JsonMap } from './source.ts';

/** A spec, and what only shows while it is made. */
export interface BuiltSpec {
  readonly spec: ClusterSpec;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

const mebibyte = 2 ** 20;
const heapDefault = 128 * mebibyte;
/** Above it the JVM can no longer compress its pointers. */
const heapMax = 31 * 2 ** 30;

const kubernetesPool = ['nodeSelector', 'tolerations', 'affinity', 'schedulerName', 'podTemplate'];

/** Makes the spec of a cluster from its object, pruned and with its defaults filled in. */
export function buildSpec(object: JsonMap): BuiltSpec {
  const metadata = mapIn(object, 'metadata');
  const spec = mapIn(object, 'spec');
  const config = flattenConfig(spec.config, configPath(undefined));
  const written = listIn(spec, 'nodePools').map((pool) => (isJsonMap(pool) ? pool : {}));
  const pools = written.map((pool, at) => buildPool(pool, at));
  const memory = written.flatMap((pool, at) => memoryProblems(pool, at));
  const plugins = buildPlugins(listIn(spec, 'plugins'));
  const minimumMasters = spec.minimumMasters;
  const pod = clusterPod(spec);
  const built: ClusterSpec = {
    id: { namespace: textIn(metadata, 'namespace', 'default'), name: textIn(metadata, 'name', '') },
    application: 'elasticsearch',
    version: textIn(spec, 'version', ''),
    paused: spec.paused === true,
    ...(typeof minimumMasters === 'number' ? { minimumMasters } : {}),
    plugins: plugins.names,
    config: config.config,
    maxUnavailable: numberIn(mapIn(spec, 'updateStrategy'), 'maxUnavailable', 1),
    runAsUser: numberIn(mapIn(spec, 'securityContext'), 'runAsUser', 1000),
    deletionProtected: mapIn(metadata, 'annotations')['navigator.jetstack.io/deletion-protection'] === 'true',
    ...(pod === undefined ? {} : { pod }),
    nodePools: pools.map(({ pool }) => scaled(pool, pools.length === 1 ? spec.replicas : undefined)),
  };
  return {
    spec: built,
    problems: [...config.problems, ...plugins.problems, ...pools.flatMap(({ problems }) => problems), ...memory],
    warnings: warningsOf(spec),
  };
}

/** A pool, whose roles stand in the field `roles` unless another one is named. */
export function buildPool(
  pool: JsonMap,
  at: number,
  rolesField = 'roles',
): { readonly pool: NodePool; readonly problems: readonly Problem[] } {
  const config = flattenConfig(pool.config, configPath(at));
  const persistence = buildPersistence(pool);
  const pod = poolPod(pool);
  const built: NodePool = {
    name: textIn(pool, 'name', ''),
    replicas: numberIn(pool, 'replicas', 1),
    roles: listIn(pool, rolesField).filter((role) => typeof role === 'string'),
    config: config.config,
    heapBytes: heapBytes(memoryLimit(pool)),
    ...(persistence === undefined ? {} : { persistence }),
    ...(pod === undefined ? {} : { pod }),
  };
  return { pool: built, problems: config.problems };
}

/** In a cluster of one pool, what `kubectl scale` has set counts. */
export function scaled(pool: NodePool, replicas: Json | undefined): NodePool {
  return typeof replicas === 'number' ? { ...pool, replicas } : pool;
}

/** The first Navigator had it below `state`, and could say `enabled: false`. */
function buildPersistence(pool: JsonMap): Persistence | undefined {
  const written = isJsonMap(pool.persistence) ? pool.persistence : mapIn(pool, 'state').persistence;
  if (!isJsonMap(written) || written.enabled === false) return undefined;
  const { storageClass } = written;
  return {
    sizeBytes: Math.ceil(quantityOf(written.size) ?? 0),
    ...(typeof storageClass === 'string' ? { storageClass } : {}),
    onDelete: written.onDelete === 'Delete' ? 'Delete' : 'Retain',
    onScaleDown: written.onScaleDown === 'Delete' ? 'Delete' : 'Retain',
  };
}

export function memoryLimit(pool: JsonMap): Json | undefined {
  return mapIn(mapIn(pool, 'resources'), 'limits').memory;
}

/** Half of the memory, the other half being the file cache's; whole mebibytes, as the JVM wants them. */
function heapBytes(limit: Json | undefined): number {
  const bytes = quantityOf(limit);
  if (bytes === undefined) return heapDefault;
  return Math.min(heapMax, Math.floor(bytes / 2 / mebibyte) * mebibyte);
}

function memoryProblems(pool: JsonMap, at: number): Problem[] {
  const limit = memoryLimit(pool);
  const bytes = quantityOf(limit);
  if (bytes === undefined || bytes >= heapDefault) return [];
  const path = ['spec', 'nodePools', at, 'resources', 'limits', 'memory'];
  return [problemAt(path, limit, 'is too little for Elasticsearch: give it 128Mi at least, such as 2Gi')];
}

/** A list of names and URLs; the first Navigator wrote each as `{name: …}`. */
function buildPlugins(items: readonly Json[]): { readonly names: readonly string[]; readonly problems: Problem[] } {
  const names = new Set<string>();
  const problems: Problem[] = [];
  items.forEach((item, at) => {
    const name = isJsonMap(item) ? item.name : item;
    if (isPlugin(name)) names.add(name);
    else {
      const reason = 'must be the name of a plugin, such as analysis-icu, or a file:, http: or https: URL of one';
      problems.push(problemAt(['spec', 'plugins', at], item, reason));
    }
  });
  return { names: [...names], problems };
}

/** What begins with a dash would be an option of the installer. */
function isPlugin(name: unknown): name is string {
  if (typeof name !== 'string' || name.length > 1024) return false;
  return /^(file|https?):[^\s]+$/.test(name) || /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(name);
}

export function warningsOf(spec: JsonMap): string[] {
  const warnings: string[] = [];
  const pools = listIn(spec, 'nodePools').filter(isJsonMap);
  pools.forEach((pool, at) => {
    if (pool.state === undefined) return;
    const used = isJsonMap(pool.persistence) ? 'is ignored, persistence beside it counts' : 'is of the first Navigator';
    warnings.push(`spec.nodePools[${at}].state ${used}: write persistence directly below the pool`);
  });
  for (const field of ['sysctls', 'sysctl'].filter((name) => spec[name] !== undefined)) {
    warnings.push(`spec.${field} is of the first Navigator and ignored: set kernel parameters on the hosts`);
  }
  if (listIn(spec, 'secureSettings').length > 0) {
    warnings.push('spec.secureSettings is accepted and not yet carried out: no setting reaches the keystore');
  }
  const idle = ['image', 'pilotImage'].filter((field) => spec[field] !== undefined).map((field) => `spec.${field}`);
  for (const field of kubernetesPool) {
    if (pools.some((pool) => pool[field] !== undefined)) idle.push(`spec.nodePools[].${field}`);
  }
  if (idle.length > 0) warnings.push(`only Kubernetes has a use for ${idle.join(', ')}`);
  return warnings;
}

export function mapIn(map: JsonMap, key: string): JsonMap {
  const value = map[key];
  return isJsonMap(value) ? value : {};
}

export function listIn(map: JsonMap, key: string): readonly Json[] {
  const value = map[key];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

export function textIn(map: JsonMap, key: string, fallback: string): string {
  const value = map[key];
  return typeof value === 'string' ? value : fallback;
}

export function numberIn(map: JsonMap, key: string, fallback: number): number {
  const value = map[key];
  return typeof value === 'number' ? value : fallback;
}
