/** Putting Navigator's own over what somebody has written, and finding it again in what is there. Pure. */

/** The field by which Kubernetes tells the elements of a list apart; undefined: the list is one value. */
function keyField(list: readonly unknown[]): string | undefined {
  if (list.length === 0) return undefined;
  return ['name', 'type', 'uid'].find((field) =>
    list.every((element) => isObject(element) && typeof element[field] === 'string'),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` wins; lists whose elements have names are merged by them, other lists are replaced. */
export function merged(under: unknown, over: unknown): unknown {
  if (Array.isArray(under) && Array.isArray(over)) return mergedLists(under, over);
  if (!isObject(under) || !isObject(over)) return over === undefined ? under : over;
  const keys = new Set([...Object.keys(under), ...Object.keys(over)]);
  return Object.fromEntries([...keys].map((key) => [key, merged(under[key], over[key])]));
}

function mergedLists(under: readonly unknown[], over: readonly unknown[]): readonly unknown[] {
  const key = keyField([...under, ...over]);
  if (key === undefined) return over;
  const named = (list: readonly unknown[], name: unknown): unknown =>
    list.find((element) => isObject(element) && element[key] === name);
  const nameOf = (element: unknown): unknown => (element as Record<string, unknown>)[key];
  const mine = over.map((element) => merged(named(under, nameOf(element)), element));
  return [...mine, ...under.filter((element) => named(over, nameOf(element)) === undefined)];
}

/**
 * What stands in `live` where `shape` says something: the part of an object that is Navigator's. Elements and fields that
 * others have added are not in it; what Navigator's own have been changed to, is.
 */
export function partOf(live: unknown, shape: unknown): unknown {
  if (Array.isArray(shape)) return Array.isArray(live) ? partOfList(live, shape) : live;
  if (!isObject(shape) || !isObject(live)) return live;
  return Object.fromEntries(Object.keys(shape).map((key) => [key, partOf(live[key], shape[key])]));
}

function partOfList(live: readonly unknown[], shape: readonly unknown[]): readonly unknown[] {
  const key = keyField(shape);
  if (key === undefined) {
    return live.length === shape.length ? live.map((element, at) => partOf(element, shape[at])) : live;
  }
  return shape.map((wanted) => {
    const name = (wanted as Record<string, unknown>)[key];
    return partOf(
      live.find((element) => isObject(element) && element[key] === name),
      wanted,
    );
  });
}
