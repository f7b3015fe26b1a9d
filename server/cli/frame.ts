/** The picture of `navigator up` on a terminal. Pure: views and a size → lines. */
import { stripVTControlCharacters } from 'node:util';
import type { Cluster, Event, Member } from './client.ts';
import type { Colors } from './surroundings.ts';
import {
  count,
  cut,
  eventLine,
  firstHold,
  floors,
  healthPaint,
  holdText,
  keyOf,
  renderTable,
  stateOf,
  unknown,
  word,
  type Cell,
} from './tables.ts';

/** One cluster with its members, read at about the same moment. */
export interface ClusterPicture {
  readonly cluster: Cluster;
  readonly members: readonly Member[];
}

/** All that one frame shows. */
export interface Picture {
  /** Absent until the server has answered for the first time. */
  readonly clusters: readonly ClusterPicture[] | undefined;
  /** Newest last. */
  readonly events: readonly Event[];
  /** Why what is shown may be old; empty while the server answers. */
  readonly away: string;
}

/** The terminal, in characters. */
export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
}

/** How many of the last events a frame shows at most. */
export const eventsShown = 5;

/** Columns from which on a member with all that is said of it stands on one line. */
const wideFrom = 110;

/**
 * The lines of a picture, none wider than the size. Where they are too many, events give way first, then members that
 * are ready, idle and not held: what wants a person's eye always stays.
 */
export function renderFrame(picture: Picture, size: FrameSize, colors: Colors): readonly string[] {
  const room = Math.max(1, size.rows - 1);
  const whole = clusterLines(picture.clusters, size, colors);
  const top = picture.away === '' ? [] : [colors.red(cut(picture.away, size.columns))];
  const full = top.length + whole.length;
  const calm = full <= room ? whole : clusterLines(picture.clusters, size, colors, full - room);
  const eventRoom = Math.min(eventsShown, room - top.length - calm.length - 1);
  const events = eventRoom > 0 ? picture.events.slice(-eventRoom) : [];
  const bottom =
    events.length === 0 ? [] : ['', ...events.map((event) => colors.dim(cut(eventLine(event), size.columns)))];
  return [...top, ...calm, ...bottom].map((line) => fit(line, size.columns)).slice(0, room);
}

/** A line that is still too wide loses its colours with its end. */
function fit(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= columns ? line : cut(plain, columns);
}

function clusterLines(clusters: Picture['clusters'], size: FrameSize, colors: Colors, excess = 0): readonly string[] {
  if (clusters === undefined) return ['asking the server …'];
  if (clusters.length === 0) return ['no cluster yet: `navigator apply -f FILE` makes one'];
  let over = excess;
  return clusters.flatMap(({ cluster, members }, index) => {
    const calm = members.filter(isCalm);
    // One line is spent on saying how many are left out.
    const hidden =
      over > 0 && calm.length > 1 ? new Set(calm.slice(-Math.min(calm.length, over + 1))) : new Set<Member>();
    if (hidden.size > 0) over -= hidden.size - 1;
    const shown = members.filter((member) => !hidden.has(member));
    return [
      ...(index === 0 ? [] : ['']),
      ...clusterHeader(cluster, size.columns, colors),
      ...clusterNotes(cluster, members, colors),
      ...(shown.length === 0 ? [] : memberLines(shown, size.columns, colors)),
      ...(hidden.size === 0 ? [] : [colors.dim(`  … ${hidden.size} more are ready, with nothing to do`)]),
    ];
  });
}

function isCalm(member: Member): boolean {
  return member.ready && !member.leader && member.doing === '' && member.holds.length === 0;
}

/** Says how a cluster is, on one line where it fits. */
function clusterHeader(cluster: Cluster, columns: number, colors: Colors): readonly string[] {
  const health = word(cluster.health);
  const leader = cluster.leader === '' ? 'no leader' : `leader ${cluster.leader}`;
  const ready = `${cluster.readyMembers}/${cluster.desiredMembers} ready`;
  const state = stateOf(cluster);
  const parts = [
    colors.bold(keyOf(cluster)),
    ...(state === '' ? [] : [colors.magenta(state)]),
    healthPaint(cluster.health, colors)(`health ${health}`),
    cluster.readyMembers === cluster.desiredMembers ? ready : colors.yellow(ready),
    `${cluster.application} ${cluster.version || unknown}`,
    `${leader}, term ${cluster.term}`,
    `${count(cluster.documents)} documents`,
  ];
  return parts.reduce<string[]>((lines, part) => {
    const longer = `${lines.at(-1) ?? ''}  ${part}`;
    if (lines.length === 0) return [part];
    const isFitting = stripVTControlCharacters(longer).length <= columns;
    return isFitting ? [...lines.slice(0, -1), longer] : [...lines, `    ${part}`];
  }, []);
}

/** What is done or held for the cluster as a whole; the rest stands with its member. */
function clusterNotes({ doing, holds }: Cluster, members: readonly Member[], colors: Colors): readonly string[] {
  const names = members.map((member) => `${member.name}: `);
  const own = doing.filter((line) => !names.some((name) => line.startsWith(name)));
  const held = holds.filter((hold) => !members.some((member) => member.name === hold.member));
  return [
    ...own.map((line) => `  doing ${line}`),
    ...held.map((hold) => colors.yellow(`  held by ${holdText(hold, true)}`)),
  ];
}

/** On a narrow terminal what a member does and what holds it stand below it, where there is room for them. */
function memberLines(members: readonly Member[], columns: number, colors: Colors): readonly string[] {
  const isWide = columns >= wideFrom;
  const titles = ['NAME', 'PHASE', 'VERSION', 'SHARDS', 'DOCS', 'LEADER', ...(isWide ? ['DOING', 'HELD BY'] : [])];
  const rows = members.map((member): readonly Cell[] => [
    { text: member.name },
    { text: member.phase || unknown, paint: member.ready ? colors.green : colors.yellow },
    { text: member.version || unknown },
    { text: count(member.shards) },
    { text: count(member.documents) },
    { text: member.leader ? '*' : '' },
    ...(isWide ? [{ text: member.doing }, { text: firstHold(member.holds), paint: colors.yellow }] : []),
  ]);
  const flexible = isWide ? [floors.words, floors.hold] : [];
  const [head = '', ...rest] = renderTable({ titles, flexible, width: columns - 2 }, rows);
  const lines = rest.map((line, index) => [
    `  ${line}`,
    ...(isWide ? [] : notesBelow(members[index], columns, colors)),
  ]);
  return [colors.dim(`  ${head}`), ...lines.flat()];
}

function notesBelow(member: Member | undefined, columns: number, colors: Colors): readonly string[] {
  const held = firstHold(member?.holds ?? []);
  const doing = member?.doing ?? '';
  return [
    ...(doing === '' ? [] : [cut(`      ${doing}`, columns)]),
    ...(held === '' ? [] : [colors.yellow(cut(`      held by ${held}`, columns))]),
  ];
}
