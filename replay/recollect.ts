/** Reads decisions back from their records: inputs and outcome whole, as they were when they were made. Pure. */
import type { NoteBody, StepBody } from '../pilot/recording.ts';
import type { Effect, Event, State } from '../pilot/supervisor/step.ts';
import type { Ledger } from '../server/model/ledger.ts';
import type { Observation } from '../server/model/observation.ts';
import type { Permit } from '../server/model/permit.ts';
import type { DecisionBody, RulingBody, WorkBody, WrittenBody } from '../server/recording.ts';
import { changed } from '../shared/change.ts';
import type { Header, JournalRecord } from '../shared/journal-lines.ts';
import { fromPlain, type Plain } from '../shared/plain.ts';

/** One record, understood. What it builds on may be in no record any more: then it is `unfounded`. */
export type Moment = { readonly record: JournalRecord } & (
  | { readonly kind: 'header'; readonly header: Header }
  | { readonly kind: 'gap'; readonly lost: number; readonly why: string }
  | ({ readonly kind: 'decision'; readonly body: DecisionBody; readonly observed: Observation } & LedgerStep)
  | ({ readonly kind: 'ruling'; readonly body: RulingBody } & LedgerStep)
  | { readonly kind: 'work'; readonly body: WorkBody }
  | {
      readonly kind: 'step';
      readonly body: StepBody;
      readonly event: Event;
      readonly before: State;
      readonly after: State;
      readonly effects: readonly Effect[];
    }
  | { readonly kind: 'note'; readonly what: string; readonly body: NoteBody }
  | { readonly kind: 'unfounded' }
);

interface LedgerStep {
  readonly before: Ledger;
  readonly after: Ledger;
  /** False: the ledger was not written, as far as the journal knows, and nothing of it was done. */
  readonly written: boolean;
}

interface Known {
  ledger?: Plain | undefined;
  observed?: Plain | undefined;
  pending?: { readonly of: number; readonly after: Plain } | undefined;
}

/** The records of one journal, in order. */
export function recollect(records: readonly JournalRecord[]): readonly Moment[] {
  const written = new Set(
    records.flatMap(({ kind, body }) => {
      const word = body as unknown as WrittenBody;
      return kind === 'written' && word.written ? [word.of] : [];
    }),
  );
  const clusters = new Map<string, Known>();
  const lives = new Map<string, Plain>();
  return records.flatMap((record): readonly Moment[] => {
    const body = record.body as unknown;
    switch (record.kind) {
      case 'header':
        return [{ record, kind: 'header', header: body as Header }];
      case 'gap':
        return [{ record, kind: 'gap', ...(body as { lost: number; why: string }) }];
      case 'decision':
      case 'ruling':
        return [ledgerMoment(record, clusters, written.has(record.n))];
      case 'written':
        settle(clusters, body as WrittenBody);
        return [];
      case 'work':
        return [{ record, kind: 'work', body: body as WorkBody }];
      case 'step':
        return [stepMoment(record, lives)];
      default:
        return [{ record, kind: 'note', what: record.kind, body: body as NoteBody }];
    }
  });
}

function settle(clusters: Map<string, Known>, { cluster, of, written }: WrittenBody): void {
  const known = clusters.get(cluster);
  if (written && known?.pending?.of === of) known.ledger = known.pending.after;
}

function ledgerMoment(record: JournalRecord, clusters: Map<string, Known>, written: boolean): Moment {
  const body = record.body as unknown as DecisionBody | RulingBody;
  const known = clusters.get(body.cluster) ?? {};
  clusters.set(body.cluster, known);
  const ledger = changed(known.ledger, body.ledger);
  const after = changed(ledger, body.after);
  known.ledger = ledger;
  known.pending = after === undefined ? undefined : { of: record.n, after };
  if ('observed' in body) known.observed = changed(known.observed, body.observed);
  if (ledger === undefined || after === undefined) return { record, kind: 'unfounded' };
  const step = { before: ledgerOf(ledger), after: ledgerOf(after), written: written || body.after === 'same' };
  if (!('observed' in body)) return { record, kind: 'ruling', body, ...step };
  if (known.observed === undefined) return { record, kind: 'unfounded' };
  const same = body.after === 'same' ? { ...step, after: step.before } : step;
  return { record, kind: 'decision', body, observed: fromPlain(known.observed) as Observation, ...same };
}

function ledgerOf(plain: Plain): Ledger {
  const ledger = fromPlain(plain) as Omit<Ledger, 'permits'> & { permits: Map<string, Permit> | readonly Permit[] };
  return { ...ledger, permits: [...(ledger.permits instanceof Map ? ledger.permits.values() : ledger.permits)] };
}

function stepMoment(record: JournalRecord, lives: Map<string, Plain>): Moment {
  const body = record.body as unknown as StepBody;
  const life = `${body.cluster} ${body.member} ${body.incarnation}`;
  const before = changed(lives.get(life), body.state);
  const after = changed(before, body.after);
  if (before === undefined || after === undefined) return { record, kind: 'unfounded' };
  lives.set(life, after);
  const [was, is] = [fromPlain(before) as State, fromPlain(after) as State];
  const effects = fromPlain(body.effects) as readonly Effect[];
  return { record, kind: 'step', body, event: fromPlain(body.event) as Event, before: was, after: is, effects };
}
