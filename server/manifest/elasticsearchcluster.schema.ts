/**
 * What an ElasticsearchCluster may say. The one source for `navigator apply` and for the CustomResourceDefinition, so
 * that both answer alike: OpenAPI for shape, bounds and defaults, CEL (with the message) for everything else that the
 * object and its former self can tell. What needs more than that stands in rules.ts.
 */
import {
  clusterSchema,
  immutableSet,
  persistence,
  poolProperties,
  pools,
  replicasOfP,
  resources,
  scaleRules,
  specProperties,
  text,
} from './common.schema.ts';
import type { StructuralSchema } from './schema.ts';
import { versionRules, versionSchema, type Versions } from './version.schema.ts';

const aPlugin = 'the name of a plugin, such as analysis-icu, or a file:, http: or https: URL of one';

/** Of strings. What begins with a dash would be an option of the installer. */
const pluginPattern = '^((file|https?):[^ ]+|[A-Za-z0-9][A-Za-z0-9._:-]*)$';

const masters = `self.nodePools.filter(p, 'master' in p.roles).map(p, ${replicasOfP}).sum()`;

/** CEL: whether the members of a pool have volumes, in whichever form that was written. */
function hasVolume(pool: string): string {
  const on = (place: string): string => `(!has(${place}.enabled) || ${place}.enabled)`;
  const former = `has(${pool}.state) && has(${pool}.state.persistence) && ${on(`${pool}.state.persistence`)}`;
  return `(has(${pool}.persistence) ? ${on(`${pool}.persistence`)} : (${former}))`;
}

/** CEL: the size of that volume. */
function sizeOfVolume(pool: string): string {
  return `string(has(${pool}.persistence) ? ${pool}.persistence.size : ${pool}.state.persistence.size)`;
}

const ignored: StructuralSchema = {
  type: 'array',
  description: 'of the first Navigator, and ignored: set kernel parameters on the hosts',
  items: text,
  maxItems: 64,
};

const nodePool: StructuralSchema = {
  type: 'object',
  required: ['name', 'roles'],
  properties: {
    ...poolProperties,
    roles: immutableSet('roles', ['master', 'data', 'ingest'], 'what its members do: master, data, ingest'),
    resources: resources('as for a container; half of limits.memory becomes the Java heap, at most 31Gi', [
      {
        rule:
          "!('memory' in self) || !isQuantity(string(self['memory'])) || " +
          "quantity(string(self['memory'])).compareTo(quantity('128Mi')) >= 0",
        message: 'is too little for Elasticsearch: give it 128Mi at least, such as 2Gi',
        fieldPath: "['memory']",
      },
    ]),
    state: {
      type: 'object',
      description: 'of the first Navigator: persistence stands beside the roles now',
      properties: { stateful: { type: 'boolean' }, persistence },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: `${hasVolume('self')} == ${hasVolume('oldSelf')}`,
      message:
        'cannot be given to nor taken from the members of an existing pool: add another pool and remove this one, ' +
        'Navigator drains it',
      fieldPath: '.persistence',
    },
    {
      rule:
        `has(self.persistence) == has(oldSelf.persistence) || !${hasVolume('self')} || !${hasVolume('oldSelf')} || ` +
        `quantity(${sizeOfVolume('self')}).compareTo(quantity(${sizeOfVolume('oldSelf')})) >= 0`,
      message: 'a volume may grow, never shrink: add a smaller pool and remove this one, Navigator drains it',
      fieldPath: '.persistence.size',
    },
  ],
};

const versions: Versions = {
  application: 'Elasticsearch',
  example: '5.6.16',
  known: "self.matches('^5[.]([6-9]|[1-9][0-9]+)[.]') || self.matches('^[6-9][.]')",
  words: '5.6 to 9.x',
  lastMinors: { 5: 6, 6: 8, 7: 17, 8: 19 },
};

/** The schema of `spec` of an ElasticsearchCluster. */
const spec: StructuralSchema = {
  type: 'object',
  required: ['version', 'nodePools'],
  properties: {
    version: versionSchema(versions),
    ...specProperties,
    minimumMasters: {
      type: 'integer',
      format: 'int32',
      description: 'how many masters must agree; absent: the quorum',
    },
    plugins: {
      type: 'array',
      description: 'names or URLs (file:, http:, https:) of plugins',
      // Each is a string, or {name} as the first Navigator wrote it: a pattern applies to strings alone, spec.ts sees the rest.
      items: { description: aPlugin, 'x-kubernetes-preserve-unknown-fields': true, pattern: pluginPattern },
      maxItems: 64,
    },
    secureSettings: {
      type: 'array',
      description: 'Secrets whose keys become settings in the keystore',
      items: { type: 'object', required: ['secretName'], properties: { secretName: text } },
      maxItems: 64,
    },
    sysctls: ignored,
    sysctl: ignored,
    nodePools: pools(nodePool),
  },
  'x-kubernetes-validations': [
    {
      rule: `self.nodePools.exists(p, 'master' in p.roles && ${replicasOfP} > 0)`,
      message: 'the cluster needs at least one member with the role master: give a pool the role and a replica',
      fieldPath: '.nodePools',
    },
    {
      rule:
        `!has(self.minimumMasters) || ${masters} == 0 || ` +
        `(self.minimumMasters >= ${masters} / 2 + 1 && self.minimumMasters <= ${masters})`,
      message: 'must be at least the quorum of the masters and at most their number; leave it out for the quorum',
      messageExpression:
        `'must be from ' + string(${masters} / 2 + 1) + ', the quorum of the masters, to ' + string(${masters}) + ` +
        `', their number; leave it out for the quorum'`,
      fieldPath: '.minimumMasters',
    },
    ...scaleRules,
  ],
};

/** The schema of a whole ElasticsearchCluster, as `openAPIV3Schema` of its CustomResourceDefinition. */
export const elasticsearchClusterSchema: StructuralSchema = clusterSchema(spec, versionRules(versions));
