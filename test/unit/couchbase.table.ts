/** One row a rule of a CouchbaseCluster, as manifest.table.ts has them for Elasticsearch. */
import type { Row, Tree } from './manifest.table.ts';

/** A manifest that every rule accepts, as a fresh tree. */
export function goodCouchbase(): Tree {
  return {
    apiVersion: 'navigator.jetstack.io/v1alpha1',
    kind: 'CouchbaseCluster',
    metadata: { name: 'demo' },
    spec: {
      version: '7.1.4',
      auth: { secretName: 'admin' },
      autoFailover: { timeout: 30 },
      memoryQuotas: { data: 512, index: 256 },
      buckets: [{ name: 'orders', ramQuota: '256Mi', replicas: 1, eviction: 'fullEviction' }],
      nodePools: [
        { name: 'data', replicas: 3, services: ['data'], persistence: { size: '10Gi', storageClass: 'fast' } },
        { name: 'query', replicas: 1, services: ['index', 'query'] },
      ],
    },
  };
}

const required = { reason: 'Required value' };

/** What one manifest says by itself. */
export const couchbaseRows: readonly Row[] = [
  {
    rule: 'a role is written as the database writes it',
    change: (m) => (m.spec.groups = [{ name: 'g', roles: ['Admin'] }]),
    path: 'spec.groups[0].roles[0]',
    reason: 'name of a role',
  },
  {
    rule: 'the password of a user comes from a Secret',
    change: (m) => (m.spec.users = [{ name: 'u' }]),
    path: 'spec.users[0].secretName',
    reason: 'is required',
    kubernetes: required,
  },
  {
    rule: 'a Secret has the name of one',
    change: (m) => (m.spec.users = [{ name: 'u', secretName: '../admin' }]),
    path: 'spec.users[0].secretName',
    reason: 'name of a Secret',
  },
  {
    rule: 'an upgrade is by swaps or in place',
    change: (m) => (m.spec.updateStrategy = { type: 'Recreate' }),
    path: 'spec.updateStrategy.type',
    reason: 'SwapRebalance, InPlace',
    kubernetes: { reason: '"SwapRebalance", "InPlace"' },
  },
  {
    rule: 'there is a version',
    change: (m) => delete m.spec.version,
    path: 'spec.version',
    reason: 'such as 7.6.8',
    kubernetes: required,
  },
  {
    rule: 'a version is semantic',
    change: (m) => (m.spec.version = '7.1'),
    path: 'spec.version',
    reason: 'semantic version',
  },
  {
    rule: 'the version is at least 6.6',
    change: (m) => (m.spec.version = '6.5.2'),
    path: 'spec.version',
    reason: '6.6 to 7.x',
  },
  {
    rule: 'the version is at most 7.x',
    change: (m) => (m.spec.version = '8.0.0'),
    path: 'spec.version',
    reason: '6.6 to 7.x',
  },
  {
    rule: 'there is at least one pool',
    change: (m) => (m.spec.nodePools = []),
    path: 'spec.nodePools',
    reason: 'at least 1',
  },
  {
    rule: "pools' names are unique",
    change: (m) => (m.spec.nodePools[1].name = 'data'),
    path: 'spec.nodePools[1].name',
    reason: 'twice',
    kubernetes: { path: 'spec.nodePools[1]', reason: 'Duplicate value' },
  },
  {
    rule: "a pool's name is a DNS label",
    change: (m) => (m.spec.nodePools[1].name = 'Data_1'),
    path: 'spec.nodePools[1].name',
    reason: 'DNS label',
  },
  {
    rule: 'replicas are not negative',
    change: (m) => (m.spec.nodePools[1].replicas = -1),
    path: 'spec.nodePools[1].replicas',
    reason: 'at least 0',
    kubernetes: { reason: 'greater than or equal to 0' },
  },
  {
    rule: 'a pool has services',
    change: (m) => delete m.spec.nodePools[1].services,
    path: 'spec.nodePools[1].services',
    reason: 'is required',
    kubernetes: required,
  },
  {
    rule: 'a pool has at least one service',
    change: (m) => (m.spec.nodePools[1].services = []),
    path: 'spec.nodePools[1].services',
    reason: 'at least 1',
  },
  {
    rule: 'a service is one of six',
    change: (m) => (m.spec.nodePools[1].services = ['n1ql']),
    path: 'spec.nodePools[1].services[0]',
    reason: 'data, index, query, search, analytics, eventing',
    kubernetes: { reason: '"data", "index", "query", "search", "analytics", "eventing"' },
  },
  {
    rule: 'somebody has the data service',
    change: (m) => (m.spec.nodePools[0].services = ['query']),
    path: 'spec.nodePools',
    reason: 'at least one member with the service data',
  },
  {
    rule: 'the data service is no pool without members',
    change: (m) => (m.spec.nodePools[0].replicas = 0),
    path: 'spec.nodePools',
    reason: 'at least one member with the service data',
  },
  {
    rule: 'spec.replicas is for clusters of one pool',
    change: (m) => (m.spec.replicas = 3),
    path: 'spec.replicas',
    reason: 'one pool',
  },
  {
    rule: 'a volume has a size above 0',
    change: (m) => (m.spec.nodePools[0].persistence.size = '0'),
    path: 'spec.nodePools[0].persistence.size',
    reason: 'quantity above 0',
  },
  {
    rule: 'credentials come from a Secret',
    change: (m) => (m.spec.auth = {}),
    path: 'spec.auth.secretName',
    reason: 'is required',
    kubernetes: required,
  },
  {
    rule: 'the budget is at least one',
    change: (m) => (m.spec.updateStrategy = { maxUnavailable: 0 }),
    path: 'spec.updateStrategy.maxUnavailable',
    reason: 'at least 1',
    kubernetes: { reason: 'greater than or equal to 1' },
  },
  {
    rule: 'the user is not negative',
    change: (m) => (m.spec.securityContext = { runAsUser: -1 }),
    path: 'spec.securityContext.runAsUser',
    reason: 'at least 0',
    kubernetes: { reason: 'greater than or equal to 0' },
  },
  {
    rule: 'a failover takes at least five seconds',
    change: (m) => (m.spec.autoFailover.timeout = 4),
    path: 'spec.autoFailover.timeout',
    reason: 'at least 5',
    kubernetes: { reason: 'greater than or equal to 5' },
  },
  {
    rule: 'a quota is at least 256 MB',
    change: (m) => (m.spec.memoryQuotas.data = 255),
    path: 'spec.memoryQuotas.data',
    reason: 'at least 256',
    kubernetes: { reason: 'greater than or equal to 256' },
  },
  {
    rule: "a bucket's name is one that the database takes",
    change: (m) => (m.spec.buckets[0].name = '.orders'),
    path: 'spec.buckets[0].name',
    reason: 'letters, digits',
  },
  {
    rule: "buckets' names are unique",
    change: (m) => {
      m.spec.buckets[1] = m.spec.buckets[0];
    },
    path: 'spec.buckets[1].name',
    reason: 'twice',
    kubernetes: { path: 'spec.buckets[1]', reason: 'Duplicate value' },
  },
  {
    rule: 'a bucket has memory',
    change: (m) => delete m.spec.buckets[0].ramQuota,
    path: 'spec.buckets[0].ramQuota',
    reason: 'is required',
    kubernetes: required,
  },
  {
    rule: 'a bucket has at least 100 MiB',
    change: (m) => (m.spec.buckets[0].ramQuota = '99Mi'),
    path: 'spec.buckets[0].ramQuota',
    reason: 'at least 100Mi',
  },
  {
    rule: 'a bucket has at most three replicas',
    change: (m) => (m.spec.buckets[0].replicas = 4),
    path: 'spec.buckets[0].replicas',
    reason: 'at most 3',
    kubernetes: { reason: 'less than or equal to 3' },
  },
  {
    rule: 'a bucket is of one of three types',
    change: (m) => (m.spec.buckets[0].type = 'memory'),
    path: 'spec.buckets[0].type',
    reason: 'couchbase, ephemeral, memcached',
    kubernetes: { reason: '"couchbase", "ephemeral", "memcached"' },
  },
  {
    rule: "a bucket's eviction fits its type",
    change: (m) => (m.spec.buckets[0].type = 'ephemeral'),
    path: 'spec.buckets[0].eviction',
    reason: 'does not fit the type',
  },
];

/** What only the manifest that is in force can show. */
export const couchbaseChangeRows: readonly Row[] = [
  {
    rule: 'services of a pool are immutable',
    change: (m) => (m.spec.nodePools[1].services = ['query']),
    path: 'spec.nodePools[1].services',
    reason: 'Navigator drains it',
  },
  {
    rule: 'a volume never shrinks',
    change: (m) => (m.spec.nodePools[0].persistence.size = '9Gi'),
    path: 'spec.nodePools[0].persistence.size',
    reason: 'may grow, never shrink',
  },
  {
    rule: 'the storage class is immutable',
    change: (m) => (m.spec.nodePools[0].persistence.storageClass = 'slow'),
    path: 'spec.nodePools[0].persistence.storageClass',
    reason: 'immutable',
  },
  {
    rule: 'a pool keeps its volumes',
    change: (m) => delete m.spec.nodePools[0].persistence,
    path: 'spec.nodePools[0].persistence',
    reason: 'add another pool',
  },
  {
    rule: 'a pool gets no volumes later',
    change: (m) => (m.spec.nodePools[1].persistence = { size: '1Gi' }),
    path: 'spec.nodePools[1].persistence',
    reason: 'add another pool',
  },
  {
    rule: 'a cluster keeps to TLS, or to none',
    change: (m) => (m.spec.tls = { enabled: true }),
    path: 'spec.tls',
    reason: 'immutable',
  },
  {
    rule: 'a pool keeps its zones',
    change: (m) => (m.spec.nodePools[0].zones = ['a']),
    path: 'spec.nodePools[0].zones',
    reason: 'immutable',
  },
  {
    rule: 'the type of a bucket is immutable',
    change: (m) => {
      m.spec.buckets[0].type = 'ephemeral';
      delete m.spec.buckets[0].eviction;
    },
    path: 'spec.buckets[0].type',
    reason: 'immutable',
  },
];
