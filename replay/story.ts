/** What became of every destructive act, from what servers and pilots have recorded of it. Pure. */
import { changesOf } from '../server/events.ts';
import type { Hold } from '../server/model/hold.ts';
import type { Ledger } from '../server/model/ledger.ts';
import type { Observation } from '../server/model/observation.ts';
import type { Permit } from '../server/model/permit.ts';
import type { Action } from '../server/model/plan.ts';
import type { JournalRecord } from '../shared/journal-lines.ts';
import { PilotStory } from './pilot-story.ts';
import { recollect, type Moment } from './recollect.ts';
import { evidenceWords, orderWords } from './words.ts';

/** Something that held an act up, from when to when (wall ms). */
export interface HeldBy {
  readonly name: string;
  readonly message: string;
  readonly from: number;
  to: number;
  /** It held until the act went on, or the records end. */
  open: boolean;
}

/** One step in the life of an act. */
export interface Passage {
  readonly at: number;
  readonly what: string;
  readonly words: string;
}

export type ActKind = Permit['verb'] | 'removal' | 'order' | 'ruling' | 'leadership' | 'gap';

export interface Act {
  readonly at: number;
  readonly cluster: string;
  /** Empty for the whole cluster. */
  readonly member: string;
  readonly act: ActKind;
  readonly permit?: string;
  readonly passages: Passage[];
  readonly held: HeldBy[];
}

/** Everything that is told of so far, and what is still to be followed. */
export class Story {
  readonly acts: Act[] = [];
  readonly #byPermit = new Map<string, Act>();
  /** As it was last seen of each cluster. */
  readonly #ledgers = new Map<string, Ledger>();
  readonly #orders = new Map<string, { readonly id: string; readonly act: Act; made: boolean }>();
  readonly #removals = new Map<string, Act>();

  begin(act: Omit<Act, 'passages' | 'held'>): Act {
    const begun = { ...act, passages: [], held: [] };
    this.acts.push(begun);
    if (act.permit !== undefined) this.#byPermit.set(`${act.cluster} ${act.permit}`, begun);
    return begun;
  }

  ofPermit(cluster: string, permit: string): Act | undefined {
    return this.#byPermit.get(`${cluster} ${permit}`);
  }

  take(moment: Moment): void {
    const { record } = moment;
    switch (moment.kind) {
      case 'gap': {
        const act = this.begin({ at: record.at, cluster: '', member: '', act: 'gap' });
        tell(act, record.at, 'lost', `${moment.lost} records could not be written: ${moment.why}`);
        return;
      }
      case 'decision': {
        if (!moment.written) return;
        const { body, before, after, observed } = moment;
        this.#follow(body.cluster, before, record.at, observed);
        this.#follow(body.cluster, after, record.at, observed);
        for (const action of body.actions) this.#do(body.cluster, action, record.at, after);
        return this.#settled(body.cluster, body.settled, record.at);
      }
      case 'ruling':
        if (!moment.written) return;
        this.#follow(moment.body.cluster, moment.before, record.at);
        this.#rule(moment.body.cluster, moment.before, moment.after, record.at);
        return this.#follow(moment.body.cluster, moment.after, record.at);
      case 'work': {
        const { cluster, member, action, trouble } = moment.body;
        const act = this.#removals.get(`${cluster} ${member}`);
        if (action !== 'remove_member' || act === undefined) return;
        tell(act, record.at, trouble === '' ? 'ended' : 'failed', trouble || 'it is removed');
        return;
      }
      default:
        return;
    }
  }

  /** Tells what has changed since the ledger was last seen. */
  #follow(cluster: string, after: Ledger, at: number, observed?: Observation): void {
    const before = this.#ledgers.get(cluster);
    this.#ledgers.set(cluster, after);
    if (before === after) return;
    for (const permit of after.permits) {
      const was = before?.permits.find(({ id }) => id === permit.id);
      if (was?.state !== permit.state) this.#permit(cluster, permit, at, observed);
    }
    const { term, leader } = after.leadership;
    if (before === undefined || (before.leadership.term === term && before.leadership.leader === leader)) return;
    const act = this.begin({ at, cluster, member: leader || before.leadership.leader, act: 'leadership' });
    tell(act, at, 'changed', leader === '' ? `hands over, term ${term}` : `leads, term ${term}`);
  }

  #permit(cluster: string, permit: Permit, at: number, observed: Observation | undefined): void {
    const { id, member, verb, reason, evidence, state, decision, decidedBy } = permit;
    let act = this.ofPermit(cluster, id);
    if (act === undefined) {
      act = this.begin({ at: permit.requestedAt, cluster, member, act: verb, permit: id });
      tell(act, permit.requestedAt, 'asked', `${reason}; ${evidenceWords(evidence)}`);
    }
    if (state === 'queued') return;
    hold(act, [], at);
    if (state === 'granted') tell(act, at, state, `by ${decidedBy} (${decision}), on ${evidenceWords(evidence)}`);
    else if (state === 'used') {
      const read = observed?.members.get(member)?.use?.evidence;
      tell(act, at, state, read ? `judged again on ${evidenceWords(read)}` : '');
    } else tell(act, at, 'ended', `${state}${decision === '' ? '' : `: ${decision}`}`);
  }

  #do(cluster: string, action: Action, at: number, ledger: Ledger): void {
    if (action.kind === 'say_decision') {
      const act = this.ofPermit(cluster, action.decision.permitId);
      const queued = action.decision.state === 'queued' || action.decision.state === 'denied';
      if (act !== undefined && queued) hold(act, action.decision.holds, at);
    }
    if (action.kind === 'say_order') {
      const { order, member } = action;
      if (this.#orders.get(cluster)?.id === order.id) return;
      const act = this.begin({ at, cluster, member, act: 'order' });
      tell(act, at, 'ordered', orderWords(order));
      this.#orders.set(cluster, { id: order.id, act, made: false });
    }
    if (action.kind === 'remove_member' && ledger.members[action.record.name] !== undefined) {
      const { name } = action.record;
      if (this.#removals.has(`${cluster} ${name}`)) return;
      const act = this.begin({ at, cluster, member: name, act: 'removal' });
      tell(act, at, 'begun', action.keepData ? 'it has left; its data stays' : 'it has left; its data goes, too');
      this.#removals.set(`${cluster} ${name}`, act);
    }
  }

  #settled(cluster: string, settled: boolean, at: number): void {
    const order = this.#orders.get(cluster);
    if (!settled || order === undefined || order.made) return;
    order.made = true;
    tell(order.act, at, 'ended', 'the leader has made it true');
  }

  #rule(cluster: string, before: Ledger, after: Ledger, at: number): void {
    const person = (words: string): void => {
      tell(this.begin({ at, cluster, member: '', act: 'ruling' }), at, 'ruled', words);
    };
    for (const { kind, message } of changesOf(before, after)) {
      if (kind === 'changed' && message.startsWith('generation')) person(message);
    }
    if (before.paused !== after.paused) person(after.paused ? 'the cluster is paused' : 'the cluster is resumed');
    if (!before.deleting && after.deleting) person('the cluster is to be deleted');
    if (before.stopping === undefined && after.stopping !== undefined)
      person(`everything is to be stopped, by ${after.stopping.who}: ${after.stopping.why}`);
    for (const permit of after.permits) {
      const was = before.permits.find(({ id }) => id === permit.id);
      const act = this.ofPermit(cluster, permit.id);
      if (was === undefined || was.decision === permit.decision || act === undefined) continue;
      const holds = permit.approvedHolds?.length ? `, past ${permit.approvedHolds.join(', ')}` : '';
      tell(act, at, 'ruled', `by ${permit.decidedBy}: ${permit.decision} (${permit.state}${holds})`);
    }
  }
}

/** Adds one passage to an act. */
export function tell(act: Act, at: number, what: string, words: string): void {
  act.passages.push({ at, what, words });
}

/** Notes what holds an act up now. What no longer does held it until now. */
function hold(act: Act, holds: readonly Hold[], at: number): void {
  for (const held of act.held) {
    if (!held.open) continue;
    held.to = at;
    held.open = holds.some(({ name }) => name === held.name);
  }
  for (const { name, message } of holds) {
    if (!act.held.some((held) => held.open && held.name === name))
      act.held.push({ name, message, from: at, to: at, open: true });
  }
}

/** The acts that these journals tell of, in the order of their beginning. */
export function storyOf(journals: readonly (readonly JournalRecord[])[]): readonly Act[] {
  const story = new Story();
  const pilots = new PilotStory(story);
  const moments = journals.flatMap(recollect);
  // Journals have no clock but the wall's in common; within one, records keep their order.
  const ordered = moments.map((moment, index) => ({ moment, index }));
  ordered.sort((a, b) => a.moment.record.at - b.moment.record.at || a.index - b.index);
  for (const { moment } of ordered) {
    story.take(moment);
    pilots.take(moment);
  }
  return story.acts.toSorted((a, b) => a.at - b.at);
}
