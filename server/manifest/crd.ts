/** The CustomResourceDefinitions, from the schemas that the embedded runtime validates by. Pure: the same text each time. */
import { stringify } from 'yaml';
import { apiGroup } from './common.schema.ts';
import { ownedSettingsSchema } from './owned.schema.ts';
import { couchbaseClusterSchema } from './couchbasecluster.schema.ts';
import { elasticsearchClusterSchema } from './elasticsearchcluster.schema.ts';
import { clusterLedgerSchema } from './ledger.schema.ts';
import { pilotSchema } from './pilot.schema.ts';
import type { CelRule, StructuralSchema } from './schema.ts';

type Property = [name: string, schema: StructuralSchema];

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

interface Kind {
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly schema: StructuralSchema;
  readonly columns: readonly Column[];
  readonly hasStatus: boolean;
  readonly isScalable: boolean;
}

const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const clusterColumns: readonly Column[] = [
  { name: 'Version', type: 'string', jsonPath: '.spec.version' },
  { name: 'Health', type: 'string', jsonPath: '.status.health' },
  { name: 'Ready', type: 'integer', jsonPath: '.status.readyMembers' },
  { name: 'Desired', type: 'integer', jsonPath: '.status.desiredMembers' },
  { name: 'Leader', type: 'string', jsonPath: '.status.leader.member' },
  { name: 'Doing', type: 'string', jsonPath: '.status.inProgress[0].action' },
  age,
];

const pilotColumns: readonly Column[] = [
  { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
  { name: 'Desired', type: 'string', jsonPath: '.spec.desired.phase' },
  { name: 'Version', type: 'string', jsonPath: '.status.version' },
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Permit', type: 'string', jsonPath: '.status.permit.verb' },
  { name: 'Documents', type: 'integer', jsonPath: '.status.documents', priority: 1 },
  { name: 'Shards', type: 'integer', jsonPath: '.status.shards', priority: 1 },
  { name: 'Heard', type: 'date', jsonPath: '.status.lastHeartbeat' },
  age,
];

const cluster = { categories: ['all', 'navigator'], columns: clusterColumns, hasStatus: true, isScalable: true };

const kinds: readonly Kind[] = [
  {
    ...cluster,
    kind: 'ElasticsearchCluster',
    shortNames: ['esc'],
    schema: withOwnedSettings(elasticsearchClusterSchema),
  },
  { ...cluster, kind: 'CouchbaseCluster', shortNames: ['cbc'], schema: couchbaseClusterSchema },
  {
    kind: 'Pilot',
    shortNames: ['pi'],
    categories: ['navigator'],
    schema: pilotSchema,
    columns: pilotColumns,
    hasStatus: true,
    isScalable: false,
  },
  {
    kind: 'ClusterLedger',
    shortNames: [],
    categories: [],
    schema: clusterLedgerSchema,
    columns: [{ name: 'Revision', type: 'integer', jsonPath: '.revision' }, age],
    hasStatus: false,
    isScalable: false,
  },
];

/** Every definition as YAML, by the name of its file. */
export function crdFiles(): ReadonlyMap<string, string> {
  const files = kinds.map((kind): [string, string] => {
    const head = '# Generated from server/manifest/ by `npm run generate`: change it there.\n';
    return [
      `${pluralOf(kind)}.yaml`,
      head + stringify(definition(kind), { aliasDuplicateObjects: false, lineWidth: 0 }),
    ];
  });
  return new Map(files);
}

function pluralOf({ kind }: Kind): string {
  return `${kind.toLowerCase()}s`;
}

function definition(kind: Kind): unknown {
  const plural = pluralOf(kind);
  const scale = {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${apiGroup}` },
    spec: {
      group: apiGroup,
      scope: 'Namespaced',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular: kind.kind.toLowerCase(),
        ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
        ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          ...(kind.hasStatus ? { subresources: { status: {}, ...(kind.isScalable ? { scale } : {}) } } : {}),
          additionalPrinterColumns: kind.columns,
          schema: { openAPIV3Schema: forKubernetes(kind.schema) },
        },
      ],
    },
  };
}

/** Kubernetes takes the text of a number for unbounded, and refuses what shows one: the plain message stands instead. */
function withoutNumbers(rule: CelRule): CelRule {
  const { messageExpression, ...plain } = rule;
  return messageExpression?.includes('string(') === true ? plain : rule;
}

/** A schema as a custom resource has it: CEL sees no field of a free map that is not declared, so that these are. */
function forKubernetes(schema: StructuralSchema): StructuralSchema {
  const { properties, items, 'x-kubernetes-validations': rules } = schema;
  const below = Object.entries(properties ?? {}).map(([name, value]): Property => [name, forKubernetes(value)]);
  return {
    ...schema,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(below) }),
    ...(items === undefined ? {} : { items: forKubernetes(items) }),
    ...(rules === undefined ? {} : { 'x-kubernetes-validations': rules.map(withoutNumbers) }),
  };
}

/** The same with the settings declared that belong to Navigator. */
function withOwnedSettings(schema: StructuralSchema): StructuralSchema {
  const { properties, items } = schema;
  const below = Object.entries(properties ?? {}).map(([name, value]): Property => {
    return [name, name === 'config' ? { ...value, ...ownedSettingsSchema() } : withOwnedSettings(value)];
  });
  return {
    ...schema,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(below) }),
    ...(items === undefined ? {} : { items: withOwnedSettings(items) }),
  };
}
