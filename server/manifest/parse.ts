/** From the text of a manifest to what a person wants, or to everything that keeps it from being applied. */
import type { ClusterSpec } from '../model/cluster.ts';
import { celProblems } from './cel.ts';
import { apiVersion } from './common.schema.ts';
import { buildCouchbase } from './couchbase-spec.ts';
import { couchbaseClusterSchema } from './couchbasecluster.schema.ts';
import { elasticsearchClusterSchema } from './elasticsearchcluster.schema.ts';
import { openApiProblems } from './openapi.ts';
import { ManifestError, problemAt, type Problem } from './problem.ts';
import { specRules } from './rules.ts';
import { closest, shapeObject } from './shape.ts';
import type { StructuralSchema } from './schema.ts';
import { isJsonMap, readSource, type JsonMap } from './source.ts';
import { buildSpec, type BuiltSpec } from './spec.ts';

export { ManifestError, type Problem } from './problem.ts';

/** A manifest that may be applied. */
export interface ParsedManifest {
  readonly spec: ClusterSpec;
  /** What was ignored, a line each. */
  readonly warnings: readonly string[];
  /** The text as it was given. */
  readonly manifest: string;
}

/** What a kind of manifest is read with. A new application has a line here. */
interface Kind {
  readonly schema: StructuralSchema;
  readonly build: (object: JsonMap) => BuiltSpec;
}

const kinds: Readonly<Record<string, Kind>> = {
  ElasticsearchCluster: { schema: elasticsearchClusterSchema, build: buildSpec },
  CouchbaseCluster: { schema: couchbaseClusterSchema, build: buildCouchbase },
};

/**
 * Reads the manifest (YAML or JSON) of one cluster, to replace `oldText`, the manifest that is in force, if there is one.
 * Throws ManifestError with every problem at once; nothing else is thrown, whatever the text.
 */
export function parseManifest(text: string, oldText?: string): ParsedManifest {
  const source = withoutStatus(readSource(text));
  const envelope = envelopeProblems(source);
  const kind = kindOf(source.kind);
  if (kind === undefined) throw new ManifestError(envelope);
  const { schema, build } = kind;

  const warnings: string[] = [];
  const object = shapeObject(source, schema, warnings);
  const old = readOld(oldText, source.kind, schema);
  const shape = [...envelope, ...openApiProblems(schema, object)];
  const problems = [...shape];
  addNew(problems, celProblems(schema, object, old, shape.length === 0));
  const built = build(object);
  addNew(problems, built.problems);
  const oldSpec = old === undefined ? undefined : build(old).spec;
  const found = specRules.flatMap((rule) => rule(built.spec, oldSpec));
  addNew(problems, found);
  if (problems.length > 0) throw new ManifestError(problems);
  return { spec: built.spec, warnings: [...warnings, ...built.warnings], manifest: text };
}

/** As Kubernetes takes it: what people write of a status says nothing, and opens no way that the rules close. */
function withoutStatus(source: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(source).filter(([field]) => field !== 'status'));
}

/** A later check that speaks of the same place says again what an earlier one has said. */
function addNew(problems: Problem[], more: readonly Problem[]): void {
  const places = new Set(problems.map((problem) => problem.path));
  problems.push(...more.filter((problem) => !places.has(problem.path)));
}

/** A cluster cannot become one of another application. */
class KindError extends ManifestError {}

function kindOf(written: unknown): Kind | undefined {
  return typeof written === 'string' && Object.hasOwn(kinds, written) ? kinds[written] : undefined;
}

/** What was in force was valid when it was applied; a stricter Navigator must not lock its owner out for that. */
function readOld(text: string | undefined, kind: unknown, schema: StructuralSchema): JsonMap | undefined {
  if (text === undefined) return undefined;
  try {
    const source = readSource(text);
    if (source.kind !== kind) {
      const own = typeof source.kind === 'string' ? source.kind : 'cluster of an unknown kind';
      const reason = `is the kind of another cluster: this one is a ${own}, and stays one`;
      throw new KindError([problemAt(['kind'], kind, reason)]);
    }
    return shapeObject(withoutStatus(source), schema, []);
  } catch (error) {
    if (error instanceof ManifestError && !(error instanceof KindError)) return undefined;
    throw error;
  }
}

/** What stands around the spec, which Kubernetes itself would check. */
function envelopeProblems(source: JsonMap): Problem[] {
  const problems: Problem[] = [];
  if (source.apiVersion !== apiVersion) {
    problems.push(problemAt(['apiVersion'], source.apiVersion, `must be ${apiVersion}`));
  }
  if (kindOf(source.kind) === undefined) problems.push(problemAt(['kind'], source.kind, kindReason(source.kind)));
  const metadata = isJsonMap(source.metadata) ? source.metadata : {};
  if (metadata.name === undefined || metadata.name === null || metadata.name === '') {
    problems.push(problemAt(['metadata', 'name'], undefined, 'is required: the name of the cluster'));
  }
  const { namespace } = metadata;
  const isLabel = typeof namespace === 'string' && /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace);
  if (namespace !== undefined && namespace !== null && !isLabel) {
    const reason = 'must be a DNS label: lower-case letters, digits and dashes, at most 63 characters';
    problems.push(problemAt(['metadata', 'namespace'], namespace, reason));
  }
  return problems;
}

function kindReason(written: unknown): string {
  const known = Object.keys(kinds);
  const close = typeof written === 'string' ? closest(written, known) : undefined;
  return `must be ${known.join(' or ')}${close === undefined ? '' : `; did you mean ${close}?`}`;
}
