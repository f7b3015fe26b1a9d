/** Views of the server as tables for people. Pure: views → lines. What is unknown is shown as `?`, never as 0. */
import Table from 'cli-table3';
import type { Cluster, Event, Hold, Member, Permit, WhyResponse } from './client.ts';
import { writeDuration } from './duration.ts';
import type { Colors } from './surroundings.ts';

/** What stands where a value is not known. */
export const unknown = '?';

/** One place in a table. It is painted after it has been made to fit. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/** The columns of a table and the room that they have. */
export interface TableShape {
  readonly titles: readonly string[];
  /** How narrow each of the last columns may be cut where a line is wider than the width; in need, narrower still. */
  readonly flexible: readonly number[];
  /** Columns of the terminal; absent: as wide as it comes. */
  readonly width?: number | undefined;
}

const gap = 2;
const flexibleMin = 8;

/** A few words, and the name of any hold. */
export const floors = { words: 12, hold: 27 } as const;

const nothing = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '' } as const;
const noBottom = { bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' } as const;
const noLines = { left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' } as const;

/** Lines of a table without borders; columns that do not fit are cut with `…`, the widest first. */
export function renderTable(shape: TableShape, rows: readonly (readonly Cell[])[]): readonly string[] {
  const widths = fittingWidths(shape, rows);
  const table = new Table({
    chars: { ...nothing, ...noBottom, ...noLines, middle: ' '.repeat(gap) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    head: shape.titles.map((title, column) => cut(title, widths[column])),
  });
  for (const row of rows) table.push(row.map((cell, column) => painted(cell, widths[column])));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

function painted({ text, paint }: Cell, width: number | undefined): string {
  const fitted = cut(oneLine(text), width);
  return paint === undefined || fitted === '' ? fitted : paint(fitted);
}

/** Cuts a plain text to a width, with `…` at its end. */
export function cut(text: string, width: number | undefined): string {
  if (width === undefined || text.length <= width) return text;
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function fittingWidths(shape: TableShape, rows: readonly (readonly Cell[])[]): readonly number[] {
  const { titles, flexible, width } = shape;
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => oneLine(row[column]?.text ?? '').length)),
  );
  if (width === undefined) return widths;
  const total = widths.reduce((sum, part) => sum + part, (titles.length - 1) * gap);
  const first = titles.length - flexible.length;
  const left = shrink(widths, first, flexible, total - width);
  shrink(
    widths,
    first,
    flexible.map(() => flexibleMin),
    left,
  );
  return widths;
}

/** Takes the excess from the widest column, again and again, down to the floors; answers with what is left of it. */
function shrink(widths: number[], first: number, floors: readonly number[], excess: number): number {
  for (let left = excess; left > 0; left--) {
    const room = floors.map((floor, index) => ({ column: first + index, width: widths[first + index] ?? 0, floor }));
    const [widest] = room.filter(({ width, floor }) => width > floor).toSorted((a, b) => b.width - a.width);
    if (widest === undefined) return left;
    widths[widest.column] = widest.width - 1;
  }
  return 0;
}

/** A count as people read it; `?` where it is unknown. */
export function count(value: bigint | undefined): string {
  return value === undefined ? unknown : value.toString();
}

/** A wire enum's value as a word, `?` where it is unspecified: HEALTH_GREEN is green. */
export function word(value: string): string {
  if (value.endsWith('_UNSPECIFIED') || value === 'UNRECOGNIZED') return unknown;
  return value
    .replace(/^(HEALTH|VERB|PERMIT_STATE|DESIRED_PHASE)_/, '')
    .toLowerCase()
    .replaceAll('_', ' ');
}

/** Paints a health in its own colour, and red-alerts nothing that is unknown. */
export function healthPaint(health: string, colors: Colors): (text: string) => string {
  const paints: Readonly<Record<string, (text: string) => string>> = {
    green: colors.green,
    yellow: colors.yellow,
    red: colors.red,
  };
  return paints[word(health)] ?? colors.dim;
}

/** The marks of a cluster that does not simply run: Paused, Deleting. */
export function stateOf(cluster: Cluster): string {
  return [cluster.paused ? 'Paused' : '', cluster.deleting ? 'Deleting' : ''].filter((mark) => mark !== '').join(', ');
}

/** `namespace/name`. */
export function keyOf(cluster: { readonly namespace: string; readonly name: string }): string {
  return `${cluster.namespace}/${cluster.name}`;
}

/** A hold as `name: message`, the member in front where `withMember`. */
export function holdText(hold: Hold, withMember = false): string {
  const member = withMember && hold.member !== '' ? `${hold.member}: ` : '';
  return `${member}${hold.name}: ${hold.message}`;
}

/** The first hold in words, and how many more there are; empty where nothing holds. */
export function firstHold(holds: readonly Hold[]): string {
  const [first, ...more] = holds;
  if (first === undefined) return '';
  return `${holdText(first)}${more.length > 0 ? ` (and ${more.length} more)` : ''}`;
}

/** What `get clusters` shows. */
export function clusterTable(clusters: readonly Cluster[], colors: Colors, width?: number): readonly string[] {
  const titles = ['NAMESPACE', 'NAME', 'HEALTH', 'VERSION', 'READY', 'LEADER', 'TERM', 'DOCS', 'STATE', 'DOING'];
  const rows = clusters.map((cluster): readonly Cell[] => [
    { text: cluster.namespace },
    { text: cluster.name },
    { text: word(cluster.health), paint: healthPaint(cluster.health, colors) },
    { text: cluster.version || unknown },
    readyCell(cluster, colors),
    { text: cluster.leader || 'nobody' },
    { text: cluster.term.toString() },
    { text: count(cluster.documents) },
    { text: stateOf(cluster), paint: colors.magenta },
    { text: cluster.doing.join('; ') },
  ]);
  return renderTable({ titles, flexible: [floors.words], width }, rows);
}

function readyCell({ readyMembers, desiredMembers }: Cluster, colors: Colors): Cell {
  const text = `${readyMembers}/${desiredMembers}`;
  return readyMembers === desiredMembers ? { text } : { text, paint: colors.yellow };
}

/** What `get members` shows. `nowMs` is wall time. */
export function memberTable(members: readonly Member[], nowMs: number, width?: number): readonly string[] {
  const titles = ['NAME', 'POOL', 'ROLES', 'PHASE', 'READY', 'VERSION', 'SHARDS', 'DOCS'];
  titles.push('LEADER', 'RESTARTS', 'HEARD', 'DOING', 'HELD BY');
  const rows = members.map((member): readonly Cell[] =>
    [
      member.name,
      member.pool,
      member.roles.join(','),
      member.phase || unknown,
      member.ready ? 'yes' : 'no',
      member.version || unknown,
      count(member.shards),
      count(member.documents),
      member.leader ? '*' : '',
      member.lastHeartbeat === undefined ? unknown : String(member.restarts),
      ago(member.lastHeartbeat, nowMs),
      member.doing,
      firstHold(member.holds),
    ].map((text) => ({ text })),
  );
  return renderTable({ titles, flexible: [floors.words, floors.hold], width }, rows);
}

/** What `get permits` shows. `nowMs` is wall time. */
export function permitTable(permits: readonly Permit[], nowMs: number, width?: number): readonly string[] {
  const titles = ['ID', 'MEMBER', 'VERB', 'STATE', 'ASKED', 'CHANGED', 'DECIDED BY', 'REASON', 'HELD BY'];
  const rows = permits.map((permit): readonly Cell[] =>
    [
      permit.id,
      permit.member,
      word(permit.verb),
      word(permit.state),
      ago(permit.requestedAt, nowMs),
      ago(permit.changedAt, nowMs),
      permit.decidedBy,
      permit.reason,
      firstHold(permit.holds),
    ].map((text) => ({ text })),
  );
  return renderTable({ titles, flexible: [floors.words, floors.hold], width }, rows);
}

function ago(at: Date | undefined, nowMs: number): string {
  return at === undefined ? unknown : `${writeDuration(nowMs - at.getTime())} ago`;
}

/** What `why` says of a cluster or a member: what is done, then every hold in words. */
export function whyLines(of: string, { doing, holds }: WhyResponse): readonly string[] {
  const doings = doing.length === 0 ? [] : ['doing:', ...doing.map((line) => `  ${line}`)];
  if (holds.length === 0) return [...doings, `nothing holds ${of}`];
  return [...doings, `${of} is held by:`, ...holds.map((hold) => `  ${holdText(hold, true)}`)];
}

/** An event as one line. */
export function eventLine({ at, cluster, member, kind, message }: Event): string {
  return [at?.toISOString() ?? unknown, cluster, member, kind, oneLine(message)]
    .filter((part) => part !== '')
    .join(' ');
}
