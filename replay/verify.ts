/** Makes every recorded decision again, from its recorded inputs, and compares what comes out. Pure. */
import { step } from '../pilot/supervisor/step.ts';
import type { Plan } from '../server/model/plan.ts';
import { ledgerToPlain, outcomeOf } from '../server/recording.ts';
import { plan } from '../server/reconcile/plan.ts';
import { canonicalJson } from '../shared/ids.ts';
import { toPlain } from '../shared/plain.ts';
import type { JournalRecord } from '../shared/journal-lines.ts';
import { recollect, type Moment } from './recollect.ts';

/** A decision that does not come out as it is recorded. */
export interface Difference {
  readonly file: string;
  readonly line: number;
  readonly n: number;
  /** Whose decision it is. */
  readonly of: string;
  /** What is different, a line each. */
  readonly what: readonly string[];
}

export interface Verified {
  /** Decisions that were made again. */
  readonly rerun: number;
  /** Decisions that build on records which are no longer there. */
  readonly unfounded: number;
  /** Decisions of another version of Navigator, by version: its rules are not these, and nothing is said of them. */
  readonly otherVersions: Readonly<Record<string, number>>;
  /** The first that came out differently; nothing after it was looked at. */
  readonly difference?: Difference;
}

/** Verifies one journal as the Navigator of this version. */
export function verify(records: readonly JournalRecord[], version: string): Verified {
  let rerun = 0;
  let unfounded = 0;
  let writer = '';
  const otherVersions: Record<string, number> = {};
  for (const moment of recollect(records)) {
    if (moment.kind === 'header') writer = moment.header.navigator;
    if (moment.kind === 'unfounded') unfounded++;
    if (moment.kind !== 'decision' && moment.kind !== 'step') continue;
    if (writer !== version) {
      otherVersions[writer] = (otherVersions[writer] ?? 0) + 1;
      continue;
    }
    rerun++;
    const what = again(moment);
    if (what.length > 0) return { rerun, unfounded, otherVersions, difference: differenceOf(moment, what) };
  }
  return { rerun, unfounded, otherVersions };
}

function differenceOf({ record, body }: Judged, what: readonly string[]): Difference {
  const of = 'member' in body ? `${body.cluster} ${body.member}` : body.cluster;
  return { file: record.file, line: record.line, n: record.n, of, what };
}

type Judged = Extract<Moment, { kind: 'decision' | 'step' }>;

/** What is different; empty: nothing is. */
function again(moment: Judged): readonly string[] {
  try {
    return moment.kind === 'decision' ? planAgain(moment) : stepAgain(moment);
  } catch (thrown) {
    return [`the decision cannot be made on these inputs: ${String(thrown)}`];
  }
}

function planAgain({ body, before, observed, after }: Extract<Moment, { kind: 'decision' }>): readonly string[] {
  const { revision, now, timing } = body;
  const next = plan({ ledger: before, revision, observed, now, timing });
  if (outcomeOf(next) === body.outcome) return [];
  const parts: readonly (readonly [string, unknown, unknown])[] = [
    ['ledger', ledgerToPlain(after), ledgerToPlain(next.ledger)],
    ['holds', body.holds, next.holds],
    ['actions', body.actions, actionsOf(next)],
    ['settled', body.settled, next.settled],
  ];
  const what = parts.flatMap(([name, recorded, made]) => compare(name, recorded, made));
  return what.length > 0 ? what : ['what is said of it, or when it is looked at again'];
}

function actionsOf({ actions }: Plan): readonly unknown[] {
  return actions.filter(({ kind }) => kind !== 'say_desired');
}

function stepAgain({ body, before, event, after, effects }: Extract<Moment, { kind: 'step' }>): readonly string[] {
  const next = step(before, event, body.nowMs);
  return [...compare('state', toPlain(after), toPlain(next.state)), ...compare('effects', effects, next.effects)];
}

function compare(name: string, recorded: unknown, made: unknown): readonly string[] {
  const [was, is] = [canonicalJson(recorded), canonicalJson(made)];
  if (was === is) return [];
  let at = 0;
  while (was[at] === is[at]) at++;
  const from = Math.max(0, at - 40);
  const excerpt = (text: string): string => text.slice(from, from + 160);
  return [`${name} recorded: …${excerpt(was)}`, `${name} now:      …${excerpt(is)}`];
}
