/**
 * The rules that OpenAPI cannot say, evaluated as Kubernetes evaluates them: `x-kubernetes-validations` on every node,
 * sets and maps without doubles, and rules about a change (`oldSelf`) only where the node had a former self, which the
 * items of a list find by their map keys.
 */
import { Environment } from '@marcbachmann/cel-js';
import { problemAt, type Path, type Problem } from './problem.ts';
import { quantityOf } from './quantity.ts';
import type { CelRule, StructuralSchema } from './schema.ts';

class Quantity {
  readonly value: number;
  constructor(written: string) {
    const value = quantityOf(written);
    if (value === undefined) throw new TypeError(`not a quantity: ${written.slice(0, 40)}`);
    this.value = value;
  }
}

type Expression = (context: Record<string, unknown>) => unknown;

/** CEL with what Kubernetes adds to it and our rules use: quantities, and the sum of a list. */
const environment = new Environment()
  .registerVariable('self', 'dyn')
  .registerVariable('oldSelf', 'dyn')
  .registerType('Quantity', { ctor: Quantity, fields: {} })
  .registerFunction('isQuantity(string): bool', (written: string) => quantityOf(written) !== undefined)
  .registerFunction('quantity(string): Quantity', (written: string) => new Quantity(written))
  .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) =>
    BigInt(Math.sign(a.value - b.value)),
  )
  .registerFunction('Quantity.isGreaterThan(Quantity): bool', (a: Quantity, b: Quantity) => a.value > b.value)
  .registerFunction('list.sum(): int', (items: readonly bigint[]) => items.reduce((sum, item) => sum + item, 0n));

const compiled = new Map<string, Expression>();

/** One node on the way through a manifest, with its former self where it had one. */
interface Node {
  readonly schema: StructuralSchema;
  readonly self: unknown;
  readonly old: unknown;
  readonly path: Path;
}

interface Finding {
  readonly problems: Problem[];
  /** Whether the shape of the object is right. A rule that fails to evaluate on a wrong one says nothing new. */
  readonly sound: boolean;
}

/**
 * Everything that breaks a rule of `schema`. In a `sound` object, one that OpenAPI accepts, a rule that cannot be
 * evaluated counts as broken, as in Kubernetes; in another it is passed over. `old` may be absent.
 */
export function celProblems(schema: StructuralSchema, self: unknown, old: unknown, sound: boolean): Problem[] {
  const finding: Finding = { problems: [], sound };
  walk({ schema, self: celValue(self), old: celValue(old), path: [] }, finding);
  return finding.problems;
}

function walk(node: Node, finding: Finding): void {
  const { schema, self, path } = node;
  if (!hasType(schema, self)) return;
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    const broken = checkRule(rule, node, finding.sound);
    if (broken !== undefined) finding.problems.push(broken);
  }
  if (Array.isArray(self)) {
    finding.problems.push(...doubles(schema, self, path));
    self.forEach((item, at) => {
      const old = formerItem(schema, item, node.old);
      if (schema.items !== undefined) walk({ schema: schema.items, self: item, old, path: [...path, at] }, finding);
    });
  } else if (isMap(self)) {
    for (const [key, value] of Object.entries(self)) {
      const below = own(schema.properties, key) ?? schema.additionalProperties;
      const old = isMap(node.old) ? own(node.old, key) : undefined;
      if (below !== undefined) walk({ schema: below, self: value, old, path: [...path, key] }, finding);
    }
  }
}

function checkRule(rule: CelRule, node: Node, sound: boolean): Problem | undefined {
  const aboutChange = /\boldSelf\b/.test(rule.rule);
  if (aboutChange && node.old === undefined) return undefined;
  const context = aboutChange ? { self: node.self, oldSelf: node.old } : { self: node.self };
  try {
    if (expression(rule.rule)(context) === true) return undefined;
  } catch {
    if (!sound) return undefined;
  }
  const steps = [...(rule.fieldPath ?? '').matchAll(/\.([^.[]+)|\['([^']+)'\]/g)].map(
    ([, name, key]) => name ?? key ?? '',
  );
  let value = node.self;
  for (const step of steps) value = isMap(value) ? own(value, step) : undefined;
  return problemAt([...node.path, ...steps], plainValue(value), messageOf(rule, context));
}

function messageOf(rule: CelRule, context: Record<string, unknown>): string {
  if (rule.messageExpression === undefined) return rule.message;
  try {
    const message = expression(rule.messageExpression)(context);
    return typeof message === 'string' ? message : rule.message;
  } catch {
    return rule.message;
  }
}

function expression(source: string): Expression {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const made = environment.parse(source) as Expression;
  compiled.set(source, made);
  return made;
}

function doubles(schema: StructuralSchema, items: readonly unknown[], path: Path): Problem[] {
  const kind = schema['x-kubernetes-list-type'];
  if (kind !== 'set' && kind !== 'map') return [];
  const seen = new Set<unknown>();
  const problems: Problem[] = [];
  items.forEach((item, at) => {
    const key = kind === 'set' ? item : mapKey(schema, item);
    const place = kind === 'set' ? [...path, at] : [...path, at, ...(schema['x-kubernetes-list-map-keys'] ?? [])];
    if (key === undefined) return;
    if (seen.has(key)) problems.push(problemAt(place, plainValue(key), 'is there twice: each may be listed once'));
    seen.add(key);
  });
  return problems;
}

function formerItem(schema: StructuralSchema, item: unknown, old: unknown): unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return undefined;
  const key = mapKey(schema, item);
  return key === undefined ? undefined : old.find((former) => mapKey(schema, former) === key);
}

/** The identity of an item of a list-map; our lists have one key each. */
function mapKey(schema: StructuralSchema, item: unknown): unknown {
  const name = schema['x-kubernetes-list-map-keys']?.[0];
  return name !== undefined && isMap(item) ? own(item, name) : undefined;
}

function hasType(schema: StructuralSchema, value: unknown): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) return typeof value === 'bigint' || typeof value === 'string';
  switch (schema.type) {
    case 'object':
      return isMap(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return typeof value === 'bigint';
    case 'number':
      return typeof value === 'bigint' || typeof value === 'number';
    case 'string':
    case 'boolean':
      return typeof value === schema.type;
    default:
      return true;
  }
}

/** CEL's integers are big ones in JavaScript. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, celValue(item)]));
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
