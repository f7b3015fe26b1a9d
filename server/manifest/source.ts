/** From the text of a manifest to plain JSON: bounded, without cycles, without names that mean something to JavaScript. */
import { isScalar, LineCounter, parseAllDocuments, visit, type Document } from 'yaml';
import { ManifestError, problemAt, showValue, type Path, type Problem } from './problem.ts';

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonMap = { readonly [key: string]: Json };

const textMax = 256 * 1024;
const syntaxProblemsMax = 20;
const depthMax = 48;
const nodesMax = 100_000;

interface Copying {
  readonly problems: Problem[];
  nodes: number;
}

/** Reads the one object that `text` (YAML or JSON) holds. Throws ManifestError, with line and column for bad syntax. */
export function readSource(text: string): JsonMap {
  if (text.length > textMax) refuse(`the manifest has ${text.length} characters, and ${textMax} is the most`);
  const document = onlyDocument(text);
  const copying: Copying = { problems: [], nodes: 0 };
  const top = copy(toPlain(document), [], copying);
  if (copying.problems.length > 0) throw new ManifestError(copying.problems);
  if (!isJsonMap(top)) refuse('a manifest is a map that begins with apiVersion, kind, metadata and spec', top);
  return top;
}

/** Whether a JSON value is an object. */
export function isJsonMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function onlyDocument(text: string): Document.Parsed {
  const lines = new LineCounter();
  // The parser's own search for doubles takes quadratic time: a hostile text would hold us up for minutes.
  const options = { merge: true, prettyErrors: false, uniqueKeys: false, lineCounter: lines };
  const found = attempt(() => parseAllDocuments(text, options));
  const documents = Array.isArray(found) ? (found as Document.Parsed[]) : [];
  const faults = documents.flatMap((document) => [...document.errors.map(faultOf), ...doubleKeys(document)]);
  if (faults.length > 0) {
    const problems = faults.slice(0, syntaxProblemsMax).map(({ offset, reason }) => {
      const { line, col } = lines.linePos(offset);
      const shown = text.split('\n', line)[line - 1]?.trim();
      return { path: `line ${line}, column ${col}`, value: showValue(shown), reason };
    });
    throw new ManifestError(problems);
  }
  const filled = documents.filter(({ contents }) => !isEmpty(contents));
  const [first] = filled;
  if (first === undefined) refuse('the manifest is empty: it must hold one ElasticsearchCluster');
  if (filled.length > 1) refuse(`the manifest holds ${filled.length} documents: write one object to a file`);
  return first;
}

function isEmpty(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null);
}

interface Fault {
  readonly offset: number;
  readonly reason: string;
}

function faultOf(error: { readonly pos: readonly [number, number]; readonly message: string }): Fault {
  return { offset: error.pos[0], reason: `is not YAML: ${error.message}` };
}

function doubleKeys(document: Document.Parsed): Fault[] {
  const faults: Fault[] = [];
  if (document.errors.length > 0) return faults;
  const note = (_: unknown, map: { readonly items: readonly { readonly key: unknown }[] }): void => {
    const seen = new Set<string>();
    for (const { key } of map.items) {
      if (!isScalar(key)) continue;
      const name = String(key.value);
      const reason = `is not YAML: ${showValue(name)} is there twice in one map`;
      if (seen.has(name) && name !== '<<') faults.push({ offset: key.range?.[0] ?? 0, reason });
      seen.add(name);
    }
  };
  attempt(() => visit(document, { Map: note }));
  return faults;
}

function toPlain(document: Document.Parsed): unknown {
  return attempt(() => document.toJS({ maxAliasCount: 100 }) as unknown);
}

/** The parser follows nesting and aliases by recursion, so that a hostile text ends as a stack or alias error. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) refuse(`the manifest is nested too deep: ${depthMax} levels are the most`);
    refuse(`the manifest cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function copy(value: unknown, path: Path, copying: Copying): Json {
  copying.nodes += 1;
  if (copying.nodes > nodesMax) refuse(`the manifest has more than ${nodesMax} values, aliases unfolded`);
  if (path.length > depthMax) refuse(`the manifest is nested too deep: ${depthMax} levels are the most`);
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item, at) => copy(item, [...path, at], copying));
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return copyMap(value as Record<string, unknown>, path, copying);
  }
  copying.problems.push(
    problemAt(
      path,
      typeof value === 'number' ? value : typeof value,
      'is nothing that JSON can hold: write a number or a string',
    ),
  );
  return null;
}

function copyMap(map: Record<string, unknown>, path: Path, copying: Copying): JsonMap {
  const made: Record<string, Json> = {};
  for (const [key, value] of Object.entries(map)) {
    if (key === '__proto__') copying.problems.push(problemAt([...path, key], undefined, 'is not a name: remove it'));
    else made[key] = copy(value, [...path, key], copying);
  }
  return made;
}

function refuse(reason: string, value?: unknown): never {
  throw new ManifestError([problemAt([], value, reason)]);
}
