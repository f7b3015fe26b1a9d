/** The step from one plain value to the next, written small. Pure. */
import { isPlainObject, type Plain, type PlainObject } from './plain.ts';

/** Nothing has changed; or what has, where null removes a key; or all of it. */
export type Change = 'same' | { readonly delta: Plain } | { readonly whole: Plain };

/**
 * How `after` is written for a reader who has `before`. A delta that does not give back `after` to the letter, the
 * order of keys included, is not used: the whole is.
 */
export function changeOf(before: Plain | undefined, after: Plain): Change {
  if (before === undefined) return { whole: after };
  const text = JSON.stringify(after);
  if (JSON.stringify(before) === text) return 'same';
  const delta = deltaOf(before, after);
  return JSON.stringify(merged(before, delta)) === text ? { delta } : { whole: after };
}

/** What `changeOf` was given as `after`; undefined where that takes a `before` which this reader does not have. */
export function changed(before: Plain | undefined, change: Change): Plain | undefined {
  if (change !== 'same' && 'whole' in change) return change.whole;
  if (before === undefined || change === 'same') return before;
  return merged(before, change.delta);
}

function deltaOf(before: Plain, after: Plain): Plain {
  if (!isPlainObject(before) || !isPlainObject(after)) return after;
  return objectDelta(before, after);
}

/** Empty where nothing has changed, but perhaps the order of keys. */
function objectDelta(before: PlainObject, after: PlainObject): PlainObject {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const delta: Record<string, Plain> = Object.fromEntries(gone.map((key) => [key, null]));
  for (const [key, part] of Object.entries(after)) {
    const was = Object.hasOwn(before, key) ? before[key] : undefined;
    if (isPlainObject(was) && isPlainObject(part)) {
      const inner = objectDelta(was, part);
      if (Object.keys(inner).length > 0) delta[key] = inner;
    } else if (was === undefined || JSON.stringify(was) !== JSON.stringify(part)) delta[key] = part;
  }
  return delta;
}

function merged(before: Plain, delta: Plain): Plain {
  if (!isPlainObject(delta)) return delta;
  const next: Record<string, Plain> = isPlainObject(before) ? { ...before } : {};
  for (const [key, part] of Object.entries(delta)) {
    if (part === null) Reflect.deleteProperty(next, key);
    else next[key] = merged(next[key] ?? emptyObject, part);
  }
  return next;
}

const emptyObject: PlainObject = {};
