/** What a schema cannot see: which versions the engines run so far, and whose a setting is, however it is written. */
import semver from 'semver';
import { clusterKey, type Application, type ClusterSpec, type NodePool } from '../model/cluster.ts';
import { configPath, ownedSettingProblems } from './config.ts';
import { problemAt, type Path, type Problem } from './problem.ts';

/** A rule about a spec, and about the change to it where there is an old one. No problems: it may be applied. */
export type SpecRule = (spec: ClusterSpec, old: ClusterSpec | undefined) => Problem[];

/** What the engines of this Navigator run, as a semver range and in words. */
export const supportedVersions = { range: '>=5.6.0 <5.7.0 || >=6.0.0 <6.9.0', words: '5.6.x and 6.0.x to 6.8.x' };

/** Of every application: its name for people, and what is run of it. */
const runs: Readonly<Record<Application, { readonly name: string; readonly range: string; readonly words: string }>> = {
  elasticsearch: { name: 'Elasticsearch', ...supportedVersions },
  couchbase: { name: 'Couchbase', range: '>=6.6.0 <8.0.0', words: '6.6 to 7.x' },
};

const versionPath: Path = ['spec', 'version'];

/** The version is one that the engines of this Navigator run. */
export function versionIsSupported(spec: ClusterSpec): Problem[] {
  const version = semver.parse(spec.version);
  const { name, range, words } = runs[spec.application];
  if (version === null || semver.satisfies(version, range)) return [];
  const reason = `this Navigator runs ${name} ${words} so far`;
  return [problemAt(versionPath, spec.version, reason)];
}

/** A new spec is about the same cluster as the old one. */
export function identityIsKept(spec: ClusterSpec, old: ClusterSpec | undefined): Problem[] {
  if (old === undefined || clusterKey(spec.id) === clusterKey(old.id)) return [];
  const reason = `is another cluster than ${clusterKey(old.id)}: names are immutable`;
  return [problemAt(['metadata', 'name'], clusterKey(spec.id), reason)];
}

/** No setting, of the cluster or of a pool, is one that Navigator owns. */
export function settingsAreNotOwned(spec: ClusterSpec): Problem[] {
  const ofPools = spec.nodePools.flatMap((pool, at) => ownedSettingProblems(pool.config, configPath(at)));
  return [...ownedSettingProblems(spec.config, configPath(undefined)), ...ofPools];
}

/** A pool keeps having a volume, or having none; the volume does not shrink, nor change its class. */
export function persistenceIsKept(spec: ClusterSpec, old: ClusterSpec | undefined): Problem[] {
  return spec.nodePools.flatMap((pool, at) => {
    const former = old?.nodePools.find(({ name }) => name === pool.name);
    return former === undefined ? [] : poolPersistenceIsKept(pool, former, ['spec', 'nodePools', at, 'persistence']);
  });
}

function poolPersistenceIsKept(pool: NodePool, former: NodePool, path: Path): Problem[] {
  const now = pool.persistence;
  const before = former.persistence;
  if (now === undefined && before === undefined) return [];
  const instead = 'add another pool and remove this one, Navigator drains it';
  if (now === undefined || before === undefined) {
    const change = now === undefined ? 'taken away from' : 'given to';
    return [problemAt(path, now, `cannot be ${change} the members of an existing pool: ${instead}`)];
  }
  const problems: Problem[] = [];
  if (now.sizeBytes < before.sizeBytes) {
    problems.push(problemAt([...path, 'size'], now.sizeBytes, `a volume may grow, never shrink: ${instead}`));
  }
  if (now.storageClass !== before.storageClass) {
    problems.push(problemAt([...path, 'storageClass'], now.storageClass, `is immutable: ${instead}`));
  }
  return problems;
}

/** Every rule of this file, in the order in which people are told. */
export const specRules: readonly SpecRule[] = [
  identityIsKept,
  versionIsSupported,
  settingsAreNotOwned,
  persistenceIsKept,
];
