/** One row a rule: a manifest that breaks it, the place, and words of the reason. */
import { poolRows } from './manifest.pool.table.ts';

/** A spec as a tree, to be changed by a row. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- rows reach into it at will, to break it
export type Tree = Record<string, any>;

/** A manifest that every rule accepts, as a fresh tree. */
export function goodManifest(): Tree {
  return {
    apiVersion: 'navigator.jetstack.io/v1alpha1',
    kind: 'ElasticsearchCluster',
    metadata: { name: 'demo' },
    spec: {
      version: '5.6.16',
      nodePools: [
        { name: 'node', replicas: 3, roles: ['master', 'data', 'ingest'] },
        { name: 'data', replicas: 2, roles: ['data'], persistence: { size: '10Gi', storageClass: 'fast' } },
      ],
    },
  };
}

/** `change` breaks the good manifest; `after` changes the one that is in force before. */
export interface Row {
  readonly rule: string;
  readonly change: (manifest: Tree) => void;
  readonly after?: (manifest: Tree) => void;
  readonly path: string;
  readonly reason: string;
  /**
   * What the API server says of it where its words or its place are others; `server`: it takes it, and Navigator's server
   * refuses it.
   */
  readonly kubernetes?: { readonly path?: string; readonly reason: string } | 'server';
}

const label = 'DNS label';

/** What one manifest says by itself. */
export const rows: readonly Row[] = [
  {
    rule: 'the API version is ours',
    change: (m) => (m.apiVersion = 'v1'),
    path: 'apiVersion',
    reason: 'v1alpha1',
    kubernetes: { path: '', reason: 'does not match the expected API version' },
  },
  {
    rule: 'the kind is named',
    change: (m) => delete m.kind,
    path: 'kind',
    reason: 'must be ElasticsearchCluster',
    kubernetes: { path: '', reason: "Object 'Kind' is missing" },
  },
  {
    rule: 'a kind that is nearly right is guessed',
    change: (m) => (m.kind = 'ElasticSearchClusters'),
    path: 'kind',
    reason: 'did you mean ElasticsearchCluster',
    kubernetes: { reason: 'must be ElasticsearchCluster' },
  },
  {
    rule: 'a cluster has a name',
    change: (m) => delete m.metadata,
    path: 'metadata.name',
    reason: 'is required',
    kubernetes: { reason: 'name or generateName is required' },
  },
  {
    rule: 'the name is a DNS label',
    change: (m) => (m.metadata.name = 'Demo.1'),
    path: 'metadata.name',
    reason: label,
  },
  {
    rule: 'the name has at most 40 characters',
    change: (m) => (m.metadata.name = 'd'.repeat(41)),
    path: 'metadata.name',
    reason: 'at most 40',
    kubernetes: { reason: 'more than 40 bytes' },
  },
  {
    rule: 'the namespace is a DNS label',
    change: (m) => (m.metadata.namespace = 'a/b'),
    path: 'metadata.namespace',
    reason: label,
    kubernetes: { path: '', reason: 'namespace of the provided object does not match' },
  },
  {
    rule: 'there is a spec',
    change: (m) => delete m.spec,
    path: 'spec',
    reason: 'is required',
    kubernetes: { reason: 'Required value' },
  },
  {
    rule: 'there is a version',
    change: (m) => delete m.spec.version,
    path: 'spec.version',
    reason: 'such as 5.6.16',
    kubernetes: { reason: 'Required value' },
  },
  {
    rule: 'a version is a string',
    change: (m) => (m.spec.version = 5.6),
    path: 'spec.version',
    reason: 'put quotes',
    kubernetes: { reason: 'must be of type string' },
  },
  {
    rule: 'a version is semantic',
    change: (m) => (m.spec.version = '5.6'),
    path: 'spec.version',
    reason: 'semantic version',
  },
  {
    rule: 'a version has no leading zero',
    change: (m) => (m.spec.version = '5.06.1'),
    path: 'spec.version',
    reason: 'semantic version',
  },
  {
    rule: 'the version is at least 5.6',
    change: (m) => (m.spec.version = '5.5.3'),
    path: 'spec.version',
    reason: '5.6 to 9.x',
  },
  {
    rule: 'the version is at most 9.x',
    change: (m) => (m.spec.version = '10.0.0'),
    path: 'spec.version',
    reason: '5.6 to 9.x',
  },
  {
    rule: 'the version is one that the engines run',
    change: (m) => (m.spec.version = '7.17.0'),
    path: 'spec.version',
    reason: '5.6.x and 6.0.x to 6.8.x so far',
    kubernetes: 'server',
  },
  {
    rule: 'paused is yes or no',
    change: (m) => (m.spec.paused = 'yes'),
    path: 'spec.paused',
    reason: 'must be a boolean',
    kubernetes: { reason: 'must be of type boolean' },
  },
  {
    rule: 'minimumMasters is a quorum',
    change: (m) => (m.spec.minimumMasters = 1),
    path: 'spec.minimumMasters',
    reason: 'from 2, the quorum',
    kubernetes: { reason: 'at least the quorum of the masters' },
  },
  {
    rule: 'minimumMasters is no more than the masters',
    change: (m) => (m.spec.minimumMasters = 4),
    path: 'spec.minimumMasters',
    reason: 'to 3, their number',
    kubernetes: { reason: 'at most their number' },
  },
  {
    rule: 'plugins are names or URLs',
    change: (m) => (m.spec.plugins = ['analysis-icu', 'a b']),
    path: 'spec.plugins[1]',
    reason: 'name of a plugin',
    kubernetes: { reason: 'should match' },
  },
  {
    rule: 'a plugin is no option of the installer',
    change: (m) => (m.spec.plugins = ['--batch']),
    path: 'spec.plugins[0]',
    reason: 'name of a plugin',
    kubernetes: { reason: 'should match' },
  },
  {
    rule: 'a plugin is not fetched by ftp',
    change: (m) => (m.spec.plugins = ['ftp://a/b']),
    path: 'spec.plugins[0]',
    reason: 'URL',
    kubernetes: { reason: 'should match' },
  },
  {
    rule: 'a setting has a value',
    change: (m) => (m.spec.config = { a: { b: null } }),
    path: 'spec.config.a.b',
    reason: 'must be a string',
    kubernetes: 'server',
  },
  {
    rule: 'a setting is set once',
    change: (m) => (m.spec.config = { a: { b: 1 }, 'a.b': 2 }),
    path: 'spec.config.a.b',
    reason: 'set twice',
    kubernetes: 'server',
  },
  {
    rule: 'config is a map',
    change: (m) => (m.spec.config = ['a']),
    path: 'spec.config',
    reason: 'must be a map and is a list',
    kubernetes: { reason: 'must be of type object' },
  },
  {
    rule: 'secure settings name a Secret',
    change: (m) => (m.spec.secureSettings = [{}]),
    path: 'spec.secureSettings[0].secretName',
    reason: 'is required',
    kubernetes: { reason: 'Required value' },
  },
  {
    rule: 'the user is not negative',
    change: (m) => (m.spec.securityContext = { runAsUser: -1 }),
    path: 'spec.securityContext.runAsUser',
    reason: 'at least 0',
    kubernetes: { reason: 'greater than or equal to 0' },
  },
  {
    rule: 'the group is not negative',
    change: (m) => (m.spec.securityContext = { fsGroup: -1 }),
    path: 'spec.securityContext.fsGroup',
    reason: 'at least 0',
    kubernetes: { reason: 'greater than or equal to 0' },
  },
  {
    rule: 'the budget is at least one',
    change: (m) => (m.spec.updateStrategy = { maxUnavailable: 0 }),
    path: 'spec.updateStrategy.maxUnavailable',
    reason: 'at least 1',
    kubernetes: { reason: 'greater than or equal to 1' },
  },
  {
    rule: 'the budget is a whole number',
    change: (m) => (m.spec.updateStrategy = { maxUnavailable: 1.5 }),
    path: 'spec.updateStrategy.maxUnavailable',
    reason: 'integer',
    kubernetes: { reason: 'must be of type integer' },
  },
  {
    rule: 'pullPolicy is one of three',
    change: (m) => (m.spec.image = { pullPolicy: 'Sometimes' }),
    path: 'spec.image.pullPolicy',
    reason: 'Never, IfNotPresent, Always',
    kubernetes: { reason: '"Never", "IfNotPresent", "Always"' },
  },
  {
    rule: "the pilot's pullPolicy is one of three",
    change: (m) => (m.spec.pilotImage = { pullPolicy: 'always' }),
    path: 'spec.pilotImage.pullPolicy',
    reason: 'did you mean Always',
    kubernetes: { reason: '"Never", "IfNotPresent", "Always"' },
  },
  ...poolRows,
];

/** Every setting that belongs to Navigator, and a word of the reason. */
export const ownedRows: readonly (readonly [setting: string, reason: string])[] = [
  ['node.name', 'names every node'],
  ['cluster.name', 'metadata.name'],
  ['network.host', 'address'],
  ['http.port', 'ports'],
  ['transport.tcp.port', 'ports'],
  ['path.data', 'files'],
  ['path.logs', 'files'],
  ['path.repo', 'files'],
  ['discovery.zen.ping.unicast.hosts', 'peers'],
  ['discovery.zen.minimum_master_nodes', 'set spec.minimumMasters'],
  ['discovery.seed_hosts', 'peers'],
  ['cluster.initial_master_nodes', 'once only'],
  ['node.master', 'set roles'],
  ['node.data', 'set roles'],
  ['node.ingest', 'set roles'],
  ['cluster.routing.allocation.exclude._name', 'drains'],
  ['cluster.routing.allocation.enable', 'restarts'],
];
