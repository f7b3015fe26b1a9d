/** One row a rule about a change: what is in force, what is to replace it, the place, and words of the reason. */
import type { Row, Tree } from './manifest.table.ts';

const instead = 'add another pool';

/** What only the manifest that is in force can show. */
export const changeRows: readonly Row[] = [
  {
    rule: 'a version never goes back',
    change: (m) => (m.spec.version = '5.6.15'),
    path: 'spec.version',
    reason: 'downgrade from 5.6.16',
  },
  {
    rule: 'a major never goes back',
    after: (m) => (m.spec.version = '6.8.0'),
    change: (m) => (m.spec.version = '5.6.16'),
    path: 'spec.version',
    reason: 'downgrade from 6.8.0',
  },
  {
    rule: 'no major is skipped',
    change: (m) => (m.spec.version = '7.0.0'),
    path: 'spec.version',
    reason: 'upgrade to 6.8 first',
  },
  {
    rule: 'a major is left from its last minor',
    after: (m) => (m.spec.version = '6.7.2'),
    change: (m) => (m.spec.version = '7.17.0'),
    path: 'spec.version',
    reason: 'upgrade to 6.8 first',
  },
  {
    rule: 'every stop on the way is named',
    after: (m) => (m.spec.version = '6.2.0'),
    change: (m) => (m.spec.version = '8.1.0'),
    path: 'spec.version',
    reason: 'upgrade to 6.8, then to 7.17 first',
  },
  {
    rule: 'roles of a pool are immutable',
    change: (m) => (m.spec.nodePools[1].roles = ['data', 'ingest']),
    path: 'spec.nodePools[1].roles',
    reason: 'add another pool with these roles and remove this one, Navigator drains it',
  },
  {
    rule: 'roles are immutable wherever the pool stands',
    change: (m) =>
      (m.spec.nodePools = [
        { name: 'data', roles: ['ingest'] },
        { name: 'x', roles: ['master'] },
      ]),
    path: 'spec.nodePools[0].roles',
    reason: 'immutable',
  },
  {
    rule: 'a volume never shrinks',
    change: (m) => (m.spec.nodePools[1].persistence.size = '9Gi'),
    path: 'spec.nodePools[1].persistence.size',
    reason: 'may grow, never shrink',
  },
  {
    rule: 'units do not hide a shrinking',
    change: (m) => (m.spec.nodePools[1].persistence.size = '10G'),
    path: 'spec.nodePools[1].persistence.size',
    reason: 'may grow, never shrink',
  },
  {
    rule: 'the storage class is immutable',
    change: (m) => (m.spec.nodePools[1].persistence.storageClass = 'slow'),
    path: 'spec.nodePools[1].persistence.storageClass',
    reason: 'immutable',
  },
  {
    rule: 'the storage class is not taken away',
    change: (m) => delete m.spec.nodePools[1].persistence.storageClass,
    path: 'spec.nodePools[1].persistence.storageClass',
    reason: 'immutable',
  },
  {
    rule: 'a pool keeps its volumes',
    change: (m) => delete m.spec.nodePools[1].persistence,
    path: 'spec.nodePools[1].persistence',
    reason: instead,
  },
  {
    rule: 'a pool gets no volumes later',
    change: (m) => (m.spec.nodePools[0].persistence = { size: '1Gi' }),
    path: 'spec.nodePools[0].persistence',
    reason: instead,
  },
  {
    rule: 'moving a volume out of the oldest form shrinks nothing',
    after: (m) => (m.spec.nodePools[0].state = { persistence: { size: '5Gi' } }),
    change: (m) => (m.spec.nodePools[0].persistence = { size: '1Gi' }),
    path: 'spec.nodePools[0].persistence.size',
    reason: 'never shrink',
  },
  {
    rule: 'what kubectl scale has set is not overridden silently',
    after: (m) => {
      m.spec.nodePools.length = 1;
      m.spec.replicas = 4;
    },
    change: (m) => {
      m.spec.nodePools.length = 1;
      m.spec.replicas = 4;
      m.spec.nodePools[0].replicas = 5;
    },
    path: 'spec.replicas',
    reason: 'counts instead',
  },
  {
    rule: 'a cluster keeps its name',
    change: (m) => (m.metadata.name = 'other'),
    path: 'metadata.name',
    reason: 'names are immutable',
    kubernetes: { path: '', reason: 'does not match the name on the URL' },
  },
];

/** What may be changed, from which version, and how. */
export const acceptedChanges: readonly (readonly [string, string, (manifest: Tree) => unknown])[] = [
  ['no change at all', '5.6.16', () => {}],
  ['a patch', '5.6.16', (m) => (m.spec.version = '5.6.17')],
  ['a minor', '6.1.0', (m) => (m.spec.version = '6.8.23')],
  ['the next major from the last minor', '5.6.16', (m) => (m.spec.version = '6.8.23')],
  ['a larger volume', '5.6.16', (m) => (m.spec.nodePools[1].persistence.size = '11Gi')],
  ['the same volume in other units', '5.6.16', (m) => (m.spec.nodePools[1].persistence.size = 10 * 2 ** 30)],
  ['roles in another order', '5.6.16', (m) => (m.spec.nodePools[0].roles = ['ingest', 'data', 'master'])],
  ['a pool less', '5.6.16', (m) => (m.spec.nodePools.length = 1)],
  ['a pool more, with other roles', '5.6.16', (m) => (m.spec.nodePools[2] = { name: 'x', roles: ['ingest'] })],
];
