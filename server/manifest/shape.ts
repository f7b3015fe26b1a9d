/** Pruning and defaulting as Kubernetes does it, with a word about everything that was left out. */
import { writePath, type Path } from './problem.ts';
import type { StructuralSchema } from './schema.ts';
import { isJsonMap, type Json, type JsonMap } from './source.ts';

const warningsMax = 50;

/** Drops what the schema does not know (with a warning) and every null, then fills in the defaults. */
export function shapeObject(object: JsonMap, schema: StructuralSchema, warnings: string[]): JsonMap {
  const shaped = shape(object, schema, [], warnings) as JsonMap;
  // Kubernetes keeps all of metadata, whatever the schema of a custom resource says.
  return isJsonMap(object.metadata) ? { ...shaped, metadata: object.metadata } : shaped;
}

function shape(value: Json, schema: StructuralSchema, path: Path, warnings: string[]): Json {
  if (Array.isArray(value) && schema.items !== undefined) {
    const { items } = schema;
    return value.map((item: Json, at) => shape(item, items, [...path, at], warnings));
  }
  if (!isJsonMap(value) || schema.type !== 'object') return value;
  const made: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    const known = own(schema.properties, key) ?? schema.additionalProperties;
    if (known !== undefined) {
      if (item !== null) made[key] = shape(item, known, [...path, key], warnings);
    } else if (schema['x-kubernetes-preserve-unknown-fields'] === true) made[key] = item;
    else if (path[0] !== 'metadata') warn(warnings, `${writePath([...path, key])} ${unknown(key, schema)}`);
  }
  for (const [key, below] of Object.entries(schema.properties ?? {})) {
    if (below.default === undefined || Object.hasOwn(made, key)) continue;
    made[key] = shape(structuredClone(below.default) as Json, below, [...path, key], warnings);
  }
  return made;
}

function unknown(key: string, schema: StructuralSchema): string {
  const close = closest(key, Object.keys(schema.properties ?? {}));
  return `is not a known field and ignored${close === undefined ? '' : `; did you mean ${close}?`}`;
}

function warn(warnings: string[], warning: string): void {
  if (warnings.length < warningsMax) warnings.push(warning);
}

/** The known name that `written` is most likely meant to be; `undefined` where none is close. */
export function closest(written: string, known: readonly string[]): string | undefined {
  if (written.length > 40) return undefined;
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const far = distance(written.toLowerCase(), name.toLowerCase());
    if (far <= Math.min(2, Math.floor(name.length / 3)) && far < (best?.distance ?? 3)) best = { name, distance: far };
  }
  return best?.name;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      const cheapest = Math.min((above[column - 1] ?? 0) + same, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1);
      line.push(cheapest);
    }
    above = line;
  }
  return above[b.length] ?? 0;
}

function own<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
