/** Raw database settings: flattened to one key each, and those that belong to Navigator refused by name. */
import { problemAt, type Path, type Problem } from './problem.ts';
import { isJsonMap, type Json } from './source.ts';

/** Settings with flat keys, and what was wrong with how they were written. */
export interface FlatConfig {
  readonly config: Readonly<Record<string, Json>>;
  readonly problems: readonly Problem[];
}

const keyMax = 512;

/** A setting that nobody but Navigator may set. */
export interface OwnedSetting {
  readonly key: string;
  /** What people write there: the schema of a custom resource has to say so. */
  readonly type: 'string' | 'strings' | 'integer' | 'boolean';
  readonly reason: string;
}

const byRoles = 'it follows from the roles of the pool: set roles instead';
const ofPaths = 'Navigator decides where a member keeps its files';
const ofPeers = 'Navigator tells every member who its peers are';

/** Why nobody but Navigator may set these, nor anything below them. */
export const ownedSettings: readonly OwnedSetting[] = [
  {
    key: 'node.name',
    type: 'string',
    reason: 'Navigator names every node after its member, and orders to a node go by that name',
  },
  { key: 'cluster.name', type: 'string', reason: 'Navigator names the cluster after metadata.name' },
  { key: 'network.host', type: 'string', reason: 'Navigator gives every member the address that its peers know' },
  {
    key: 'http.port',
    type: 'integer',
    reason: 'Navigator gives every member its ports, and its pilot speaks to this one',
  },
  {
    key: 'transport.tcp.port',
    type: 'integer',
    reason: 'Navigator gives every member its ports, and its peers know this one',
  },
  ...['data', 'logs', 'repo', 'home', 'conf', 'scripts', 'shared_data'].map((name): OwnedSetting => {
    return { key: `path.${name}`, type: name === 'repo' ? 'strings' : 'string', reason: ofPaths };
  }),
  { key: 'path', type: 'string', reason: ofPaths },
  { key: 'discovery.zen.ping.unicast.hosts', type: 'strings', reason: ofPeers },
  { key: 'discovery.seed_hosts', type: 'strings', reason: ofPeers },
  {
    key: 'discovery.zen.minimum_master_nodes',
    type: 'integer',
    reason: 'Navigator keeps the quorum: set spec.minimumMasters instead',
  },
  { key: 'cluster.initial_master_nodes', type: 'strings', reason: 'Navigator forms the cluster, and once only' },
  { key: 'node.master', type: 'boolean', reason: byRoles },
  { key: 'node.data', type: 'boolean', reason: byRoles },
  { key: 'node.ingest', type: 'boolean', reason: byRoles },
  { key: 'node.roles', type: 'strings', reason: byRoles },
  { key: 'cluster.routing.allocation.exclude._name', type: 'string', reason: 'Navigator drains members with it' },
  {
    key: 'cluster.routing.allocation.enable',
    type: 'string',
    reason: 'Navigator restricts allocation with it while a member restarts',
  },
];

/** Makes nested settings flat: `{node: {attr: {rack: r1}}}` is `node.attr.rack`. Lists stay lists. */
export function flattenConfig(config: unknown, path: Path): FlatConfig {
  const flat: Record<string, Json> = {};
  const problems: Problem[] = [];
  const add = (value: unknown, prefix: string): void => {
    if (!isJsonMap(value)) return;
    for (const [name, below] of Object.entries(value)) {
      const key = prefix === '' ? name : `${prefix}.${name}`;
      if (isJsonMap(below)) add(below, key);
      else if (key.length > keyMax || key.split('.').includes('__proto__')) {
        problems.push(problemAt([...path, key.slice(0, keyMax)], below, 'is not the name of a setting'));
      } else if (below === null || (Array.isArray(below) && below.some((item) => typeof item === 'object'))) {
        problems.push(problemAt([...path, key], below, 'must be a string, a number, a boolean or a list of them'));
      } else if (Object.hasOwn(flat, key)) {
        problems.push(problemAt([...path, key], below, 'is set twice, once nested and once with dots: keep one'));
      } else flat[key] = below;
    }
  };
  add(config, '');
  return { config: flat, problems };
}

/** Refuses each setting of a flat `config` that belongs to Navigator, by its name and with the reason. */
export function ownedSettingProblems(config: Readonly<Record<string, unknown>>, path: Path): Problem[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const reason = ownedBecause(key);
    return reason === undefined ? [] : [problemAt([...path, key], value, `belongs to Navigator: ${reason}`)];
  });
}

function ownedBecause(key: string): string | undefined {
  return ownedSettings.find((owned) => key === owned.key || key.startsWith(`${owned.key}.`))?.reason;
}

/** Where the settings of one pool, or (`undefined`) of the whole cluster stand. */
export function configPath(pool: number | undefined): Path {
  return pool === undefined ? ['spec', 'config'] : ['spec', 'nodePools', pool, 'config'];
}
