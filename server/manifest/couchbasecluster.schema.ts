/** What a CouchbaseCluster may say. */
import {
  clusterSchema,
  immutableSet,
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

const nodePool: StructuralSchema = {
  type: 'object',
  required: ['name', 'services'],
  properties: {
    ...poolProperties,
    services: immutableSet('services', services, `what its members serve: ${services.join(', ')}`),
    resources: resources('as for a container; the quotas follow from limits.memory unless they are set'),
  },
  'x-kubernetes-validations': [volumeIsKept],
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

const megabytes: StructuralSchema = { type: 'integer', format: 'int32', minimum: 256 };

const versions: Versions = {
  application: 'Couchbase',
  example: '7.6.8',
  known: "self.matches('^6[.]([6-9]|[1-9][0-9]+)[.]') || self.matches('^7[.]')",
  words: '6.6 to 7.x',
};

const spec: StructuralSchema = {
  type: 'object',
  required: ['version', 'nodePools'],
  properties: {
    version: versionSchema(versions),
    ...specProperties,
    auth: {
      type: 'object',
      description: "the administrator's credentials; absent: Navigator generates them",
      required: ['secretName'],
      properties: { secretName: { ...text, description: 'a Secret with the keys username and password' } },
    },
    buckets: {
      type: 'array',
      items: bucket,
      maxItems: 30,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
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
    ...scaleRules,
  ],
};

/** The schema of a whole CouchbaseCluster, as `openAPIV3Schema` of its CustomResourceDefinition. */
export const couchbaseClusterSchema: StructuralSchema = clusterSchema(spec, versionRules(versions));
