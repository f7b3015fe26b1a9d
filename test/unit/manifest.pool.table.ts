/** The rows about pools. */
import type { Row } from './manifest.table.ts';

const label = 'DNS label';

/** What is wrong with the pools of one manifest. */
export const poolRows: readonly Row[] = [
  {
    rule: 'there is a list of pools',
    change: (m) => delete m.spec.nodePools,
    path: 'spec.nodePools',
    reason: 'is required',
    kubernetes: { reason: 'Required value' },
  },
  {
    rule: 'there is at least one pool',
    change: (m) => (m.spec.nodePools = []),
    path: 'spec.nodePools',
    reason: 'at least 1',
    kubernetes: { reason: 'at least 1 items' },
  },
  {
    rule: 'a pool has a name',
    change: (m) => delete m.spec.nodePools[1].name,
    path: 'spec.nodePools[1].name',
    reason: 'is required',
    kubernetes: { reason: 'Required value' },
  },
  {
    rule: "a pool's name is a DNS label",
    change: (m) => (m.spec.nodePools[1].name = 'Data_1'),
    path: 'spec.nodePools[1].name',
    reason: label,
  },
  {
    rule: "pools' names are unique",
    change: (m) => (m.spec.nodePools[1].name = 'node'),
    path: 'spec.nodePools[1].name',
    reason: 'twice',
    kubernetes: { path: 'spec.nodePools[1]', reason: 'Duplicate value' },
  },
  {
    rule: 'members are not named too long',
    change: (m) => (m.spec.nodePools[1].name = 'd'.repeat(48)),
    path: 'spec.nodePools',
    reason: '51 characters together',
  },
  {
    rule: 'replicas are not negative',
    change: (m) => (m.spec.nodePools[1].replicas = -1),
    path: 'spec.nodePools[1].replicas',
    reason: 'at least 0',
    kubernetes: { reason: 'greater than or equal to 0' },
  },
  {
    rule: 'replicas are a number',
    change: (m) => (m.spec.nodePools[1].replicas = '2'),
    path: 'spec.nodePools[1].replicas',
    reason: 'without quotes',
    kubernetes: { reason: 'must be of type integer' },
  },
  {
    rule: 'replicas are bounded',
    change: (m) => (m.spec.nodePools[1].replicas = 1e6),
    path: 'spec.nodePools[1].replicas',
    reason: 'at most 1000',
    kubernetes: { reason: 'less than or equal to 1000' },
  },
  {
    rule: 'a pool has roles',
    change: (m) => delete m.spec.nodePools[1].roles,
    path: 'spec.nodePools[1].roles',
    reason: 'is required',
    kubernetes: { reason: 'Required value' },
  },
  {
    rule: 'a pool has at least one role',
    change: (m) => (m.spec.nodePools[1].roles = []),
    path: 'spec.nodePools[1].roles',
    reason: 'at least 1',
    kubernetes: { reason: 'at least 1 items' },
  },
  {
    rule: 'a role is one of three',
    change: (m) => (m.spec.nodePools[1].roles = ['dta']),
    path: 'spec.nodePools[1].roles[0]',
    reason: 'master, data, ingest; did you mean data?',
    kubernetes: { reason: '"master", "data", "ingest"' },
  },
  {
    rule: 'a role is listed once',
    change: (m) => (m.spec.nodePools[1].roles = ['data', 'data']),
    path: 'spec.nodePools[1].roles[1]',
    reason: 'twice',
    kubernetes: { reason: 'Duplicate value' },
  },
  {
    rule: 'somebody is master',
    change: (m) => (m.spec.nodePools[0].roles = ['data']),
    path: 'spec.nodePools',
    reason: 'at least one member with the role master',
  },
  {
    rule: 'a master is no pool without members',
    change: (m) => (m.spec.nodePools[0].replicas = 0),
    path: 'spec.nodePools',
    reason: 'at least one member with the role master',
  },
  {
    rule: 'a volume has a size',
    change: (m) => (m.spec.nodePools[1].persistence = { enabled: true }),
    path: 'spec.nodePools[1].persistence.size',
    reason: 'is required',
  },
  {
    rule: 'a size is a quantity',
    change: (m) => (m.spec.nodePools[1].persistence.size = '10GB'),
    path: 'spec.nodePools[1].persistence.size',
    reason: 'quantity above 0',
  },
  {
    rule: 'a size is above 0',
    change: (m) => (m.spec.nodePools[1].persistence.size = '0Gi'),
    path: 'spec.nodePools[1].persistence.size',
    reason: 'quantity above 0',
  },
  {
    rule: 'onDelete is one of two',
    change: (m) => (m.spec.nodePools[1].persistence.onDelete = 'Keep'),
    path: 'spec.nodePools[1].persistence.onDelete',
    reason: 'Retain, Delete',
    kubernetes: { reason: '"Retain", "Delete"' },
  },
  {
    rule: 'onScaleDown is one of two',
    change: (m) => (m.spec.nodePools[1].persistence.onScaleDown = 'Keep'),
    path: 'spec.nodePools[1].persistence.onScaleDown',
    reason: 'Retain, Delete',
    kubernetes: { reason: '"Retain", "Delete"' },
  },
  {
    rule: 'a volume of the oldest form keeps the rules',
    change: (m) => (m.spec.nodePools[0].state = { persistence: { size: 0 } }),
    path: 'spec.nodePools[0].state.persistence.size',
    reason: 'above 0',
  },
  {
    rule: 'a limit is a quantity',
    change: (m) => (m.spec.nodePools[1].resources = { limits: { memory: '2 GB' } }),
    path: 'spec.nodePools[1].resources.limits.memory',
    reason: 'must be a quantity',
  },
  {
    rule: 'spec.replicas is for clusters of one pool',
    change: (m) => (m.spec.replicas = 3),
    path: 'spec.replicas',
    reason: 'one pool',
  },
  {
    rule: 'spec.replicas counts where somebody is master',
    change: (m) => {
      m.spec.nodePools.length = 1;
      m.spec.replicas = 0;
    },
    path: 'spec.nodePools',
    reason: 'at least one member with the role master',
  },
  {
    rule: 'memory is enough to start',
    change: (m) => (m.spec.nodePools[1].resources = { limits: { memory: 2 } }),
    path: 'spec.nodePools[1].resources.limits.memory',
    reason: '128Mi at least',
  },
];
