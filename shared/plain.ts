/**
 * Values as JSON that gives back what went in: maps in their order, what is not finite, bigints, undefined.
 * What JSON has itself stays as it is, so that a person and jq can read it.
 */
import { NavigatorError } from './errors.ts';

/** What JSON can say. */
export type Plain = null | boolean | number | string | readonly Plain[] | PlainObject;
export interface PlainObject {
  readonly [key: string]: Plain;
}

/** The same value in JSON's own words. An object whose only key begins with `~` stands for something that JSON lacks. */
export function toPlain(value: unknown): Plain {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (Object.is(value, -0)) return { '~number': '-0' };
    return Number.isFinite(value) ? value : { '~number': String(value) };
  }
  if (typeof value === 'bigint') return { '~bigint': String(value) };
  if (value === undefined) return { '~undefined': true };
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Map) return mapToPlain([...(value as Map<unknown, unknown>)]);
  if (typeof value === 'object') return objectToPlain(Object.entries(value));
  throw new NavigatorError('internal', `a ${typeof value} cannot be written down`);
}

/** The value that `toPlain` was given. */
export function fromPlain(plain: Plain): unknown {
  if (!isPlainObject(plain)) return Array.isArray(plain) ? plain.map(fromPlain) : plain;
  const [only, ...more] = Object.entries(plain);
  if (only === undefined || more.length > 0 || !only[0].startsWith('~')) return membersOf(plain);
  const [tag, content] = only;
  switch (tag) {
    case '~number':
      return Number(content);
    case '~bigint':
      return BigInt(content as string);
    case '~undefined':
      return undefined;
    case '~map':
      return new Map(Object.entries(membersOf(content as PlainObject)));
    case '~entries':
      return new Map(fromPlain(content) as [unknown, unknown][]);
    case '~object':
      return Object.fromEntries(fromPlain(content) as [string, unknown][]);
    default:
      throw new NavigatorError('invalid', `nothing is known of ${tag}`);
  }
}

export function isPlainObject(plain: Plain | undefined): plain is PlainObject {
  return typeof plain === 'object' && plain !== null && !Array.isArray(plain);
}

function membersOf(plain: PlainObject): object {
  return Object.fromEntries(Object.entries(plain).map(([key, part]) => [key, fromPlain(part)]));
}

/** An object keeps the order of its keys, except of those that look like numbers: such a map is a list of pairs. */
function mapToPlain(entries: readonly (readonly [unknown, unknown])[]): Plain {
  const members = Object.fromEntries(entries.map(([key, part]) => [String(key), toPlain(part)]));
  const keys = Object.keys(members);
  const kept = keys.length === entries.length && entries.every(([key], index) => key === keys[index]);
  return kept ? { '~map': members } : { '~entries': entries.map((pair) => pair.map(toPlain)) };
}

function objectToPlain(entries: readonly (readonly [string, unknown])[]): Plain {
  if (entries.some(([key]) => key.startsWith('~'))) return { '~object': entries.map((pair) => pair.map(toPlain)) };
  return Object.fromEntries(entries.map(([key, part]) => [key, toPlain(part)]));
}
