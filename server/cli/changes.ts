/** What is different between two looks at the clusters, for a pipe. Pure. */
import type { Cluster, Hold, Member } from './client.ts';
import type { ClusterPicture } from './frame.ts';
import { count, firstHold, keyOf, unknown, word } from './tables.ts';

/** One difference: of a member, or of the cluster itself where `member` is empty. */
export interface PictureChange {
  /** `namespace/name`. */
  readonly cluster: string;
  readonly member: string;
  /** What is different, in words. */
  readonly text: string;
  /** How it is now; undefined: it is gone. */
  readonly view: Cluster | Member | undefined;
}

type Field = readonly [name: string, value: string];

/** Counts of documents change with every write, so that they are told with other changes only. */
const quiet = ['documents'];

/** Every cluster and member that came, went or changed, in the order of `after`, what is gone last. */
export function changesBetween(
  before: readonly ClusterPicture[],
  after: readonly ClusterPicture[],
): readonly PictureChange[] {
  const was = new Map(before.map((picture) => [keyOf(picture.cluster), picture]));
  const is = new Set(after.map((picture) => keyOf(picture.cluster)));
  const gone = before.filter((picture) => !is.has(keyOf(picture.cluster)));
  return [
    ...after.flatMap((picture) => changesOf(was.get(keyOf(picture.cluster)), picture)),
    ...gone.map(({ cluster }) => ({ cluster: keyOf(cluster), member: '', text: 'is gone', view: undefined })),
  ];
}

function changesOf(before: ClusterPicture | undefined, after: ClusterPicture): readonly PictureChange[] {
  const cluster = keyOf(after.cluster);
  const changes: PictureChange[] = [];
  const own = difference(before && clusterFields(before.cluster), clusterFields(after.cluster));
  if (own !== '') changes.push({ cluster, member: '', text: own, view: after.cluster });
  const was = new Map(before?.members.map((member) => [member.name, member]));
  for (const member of after.members) {
    const old = was.get(member.name);
    const text = difference(old && memberFields(old), memberFields(member));
    if (text !== '') changes.push({ cluster, member: member.name, text, view: member });
    was.delete(member.name);
  }
  for (const name of was.keys()) changes.push({ cluster, member: name, text: 'is gone', view: undefined });
  return changes;
}

function clusterFields(cluster: Cluster): readonly Field[] {
  return [
    ['health', word(cluster.health)],
    ['ready', `${cluster.readyMembers}/${cluster.desiredMembers}`],
    ['version', cluster.version || unknown],
    ['leader', cluster.leader],
    ['term', cluster.term.toString()],
    ['paused', cluster.paused ? 'yes' : ''],
    ['deleting', cluster.deleting ? 'yes' : ''],
    ['documents', count(cluster.documents)],
    ['held by', firstHold(ownHolds(cluster.holds))],
  ];
}

/** Holds of one member are told with that member. */
function ownHolds(holds: readonly Hold[]): readonly Hold[] {
  return holds.filter((hold) => hold.member === '');
}

function memberFields(member: Member): readonly Field[] {
  return [
    ['phase', member.phase || unknown],
    ['version', member.version || unknown],
    ['shards', count(member.shards)],
    ['documents', count(member.documents)],
    ['leader', member.leader ? 'yes' : ''],
    ['doing', member.doing],
    ['held by', firstHold(member.holds)],
  ];
}

function difference(before: readonly Field[] | undefined, after: readonly Field[]): string {
  if (before === undefined) {
    const known = after.filter(([, value]) => value !== '' && value !== unknown);
    return ['appears', ...known.map(([name, value]) => `${name} ${quoted(value)}`)].join(' ');
  }
  const changed = after.filter(([, value], index) => before[index]?.[1] !== value);
  if (changed.every(([name]) => quiet.includes(name))) return '';
  const old = new Map(before);
  return changed.map(([name, value]) => `${name} ${quoted(old.get(name) ?? '')} → ${quoted(value)}`).join(' ');
}

function quoted(value: string): string {
  if (value === '') return '-';
  return /\s/.test(value) ? JSON.stringify(value) : value;
}
