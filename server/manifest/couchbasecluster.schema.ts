/** What a CouchbaseCluster may say. */
import {
  clusterSchema,
  immutableSet,
  maxUnavailable,
  poolProperties,
  pools,
  replicasOfP,
  resources,
  scaleRules,
  sizeOf,
  specProperties,
  text,
} from './common.schema.ts';
import type { CelRule, StructuralSchema } from './schema.ts';
import { versionRules, versionSchema, type Versions } from './version.schema.ts';

const services = ['data', 'index', 'query', 'search', 'analytics', 'eventing'];

const volumeIsKept: CelRule = {
  rule: ['self', 'oldSelf']
    .map((pool) => `(has(${pool}.persistence) && (!has(${pool}.persistence.enabled) || ${pool}.persistence.enabled))`)
    .join(' == '),
  message:
    'cannot be given to nor taken from the members of an existing pool: add another pool and remove this one, ' +
    'Navigator drains it',
  fieldPath: '.persistence',
};

const zonesAreKept: CelRule = {
  rule: 'has(self.zones) == has(oldSelf.zones) && (!has(self.zones) || self.zones == oldSelf.zones)',
  message: 'are immutable: add a pool with the other zones and remove this one, Navigator drains it',
  fieldPath: '.zones',
};

const nodePool: StructuralSchema = {
  type: 'object',
  required: ['name', 'services'],
  properties: {
    ...poolProperties,
    services: immutableSet('services', services, `what its members serve: ${services.join(', ')}`),
    zones: {
      type: 'array',
      description:
        'the zones that the members are spread over by their ordinals, each a server group of the database, which keeps copies in different ones',
      items: { type: 'string', maxLength: 64, minLength: 1 },
      minItems: 1,
      maxItems: 16,
      'x-kubernetes-list-type': 'atomic',
    },
    resources: resources('as for a container; the quotas follow from limits.memory unless they are set'),
  },
  'x-kubernetes-validations': [volumeIsKept, zonesAreKept],
};

const bucket: StructuralSchema = {
  type: 'object',
  required: ['name', 'ramQuota'],
  properties: {
    name: {
      type: 'string',
      description: 'the name of the bucket, unique in the cluster',
      maxLength: 100,
      'x-kubernetes-validations': [
        {
          rule: "self.matches('^[A-Za-z0-9_%-][A-Za-z0-9._%-]*$')",
          message: "must be letters, digits, '_', '-', '%' and '.', and not begin with '.'",
        },
      ],
    },
    ramQuota: {
      ...sizeOf("the bucket's memory on each data node"),
      description: "the bucket's memory on each data node, such as 256Mi; at least 100Mi",
    },
    replicas: { type: 'integer', format: 'int32', minimum: 0, maximum: 3, default: 1 },
    type: { type: 'string', enum: ['couchbase', 'ephemeral', 'memcached'], default: 'couchbase' },
    eviction: { type: 'string', enum: ['valueOnly', 'fullEviction', 'noEviction', 'nruEviction'] },
    flush: { type: 'boolean', default: false },
  },
  'x-kubernetes-validations': [
    { rule: 'self.type == oldSelf.type', message: 'the type of a bucket is immutable', fieldPath: '.type' },
    {
      rule:
        "!has(self.eviction) || (self.type == 'couchbase' && self.eviction in ['valueOnly', 'fullEviction']) || " +
        "(self.type == 'ephemeral' && self.eviction in ['noEviction', 'nruEviction'])",
      message:
        'does not fit the type: couchbase has valueOnly and fullEviction, ephemeral noEviction and nruEviction, ' +
        'memcached none',
      fieldPath: '.eviction',
    },
    {
      rule:
        '!isQuantity(string(self.ramQuota)) || ' + "quantity(string(self.ramQuota)).compareTo(quantity('100Mi')) >= 0",
      message: 'must be at least 100Mi',
      fieldPath: '.ramQuota',
    },
  ],
};

const roles: StructuralSchema = {
  type: 'array',
  description: 'as the database writes them, such as bucket_full_access[travel]',
  items: {
    type: 'string',
    maxLength: 256,
    'x-kubernetes-validations': [
      {
        // No bracket in it: the engines of the two runtimes do not agree how one is written.
        rule: "self.matches('^[a-z_]+([^A-Za-z0-9_, ][^, ]+)?$')",
        message: 'must be the name of a role, such as ro_admin or bucket_full_access[travel]',
      },
    ],
  },
  maxItems: 64,
};

const accountName: StructuralSchema = {
  type: 'string',
  maxLength: 128,
  'x-kubernetes-validations': [
    { rule: "self.matches('^[A-Za-z0-9._-]+$')", message: "must be letters, digits, '.', '_' and '-'" },
  ],
};

const secretName: StructuralSchema = {
  ...text,
  'x-kubernetes-validations': [
    { rule: "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')", message: 'must be the name of a Secret' },
  ],
};

const user: StructuralSchema = {
  type: 'object',
  required: ['name', 'secretName'],
  properties: {
    name: accountName,
    secretName: { ...secretName, description: 'a Secret with the key password' },
    roles,
    groups: { type: 'array', items: accountName, maxItems: 64 },
  },
};

const group: StructuralSchema = {
  type: 'object',
  required: ['name', 'roles'],
  properties: { name: accountName, roles },
};

/** A list of things that have names. */
function byName(items: StructuralSchema, description: string, maxItems: number): StructuralSchema {
  const keys = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] } as const;
  return { type: 'array', description, items, maxItems, ...keys };
}

const megabytes: StructuralSchema = { type: 'integer', format: 'int32', minimum: 256 };

const versions: Versions = {
  application: 'Couchbase',
  example: '7.6.8',
  known: "self.matches('^6[.]([6-9]|[1-9][0-9]+)[.]') || self.matches('^7[.]')",
  words: '6.6 to 7.x',
  mayGoBack: true,
};

const spec: StructuralSchema = {
  type: 'object',
  required: ['version', 'nodePools'],
  properties: {
    version: versionSchema(versions),
    ...specProperties,
    updateStrategy: {
      type: 'object',
      properties: {
        maxUnavailable,
        type: {
          type: 'string',
          description:
            'how members come to another version: SwapRebalance adds a spare first, so that no node less serves; ' +
            'InPlace takes a member away for a moment, and needs no spare',
          enum: ['SwapRebalance', 'InPlace'],
          default: 'SwapRebalance',
        },
      },
      default: {},
    },
    auth: {
      type: 'object',
      description: "the administrator's credentials; absent: Navigator generates them",
      required: ['secretName'],
      properties: { secretName: { ...secretName, description: 'a Secret with the keys username and password' } },
    },
    tls: {
      type: 'object',
      description: 'whether pilots speak TLS with their nodes, whose certificates Navigator makes and renews',
      properties: { enabled: { type: 'boolean', default: false } },
    },
    buckets: {
      type: 'array',
      items: bucket,
      maxItems: 30,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
    users: byName(user, 'users of the database itself; those that nobody names here are left alone', 100),
    groups: byName(group, 'groups of such users', 100),
    autoFailover: {
      type: 'object',
      properties: {
        enabled: { type: 'boolean', default: true },
        timeout: {
          type: 'integer',
          format: 'int32',
          description: 'seconds that a node must be away before the database fails it over',
          minimum: 5,
          maximum: 3600,
          default: 120,
        },
        maxCount: { type: 'integer', format: 'int32', minimum: 1, maximum: 100, default: 1 },
      },
    },
    memoryQuotas: {
      type: 'object',
      description: 'MB for each service on each node; absent: from limits.memory',
      properties: Object.fromEntries(services.filter((name) => name !== 'query').map((name) => [name, megabytes])),
    },
    nodePools: pools(nodePool),
  },
  'x-kubernetes-validations': [
    {
      rule: `self.nodePools.exists(p, 'data' in p.services && ${replicasOfP} > 0)`,
      message: 'the cluster needs at least one member with the service data: give a pool the service and a replica',
      fieldPath: '.nodePools',
    },
    {
      rule: '(has(self.tls) && self.tls.enabled) == (has(oldSelf.tls) && oldSelf.tls.enabled)',
      message: 'is immutable so far: make another cluster',
      fieldPath: '.tls',
    },
    ...scaleRules,
  ],
};

/** The schema of a whole CouchbaseCluster, as `openAPIV3Schema` of its CustomResourceDefinition. */
export const couchbaseClusterSchema: StructuralSchema = clusterSchema(spec, versionRules(versions));
