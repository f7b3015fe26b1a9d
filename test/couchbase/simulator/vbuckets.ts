/**
 * Where the vBuckets of a bucket are, and where they ought to be. Pure. A vBucket has one active copy and as many
 * replicas as the bucket asks for and the nodes allow, each on another node.
 */

/** For each vBucket: the node of its active copy first, then those of its replicas. An empty name: there is none. */
export type BucketMap = readonly (readonly string[])[];

/** The vBucket of a key among `count`. Not Couchbase's own function: no client but the tests asks. */
export function vBucketOf(key: string, count: number): number {
  let hash = 2166136261;
  for (const character of key) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619) >>> 0;
  return hash % count;
}

/** A map of `count` vBuckets that are nowhere yet. */
export function emptyMap(count: number): BucketMap {
  return Array.from({ length: count }, () => []);
}

/** The server group of a node. */
export type GroupOf = (node: string) => string;

/**
 * A map that spreads everything evenly over `nodes`, and moves little of what `before` has. Copies are in different groups as
 * far as there are any.
 */
export function spread(
  before: BucketMap,
  nodes: readonly string[],
  replicas: number,
  groupOf: GroupOf = () => '',
): BucketMap {
  const copies = Math.min(replicas, nodes.length - 1);
  const rows = before.map((row) => row.filter((name) => nodes.includes(name)));
  for (let place = 0; place <= copies; place += 1) fill(rows, nodes, { place, groupOf });
  return rows.map((row) => [...row.slice(0, copies + 1), ...Array<string>(replicas - copies).fill('')]);
}

/** Makes the place `place` of every row even over the nodes, without putting a node into a row twice. */
function fill(
  rows: string[][],
  nodes: readonly string[],
  { place, groupOf }: { readonly place: number; readonly groupOf: GroupOf },
): void {
  const groups = new Set(nodes.map(groupOf)).size;
  const isApart = (row: readonly string[], node: string): boolean =>
    place === 0 || place >= groups || !row.slice(0, place).some((other) => groupOf(other) === groupOf(node));
  const load = new Map(nodes.map((node) => [node, 0]));
  const most = Math.ceil(rows.length / nodes.length);
  const waiting: string[][] = [];
  for (const row of rows) {
    const node = row[place];
    if (node !== undefined && load.get(node)! < most && isApart(row, node)) load.set(node, load.get(node)! + 1);
    else waiting.push(row);
  }
  for (const row of waiting) {
    const free = nodes.filter((node) => !row.slice(0, place).includes(node));
    const apart = free.filter((node) => isApart(row, node));
    const from = apart.length > 0 ? apart : free;
    const lightest = from.toSorted((a, b) => load.get(a)! - load.get(b)! || (a < b ? -1 : 1))[0]!;
    const at = row.indexOf(lightest, place);
    if (at >= 0) row.splice(at, 1);
    row.splice(place, 0, lightest);
    load.set(lightest, load.get(lightest)! + 1);
  }
}

/** The map after these nodes are gone at once: a replica becomes active, or nothing does. */
export function promote(map: BucketMap, gone: readonly string[]): BucketMap {
  return map.map((row) => {
    const left = row.filter((node) => node !== '' && !gone.includes(node));
    return [...left, ...Array<string>(row.length - left.length).fill('')];
  });
}

/** The map after the active copies of one node have changed places with a replica each. */
export function handOver(map: BucketMap, node: string): BucketMap {
  return map.map((row) => {
    const other = row.findIndex((name, place) => place > 0 && name !== '');
    if (row[0] !== node || other < 0) return row;
    const next = [...row];
    [next[0], next[other]] = [row[other]!, node];
    return next;
  });
}

/** The places of the vBuckets that differ between two maps. */
export function moves(from: BucketMap, to: BucketMap): readonly number[] {
  return from.flatMap((row, vb) => (row.join() === to[vb]!.join() ? [] : [vb]));
}

/** Active copies on one node that have no other copy anywhere. */
export function loneActives(map: BucketMap, node: string): number {
  return map.filter((row) => row[0] === node && row.slice(1).every((name) => name === '')).length;
}
