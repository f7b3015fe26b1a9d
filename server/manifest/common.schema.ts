/** What the manifests of all applications have in common: each piece once, for every kind and both runtimes. */
import type { CelRule, StructuralSchema } from './schema.ts';

/** The API group of Navigator's resources. */
export const apiGroup = 'navigator.jetstack.io';

/** The API group and version of Navigator's resources. */
export const apiVersion = `${apiGroup}/v1alpha1`;

const labelPattern = "matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')";
const labelMessage = 'must be a DNS label: lower-case letters, digits and dashes, with a letter or digit at both ends';

/** A map of anything: somebody else checks it. */
export const anyObject = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;

/** A short text. */
export const text = { type: 'string', maxLength: 512 } as const;

const userId: StructuralSchema = { type: 'integer', format: 'int64', minimum: 0 };

const pullPolicy: StructuralSchema = {
  type: 'string',
  description: 'when the image is pulled: Never, IfNotPresent or Always',
  enum: ['Never', 'IfNotPresent', 'Always'],
  default: 'IfNotPresent',
};

const image: StructuralSchema = {
  type: 'object',
  description: 'the database image; absent: the official one of the version',
  properties: { repository: text, tag: text, pullPolicy, fsGroup: userId },
};

const quantity: StructuralSchema = {
  'x-kubernetes-int-or-string': true,
  maxLength: 64,
  'x-kubernetes-validations': [
    { rule: 'isQuantity(string(self))', message: 'must be a quantity such as 2Gi, 500Mi or 1.5' },
  ],
};

const quantities: StructuralSchema = { type: 'object', additionalProperties: quantity, maxProperties: 32 };

/** Memory and processor time, as a container has them. */
export function resources(description: string, rulesOfLimits: readonly CelRule[] = []): StructuralSchema {
  const limits = { ...quantities, ...(rulesOfLimits.length > 0 ? { 'x-kubernetes-validations': rulesOfLimits } : {}) };
  return { type: 'object', description, properties: { limits, requests: quantities } };
}

/** A size in bytes above 0, as a quantity. */
export function sizeOf(what: string, rules: readonly CelRule[] = []): StructuralSchema {
  return {
    description: `the size of ${what}, such as 10Gi`,
    'x-kubernetes-int-or-string': true,
    maxLength: 64,
    'x-kubernetes-validations': [
      {
        rule: "isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
        message: 'must be a quantity above 0 such as 10Gi',
      },
      ...rules,
    ],
  };
}

const whenGone: StructuralSchema = {
  type: 'string',
  description: 'what becomes of the volume: Retain or Delete',
  enum: ['Retain', 'Delete'],
  default: 'Retain',
};

/** The volumes of a pool. */
export const persistence: StructuralSchema = {
  type: 'object',
  description: 'a lasting volume for each member; absent: what a member holds goes when it goes',
  properties: {
    enabled: { type: 'boolean', description: 'of the first Navigator: false is the same as leaving persistence out' },
    size: sizeOf('the volume', [
      {
        rule:
          '!isQuantity(string(self)) || !isQuantity(string(oldSelf)) || ' +
          'quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0',
        message: 'a volume may grow, never shrink: add a smaller pool and remove this one, Navigator drains it',
      },
    ]),
    storageClass: { ...text, description: 'the storage class of the volume; absent: the default class' },
    onDelete: whenGone,
    onScaleDown: whenGone,
  },
  'x-kubernetes-validations': [
    {
      rule: '(has(self.enabled) && !self.enabled) || has(self.size)',
      message: 'is required: the size of the volume, such as 10Gi',
      fieldPath: '.size',
    },
    {
      rule:
        'has(self.storageClass) == has(oldSelf.storageClass) && ' +
        '(!has(self.storageClass) || self.storageClass == oldSelf.storageClass)',
      message: 'is immutable: add a pool with the other class and remove this one, Navigator drains it',
      fieldPath: '.storageClass',
    },
  ],
};

/** A list of names that a pool keeps as long as it is there. */
export function immutableSet(what: string, names: readonly string[], description: string): StructuralSchema {
  return {
    type: 'array',
    description,
    items: { type: 'string', enum: names },
    minItems: 1,
    maxItems: names.length,
    'x-kubernetes-list-type': 'set',
    'x-kubernetes-validations': [
      {
        rule: 'self.all(r, r in oldSelf) && oldSelf.all(r, r in self)',
        message:
          `the ${what} of an existing pool are immutable: add another pool with these ${what} and remove this one, ` +
          'Navigator drains it',
      },
    ],
  };
}

/** What every pool may say. */
export const poolProperties: Readonly<Record<string, StructuralSchema>> = {
  name: {
    type: 'string',
    description: 'the name of the pool, unique in the cluster',
    maxLength: 63,
    'x-kubernetes-validations': [{ rule: `self.${labelPattern}`, message: labelMessage }],
  },
  replicas: {
    type: 'integer',
    format: 'int32',
    description: 'how many members',
    minimum: 0,
    maximum: 1000,
    default: 1,
  },
  config: { ...anyObject, description: 'raw database settings of this pool, merged over spec.config' },
  persistence,
  nodeSelector: { type: 'object', additionalProperties: text, maxProperties: 64 },
  tolerations: { type: 'array', items: anyObject, maxItems: 64 },
  affinity: anyObject,
  schedulerName: text,
  podTemplate: anyObject,
};

/** The one budget. */
export const maxUnavailable: StructuralSchema = {
  type: 'integer',
  format: 'int32',
  description: 'how many members may be away at once, for whatever reason',
  minimum: 1,
  default: 1,
};

const replicas: StructuralSchema = {
  type: 'integer',
  format: 'int32',
  description: "set by `kubectl scale`, for clusters of one pool: counts instead of the pool's own replicas",
  minimum: 0,
  maximum: 1000,
};

/** What every cluster may say. */
export const specProperties: Readonly<Record<string, StructuralSchema>> = {
  paused: { type: 'boolean', description: 'nothing is changed and no permit granted while true', default: false },
  replicas,
  config: { ...anyObject, description: 'raw database settings, merged over those of Navigator' },
  securityContext: {
    type: 'object',
    properties: { runAsUser: { ...userId, default: 1000 }, fsGroup: { ...userId, default: 1000 } },
    default: {},
  },
  updateStrategy: {
    type: 'object',
    properties: { maxUnavailable },
    default: {},
  },
  pilotImage: { ...image, description: "the pilot's image; absent: the server's own" },
  image,
};

/** The pools of a cluster, known by their names. */
export function pools(pool: StructuralSchema): StructuralSchema {
  return {
    type: 'array',
    description: 'the pools of members, at least one',
    items: pool,
    minItems: 1,
    maxItems: 64,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  };
}

/** CEL for the number of members that pool `p` is to have. */
export const replicasOfP = '(has(self.replicas) ? self.replicas : p.replicas)';

/** `spec.replicas` is there for `kubectl scale`, and never overrides silently what somebody writes into the pool. */
export const scaleRules: readonly CelRule[] = [
  {
    rule: '!has(self.replicas) || size(self.nodePools) == 1',
    message: 'is for clusters of one pool: change the replicas of the pools, and leave this out',
    fieldPath: '.replicas',
  },
  {
    rule:
      '!has(self.replicas) || !has(oldSelf.replicas) || self.replicas != oldSelf.replicas || ' +
      'size(self.nodePools) != 1 || size(oldSelf.nodePools) != 1 || ' +
      'self.nodePools[0].replicas == oldSelf.nodePools[0].replicas || self.nodePools[0].replicas == self.replicas',
    message: 'counts instead of the replicas of the pool since `kubectl scale` set it: change it, or leave it out',
    fieldPath: '.replicas',
  },
];

const statusProperties: Readonly<Record<string, StructuralSchema>> = {
  observedGeneration: { type: 'integer', format: 'int64' },
  replicas: { type: 'integer', format: 'int32', description: 'how many members there are' },
  readyMembers: { type: 'integer', format: 'int32' },
  desiredMembers: { type: 'integer', format: 'int32' },
  selector: { ...text, description: 'selects the pods of all members' },
  health: { type: 'string', enum: ['green', 'yellow', 'red', 'unknown'] },
  version: { type: 'string', maxLength: 32, description: 'the lowest version that a member may run' },
  acceptedVersion: {
    type: 'string',
    maxLength: 32,
    description:
      'the version that is in force, below which there is no way: the last one that was wanted and not refused',
  },
  conditions: conditions(['Ready', 'Progressing', 'Degraded', 'Paused']),
  pools: {
    type: 'array',
    maxItems: 128,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: {
      type: 'object',
      required: ['name'],
      properties: {
        name: text,
        ...integers(['desired', 'ready', 'updated', 'draining']),
        version: text,
      },
    },
  },
  leader: {
    type: 'object',
    properties: { member: text, term: { type: 'integer', format: 'int64' } },
  },
  inProgress: {
    type: 'array',
    description: 'what is being done, and the named holds of what is not',
    maxItems: 256,
    items: {
      type: 'object',
      properties: {
        member: text,
        action: text,
        hold: text,
        message: { type: 'string', maxLength: 2048 },
        since: time(),
      },
    },
  },
};

/** What the server says about a cluster. */
export const clusterStatus: StructuralSchema = { type: 'object', properties: statusProperties };

/** Whole numbers, a property each. */
export function integers(names: readonly string[]): Record<string, StructuralSchema> {
  return Object.fromEntries(names.map((name) => [name, { type: 'integer', format: 'int32' }]));
}

/** A moment, for people. */
export function time(): StructuralSchema {
  return { type: 'string', format: 'date-time' };
}

/** Conditions as Kubernetes has them, so that `kubectl wait` understands them. */
export function conditions(types: readonly string[]): StructuralSchema {
  return {
    type: 'array',
    description: types.join(', '),
    maxItems: 16,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
    items: {
      type: 'object',
      required: ['type', 'status'],
      properties: {
        type: text,
        status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
        reason: text,
        message: { type: 'string', maxLength: 32768 },
        observedGeneration: { type: 'integer', format: 'int64' },
        lastTransitionTime: time(),
      },
    },
  };
}

/**
 * A whole cluster of any application, with rules that need its status, too. `status` is the server's, who writes it through
 * its own subresource.
 */
export function clusterSchema(spec: StructuralSchema, rules: readonly CelRule[]): StructuralSchema {
  return {
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 40 } } },
      spec,
      status: clusterStatus,
    },
    'x-kubernetes-validations': [
      { rule: `self.metadata.name.${labelPattern}`, message: labelMessage, fieldPath: '.metadata.name' },
      {
        rule: 'self.spec.nodePools.all(p, size(self.metadata.name) + size(p.name) < 52)',
        message:
          "the names of the cluster and of a pool may have 51 characters together, or members' names get too long",
        fieldPath: '.spec.nodePools',
      },
      ...rules,
    ],
  };
}
