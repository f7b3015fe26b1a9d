/**
 * What one cluster's loop decides, as the flight recorder's journal keeps it: inputs and outcome of every pass that
 * decides something new. The inputs are whole, or what of them has changed since the last record, so that `plan` can be
 * run over them again.
 */
import { changeOf, type Change } from '../shared/change.ts';
import { digest } from '../shared/ids.ts';
import type { Recorder } from '../shared/journal.ts';
import { toPlain, type Plain, type PlainObject } from '../shared/plain.ts';
import { same } from '../shared/same.ts';
import type { Hold } from './model/hold.ts';
import type { Ledger } from './model/ledger.ts';
import type { Action, Plan, SettingsOrder } from './model/plan.ts';
import type { Now, Timing } from './model/timing.ts';
import type { PlanInput } from './reconcile/plan.ts';

/** A pass. `ledger` and `observed` are for who has those of the record before it of the same cluster. */
export interface DecisionBody {
  readonly cluster: string;
  readonly revision: number;
  readonly now: Now;
  readonly timing: Timing;
  readonly ledger: Change;
  readonly observed: Change;
  /** The ledger that was decided on, for who has `ledger`. It counts once it is written. */
  readonly after: Change;
  readonly holds: readonly Hold[];
  /** What was to be done, but for what members are meant to be. */
  readonly actions: readonly Action[];
  readonly settled: boolean;
  /** Stands for everything that `plan` gave. */
  readonly outcome: string;
}

/** A change that a person has asked for. */
export interface RulingBody {
  readonly cluster: string;
  readonly revision: number;
  readonly ledger: Change;
  readonly after: Change;
}

/** What became of the ledger that the last decision or ruling of the cluster was to write. */
export interface WrittenBody {
  readonly cluster: string;
  readonly of: number;
  /** False: somebody else has changed the ledger first, and the decision was thrown away. */
  readonly written: boolean;
}

/** What became of work for the runtime. */
export interface WorkBody {
  readonly cluster: string;
  readonly member: string;
  readonly action: string;
  /** Empty: it is done. */
  readonly trouble: string;
}

/** Stands for everything in a plan. */
export function outcomeOf(plan: Plan): string {
  return digest(toPlain(plan));
}

/** A ledger as it is written down: its permits by their ids, so that a change of one of them is small. */
export function ledgerToPlain(ledger: Ledger): Plain {
  const permits = new Map(ledger.permits.map((permit) => [permit.id, permit]));
  return toPlain(permits.size === ledger.permits.length ? { ...ledger, permits } : ledger);
}

interface Ledgers {
  readonly before: Plain;
  /** The same object where the ledger is. */
  readonly after: Plain;
}

function ledgersOf(ledger: Ledger, next: Ledger): Ledgers {
  const before = ledgerToPlain(ledger);
  return { before, after: ledger === next ? before : ledgerToPlain(next) };
}

export class ClusterRecording {
  readonly #cluster: string;
  readonly #recorder: Recorder;
  #segment = 0;
  #ledger: Plain | undefined;
  #observed: Plain | undefined;
  /** What the last record was to make of the ledger. */
  #pending: { readonly of: number; readonly after: Plain } | undefined;
  #said: unknown;
  #ordered: unknown;

  constructor(cluster: string, recorder: Recorder) {
    this.#cluster = cluster;
    this.#recorder = recorder;
  }

  /** Why nothing can be written now, once that has been tried again; undefined: it can. */
  trouble(): string | undefined {
    if (this.#recorder.trouble !== '') this.#recorder.retry();
    return this.#recorder.trouble || undefined;
  }

  /**
   * Writes a pass down where it decides anything new, before any of it takes effect. False: it could not be written
   * and takes something away, so that nothing of it may be done. A plan that was made knowing that nothing can be
   * written has left that out already.
   */
  decided(input: PlanInput, next: Plan): boolean {
    const said = wordsOf(next);
    if (next.ledger === input.ledger && same(said, this.#said)) return true;
    const { revision, now, timing } = input;
    const { unrecordable } = input.observed;
    const { holds, settled } = next;
    const plain: { observed?: Plain; ledgers?: Ledgers } = {};
    const ordered = next.actions.filter(({ kind }) => kind === 'say_order');
    const durably = !same(ordered, this.#ordered) || isGrave(input.ledger, next);
    const recorded = this.#append('decision', durably, () => {
      const actions = next.actions.filter(({ kind }) => kind !== 'say_desired');
      const observed = (plain.observed = toPlain(input.observed));
      const ledgers = (plain.ledgers = ledgersOf(input.ledger, next.ledger));
      const words = { cluster: this.#cluster, revision, now, timing, ...this.#stepOf(ledgers) };
      return {
        ...words,
        observed: changeOf(this.#observed, observed),
        holds,
        actions,
        settled,
        outcome: outcomeOf(next),
      } satisfies DecisionBody;
    });
    if (recorded === undefined) return unrecordable !== undefined || !takesAway(input.ledger, next);
    this.#said = said;
    this.#ordered = ordered;
    this.#observed = plain.observed;
    this.#pend(recorded, plain.ledgers);
    return true;
  }

  /** Writes down what a person has asked for. People are obeyed unrecorded where it must be: a pause cannot wait. */
  ruled(before: Ledger, after: Ledger, revision: number): void {
    let ledgers: Ledgers | undefined;
    const recorded = this.#append('ruling', true, () => {
      ledgers = ledgersOf(before, after);
      return { cluster: this.#cluster, revision, ...this.#stepOf(ledgers) } satisfies RulingBody;
    });
    if (recorded !== undefined) this.#pend(recorded, ledgers);
  }

  /** Says what became of the ledger of the last decision. */
  written(written: boolean): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    const body: WrittenBody = { cluster: this.#cluster, of: pending.of, written };
    const recorded = this.#append('written', false, () => body);
    // Where this very record began a segment, a reader of that segment has no ledger yet.
    if (recorded !== undefined && written && this.#ledger !== undefined) this.#ledger = pending.after;
  }

  /** Says what became of work for the runtime. */
  worked(member: string, action: string, trouble: string): void {
    const body: WorkBody = { cluster: this.#cluster, member, action, trouble };
    this.#append('work', false, () => body);
  }

  #stepOf({ before, after }: Ledgers): { readonly ledger: Change; readonly after: Change } {
    return { ledger: changeOf(this.#ledger, before), after: before === after ? 'same' : changeOf(before, after) };
  }

  /** Without ledgers where the recorder keeps nothing, and so has asked for none. */
  #pend(of: number, ledgers: Ledgers | undefined): void {
    this.#ledger = ledgers?.before;
    this.#pending =
      ledgers === undefined || ledgers.before === ledgers.after ? undefined : { of, after: ledgers.after };
  }

  /** In a new segment, and after a record that is lost, everything is written whole again. */
  #append(kind: string, durably: boolean, body: () => object): number | undefined {
    try {
      return this.#recorder.append(
        kind,
        (segment) => {
          if (segment !== this.#segment) this.#forget();
          this.#segment = segment;
          return body() as PlainObject;
        },
        durably,
      );
    } catch {
      this.#forget();
      return undefined;
    }
  }

  #forget(): void {
    this.#ledger = undefined;
    this.#observed = undefined;
    this.#said = undefined;
    this.#ordered = undefined;
  }
}

/** What a plan says that people would call new: names and targets, not how many shards are left. */
function wordsOf({ actions, holds, settled }: Plan): unknown {
  const said = actions.flatMap((action): unknown => {
    switch (action.kind) {
      case 'say_desired':
        return [];
      case 'say_decision': {
        const { permitId, state, holds: names, term } = action.decision;
        return { permitId, state, term, holds: names.map(nameOf) };
      }
      case 'create_member':
      case 'replace_member':
      case 'remove_member':
        return { kind: action.kind, member: action.record.name };
      default:
        return action;
    }
  });
  return { said, holds: holds.map(nameOf), settled };
}

function nameOf(hold: Hold): string {
  return `${hold.name} ${hold.member}`;
}

/** Whether a plan grants a permit, lets one be used, or removes anything. */
function takesAway(before: Ledger, next: Plan): boolean {
  const was = new Map(before.permits.map((permit) => [permit.id, permit.state]));
  const opens = next.ledger.permits.some(
    ({ id, state }) => state !== was.get(id) && (state === 'granted' || state === 'used'),
  );
  return opens || next.actions.some((action) => removes(action));
}

function removes(action: Action): boolean {
  return (
    action.kind === 'remove_member' ||
    action.kind === 'forget_cluster' ||
    (action.kind === 'say_order' && takesOut(action.order)) ||
    (action.kind === 'say_use_answer' && action.answer.ok)
  );
}

/** Whether the leader is told to take nodes out of the database's cluster, or something away from its buckets. */
function takesOut({ topology }: SettingsOrder): boolean {
  if (topology === undefined) return false;
  const { eject, failOver, drop, shrink } = topology;
  return eject.length + failOver.length + drop.length + shrink.length > 0;
}

/** What must survive a power cut before it is done, besides orders: what takes away, and who leads. */
function isGrave(before: Ledger, next: Plan): boolean {
  const replaces = next.actions.some(({ kind }) => kind === 'replace_member');
  return replaces || takesAway(before, next) || next.ledger.leadership !== before.leadership;
}
