/** The story in words, for people. Pure. */
import type { Evidence } from '../server/model/permit.ts';
import type { TopologyOrder } from '../server/model/couchbase.ts';
import type { SettingsOrder } from '../server/model/plan.ts';
import { fromPlain, type Plain } from '../shared/plain.ts';
import type { Act, HeldBy, Passage } from './story.ts';

/** What a member held, as far as it was known. */
export function evidenceWords(
  evidence: Partial<Omit<Evidence, 'stateVersion'>> & { readonly stateVersion?: number | bigint },
): string {
  const { shards, lastCopies, unassigned, unassignedPrimaries, moving, excluded, allocation } = evidence;
  const { liveVoters, quorum } = evidence;
  const parts = [
    count(shards, 'shards'),
    count(lastCopies, 'last copies'),
    count(moving, 'moving'),
    count(unassigned, 'on no node'),
    count(unassignedPrimaries, 'primaries on no node'),
    excluded === undefined ? '' : excluded ? 'excluded' : 'not excluded',
    allocation === undefined ? '' : `allocation ${allocation}`,
    liveVoters === undefined ? '' : `${liveVoters} voters, ${quorum ?? '?'} must agree`,
  ];
  const known = parts.filter((part) => part !== '').join(', ');
  const version = evidence.stateVersion === undefined ? '' : ` (cluster state ${String(evidence.stateVersion)})`;
  return `evidence: ${known === '' ? 'nothing is known' : known}${version}`;
}

function count(value: number | undefined, what: string): string {
  return value === undefined ? '' : `${value} ${what}`;
}

/** The same, as a pilot has noted it. */
export function noteEvidence(plain: Plain | undefined): string {
  const evidence = plain === undefined ? undefined : (fromPlain(plain) as Partial<Evidence> | undefined);
  return evidenceWords(evidence ?? {});
}

/** One word of a note. */
export function word(plain: Plain | undefined): string {
  return typeof plain === 'string' ? plain : typeof plain === 'number' ? `${plain}` : '?';
}

/** What a leader is told to make true. */
export function orderWords({ term, excluded, allocation, quorum, topology }: SettingsOrder): string {
  if (topology !== undefined) return `term ${term}: ${topologyWords(topology)}`;
  const drained = excluded.length === 0 ? 'nobody is excluded' : `excluded are ${excluded.join(', ')}`;
  const voters = quorum === 0 ? '' : `, ${quorum} voters must agree`;
  return `term ${term}: ${drained}, allocation ${allocation}${voters}`;
}

/** What the leader of a Couchbase cluster does to its nodes and buckets. A journal of before may lack a part. */
function topologyWords(order: Partial<TopologyOrder>): string {
  const {
    add = [],
    recover = [],
    failOver = [],
    unsafe,
    discard = [],
    rebalance,
    eject = [],
    drop = [],
    shrink = [],
  } = order;
  const part = (words: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`${words} ${names.join(', ')}`];
  const said = [
    ...part(
      'add',
      add.map(({ host }) => host),
    ),
    ...part('take back', recover),
    ...part(unsafe === true ? 'fail over with force' : 'fail over', failOver),
    ...part('forget', discard),
    ...(rebalance === true ? ['rebalance'] : []),
    ...part('and take out', eject),
    ...part(
      'drop the buckets',
      drop.map(({ name }) => name),
    ),
    ...part('make the buckets smaller', shrink),
  ];
  return said.length === 0 ? 'nothing is changed in the topology' : said.join(', ');
}

/** An act as people read it: what it is, and a line for everything that is known of it. */
export function actLines(act: Act): readonly string[] {
  const who = [act.cluster, act.member].filter((part) => part !== '').join(' ');
  const lines = [...act.passages.map(passageLine), ...act.held.map(heldLine)].toSorted((a, b) => a.at - b.at);
  const title = `${timeOf(act.at)} ${who === '' ? 'journal' : who}: ${act.act}`;
  return [title, ...sayOnce(lines.map(({ text }) => `  ${text}`))];
}

/** Evidence that is the same as on the line before is not said again. */
function sayOnce(lines: readonly string[]): readonly string[] {
  let last = '';
  return lines.map((line) => {
    const [evidence = ''] = /evidence: .*$/.exec(line) ?? [];
    if (evidence === '' || evidence !== last) {
      last = evidence || last;
      return line;
    }
    return line.replace(evidence, 'the same evidence');
  });
}

interface Line {
  readonly at: number;
  readonly text: string;
}

function passageLine({ at, what, words }: Passage): Line {
  return { at, text: `${timeOf(at).slice(11)} ${what.padEnd(7)} ${words}`.trimEnd() };
}

function heldLine({ name, message, from, to, open }: HeldBy): Line {
  const length = `${((to - from) / 1_000).toFixed(1)} s${open ? ' so far' : ''}`;
  return { at: from, text: `${timeOf(from).slice(11)} held    ${length} by ${name}: ${message}` };
}

function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
