/** Whether two JSON values are the same. */

/**
 * Whether both would be written as the same JSON, the order of keys and the members named in `without` apart.
 * It stops at the first difference and makes nothing: every heartbeat is compared in this way.
 */
export function same(one: unknown, other: unknown, without?: ReadonlySet<string>): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other)) return sameLists(one, other, without);
  const [mine, theirs] = [one as Record<string, unknown>, other as Record<string, unknown>];
  let members = 0;
  for (const key in mine) {
    if (mine[key] === undefined || without?.has(key) === true) continue;
    if (!same(mine[key], theirs[key], without)) return false;
    members++;
  }
  for (const key in theirs) if (theirs[key] !== undefined && without?.has(key) !== true) members--;
  return members === 0;
}

function sameLists(one: object, other: object, without: ReadonlySet<string> | undefined): boolean {
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (!same(one[at], other[at], without)) return false;
  return true;
}
