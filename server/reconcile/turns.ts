/**
 * Who may go next. Pure.
 * Askings are weighed one after another, each against what the ones before it were granted, so that two of them can
 * never share one place in the budget.
 */
import { change, enqueue, grant, permitId, permitOf } from '../coordination/permits.ts';
import type { Hold, HoldName } from '../model/hold.ts';
import type { Ledger } from '../model/ledger.ts';
import type { MemberObservation, Observation } from '../model/observation.ts';
import type { Evidence, Permit, Verb } from '../model/permit.ts';
import type { Decision, SettingsOrder, UseAnswer } from '../model/plan.ts';
import type { Now, Timing } from '../model/timing.ts';
import { comesBack, keepsShards, type Asking } from './asking.ts';
import { awayMembers } from './budget.ts';
import { nextToRoll } from './drains.ts';
import { isNearlyFree, objections, type Weighed } from './holds.ts';
import { votes } from './quorum.ts';
import { isInForce, settingsOrder } from './settings.ts';
import { leavingMembers, memberSpec } from './topology.ts';

/** All that a pass over the askings has decided. */
export interface Turns {
  readonly ledger: Ledger;
  readonly weighed: readonly Weighed[];
  /** Those whose turn it is though the leader still has work to do for them. */
  readonly next: readonly Weighed[];
  readonly decisions: readonly { readonly member: string; readonly decision: Decision }[];
}

/** Enters, weighs and grants what members ask for, and answers every one of them. */
export function takeTurns(start: Ledger, observed: Observation, now: Now, timing: Timing): Turns {
  let ledger = start;
  for (const member of observed.members.values()) {
    if (member.connected && ledger.members[member.member] !== undefined) ledger = enqueue(ledger, member, now, timing);
  }
  const asked = ledger;
  const first = weighAll(asked, observed);
  const next = chooseNext(first, asked);
  const order = settingsOrder({ ledger, next }, observed, { now, timing });
  const withOrder = (one: Weighed): Weighed => heldByOrder(one, observed, order);
  for (const name of rollOrder(ledger, observed)) {
    // As long as nothing is granted, nobody weighs anything else than before.
    const one =
      ledger === asked ? first.find(({ asking }) => asking.record.name === name) : weigh(ledger, observed, name);
    if (one === undefined || withOrder(one).holds.length > 0) continue;
    const mayRoll = !comesBack(one.asking) || next.some((chosen) => chosen.asking.record.name === name);
    if (mayRoll) ledger = grantTo(ledger, one, now);
  }
  const weighed = (ledger === asked ? first : weighAll(ledger, observed)).map(withOrder);
  return { ledger, weighed, next, decisions: decideAll(ledger, observed, weighed, next) };
}

/**
 * A step is taken on settings that the leader has confirmed. What the evidence says may be about to change: an order that
 * raises the quorum again, or that begins to drain another member, may still be on its way to the database.
 */
function heldByOrder(one: Weighed, observed: Observation, order: SettingsOrder | undefined): Weighed {
  const { verb, record, ledger } = one.asking;
  const ends = ledger.deleting || ledger.stopping !== undefined;
  const isNoMatter = !record.joinedOnce || ends || ledger.spec.application !== 'elasticsearch';
  if (one.holds.length > 0 || isNoMatter || isInForce(observed, order)) return one;
  const held = (name: HoldName, message: string): Weighed => ({
    ...one,
    holds: [{ name, member: record.name, message }],
  });
  if (verb === 'leave' && votes(record))
    return held(
      'quorum_setting_is_not_lowered',
      'the leader has yet to confirm how many voters the database asks for without it',
    );
  // A machine that is about to end does not wait for a leader that there is not.
  if (comesBack(one.asking) && keepsShards(record) && (verb !== 'stop' || order !== undefined))
    return held('allocation_is_not_restricted', 'the leader has yet to confirm that no shard copy is moved to it');
  return one;
}

/** Judges the permits that pilots are about to use, on the evidence that they have just read. */
export function judgeUses(
  start: Ledger,
  observed: Observation,
  now: Now,
): {
  readonly ledger: Ledger;
  readonly answers: readonly { readonly member: string; readonly answer: UseAnswer }[];
} {
  let ledger = start;
  const answers: { member: string; answer: UseAnswer }[] = [];
  for (const member of observed.members.values()) {
    if (member.use === undefined || !member.connected) continue;
    const { permitId: id, evidence } = member.use;
    const refusal = useRefusal(ledger, observed, member, evidence);
    if (refusal === undefined) ledger = beginUse(ledger, id, now, evidence);
    else if (refusal !== '') ledger = endRefused(ledger, id, now, refusal);
    const approvedHolds = ledger.permits.find((permit) => permit.id === id)?.approvedHolds ?? [];
    const ok = refusal === undefined || refusal === '';
    answers.push({ member: member.member, answer: { permitId: id, ok, message: refusal ?? '', approvedHolds } });
  }
  return { ledger, answers };
}

/** Undefined: it may begin. Empty: it has begun already. Otherwise why not. */
function useRefusal(
  ledger: Ledger,
  observed: Observation,
  member: MemberObservation,
  evidence: Evidence,
): string | undefined {
  const permit = ledger.permits.find((candidate) => candidate.id === member.use?.permitId);
  if (permit === undefined || permit.member !== member.member) return 'there is no such permit';
  if (permit.incarnation !== member.incarnation) return 'the permit was granted to another life of the pilot';
  if (permit.state === 'used') return '';
  if (permit.state !== 'granted') return `the permit is ${permit.state}`;
  const asking = askingOf(ledger, observed, member, { ...permit, evidence });
  if (asking === undefined) return 'the member is not in the ledger';
  const holds = objections(asking);
  return holds.length === 0 ? undefined : holds.map((hold) => `${hold.name}: ${hold.message}`).join('; ');
}

/**
 * From here on the permit stands for the evidence that it is used on, not for the one that it was granted on. The use
 * of an upgrade is the moment from which the member belongs to the new version.
 */
function beginUse(ledger: Ledger, id: string, now: Now, evidence: Evidence): Ledger {
  const used = change(ledger, id, now, { state: 'used', evidence });
  const permit = used.permits.find((candidate) => candidate.id === id);
  const record = permit && used.members[permit.member];
  if (permit?.verb !== 'upgrade' || record === undefined) return used;
  const { version, template } = memberSpec(used, record);
  return { ...used, members: { ...used.members, [record.name]: { ...record, version, template } } };
}

function endRefused(ledger: Ledger, id: string, now: Now, why: string): Ledger {
  const permit = ledger.permits.find((candidate) => candidate.id === id);
  return permit?.state === 'granted' ? change(ledger, id, now, { state: 'expired', decision: why }) : ledger;
}

function grantTo(ledger: Ledger, { asking }: Weighed, now: Now): Ledger {
  const { request } = asking.member;
  if (request === undefined) return ledger;
  const id = permitId(asking.record.name, request.verb, request.id);
  const { evidence, verb } = asking;
  return grant(ledger, id, now, { evidence, sequence: request.sequence, undo: undoOf(verb) });
}

function undoOf(verb: Verb): string {
  if (verb === 'restart' || verb === 'upgrade') return 'allocation of all shard copies is allowed again';
  return verb === 'leave' ? 'the exclusion of the member is lifted' : '';
}

/**
 * All that leave and are held by nothing but what the leader removes, and as many that roll as the budget has room for
 * after them. One that rolls and is not next may lead meanwhile; were it next, too, the leadership would be handed to and fro.
 * A leader that leaves and is part of the cluster still takes no room: it goes after those that roll, one of which leads then.
 * Nor does one that is away already and that nothing holds: those who leave may wait for it to come back.
 */
function chooseNext(weighed: readonly Weighed[], ledger: Ledger): readonly Weighed[] {
  const leaving = weighed.filter(({ asking, holds }) => !comesBack(asking) && isNearlyFree(holds));
  const rolling = weighed.filter(({ asking }) => comesBack(asking));
  const soon = leaving.filter(
    ({ asking, holds }) =>
      asking.record.name !== ledger.leadership.leader || !holds.some(({ name }) => name === 'node_is_in_the_topology'),
  );
  const next = nextToRoll(rolling, Math.max(0, ledger.spec.maxUnavailable - soon.length));
  const gone = rolling.filter((one) => one.holds.length === 0 && one.asking.away.has(one.asking.record.name));
  return [...new Set([...leaving, ...gone, ...next])];
}

function weighAll(ledger: Ledger, observed: Observation): readonly Weighed[] {
  return rollOrder(ledger, observed).flatMap((name) => weigh(ledger, observed, name) ?? []);
}

/** Leaving members first, then the others; the database's elected master and the leader last, because both hand over. */
function rollOrder(ledger: Ledger, observed: Observation): readonly string[] {
  const late = (name: string): number =>
    (observed.cluster?.electedMaster === name ? 2 : 0) + (ledger.leadership.leader === name ? 1 : 0);
  const leaving = new Set(leavingMembers(ledger).map((record) => record.name));
  return Object.values(ledger.members)
    .toSorted(
      (a, b) =>
        Number(leaving.has(b.name)) - Number(leaving.has(a.name)) ||
        late(a.name) - late(b.name) ||
        b.ordinal - a.ordinal ||
        (a.name < b.name ? -1 : 1),
    )
    .map((record) => record.name);
}

function weigh(ledger: Ledger, observed: Observation, name: string): Weighed | undefined {
  const member = observed.members.get(name);
  if (member?.request === undefined || !member.connected) return undefined;
  const permit = permitOf(ledger, name, member.request);
  if (permit?.state !== 'queued' && permit?.state !== 'denied') return undefined;
  const asking = askingOf(ledger, observed, member, { ...permit, evidence: member.request.evidence });
  return asking && { asking, holds: objections(asking) };
}

function askingOf(
  ledger: Ledger,
  observed: Observation,
  member: MemberObservation,
  permit: Pick<Permit, 'verb' | 'evidence' | 'approvedHolds'>,
): Asking | undefined {
  const record = ledger.members[member.member];
  if (record === undefined || record.left) return undefined;
  return {
    verb: permit.verb,
    evidence: permit.evidence,
    ledger,
    record,
    member,
    observed,
    away: awayMembers(ledger, observed),
    leaving: leavingMembers(ledger).some((one) => one.name === record.name),
    approved: permit.approvedHolds ?? [],
  };
}

function decideAll(
  ledger: Ledger,
  observed: Observation,
  weighed: readonly Weighed[],
  next: readonly Weighed[],
): Turns['decisions'] {
  const first = next[0]?.asking.record.name;
  return [...observed.members.values()].flatMap(({ member, request }) => {
    const permit = request && permitOf(ledger, member, request);
    if (request === undefined || permit === undefined) return [];
    const place = weighed.findIndex((one) => one.asking.record.name === member);
    const holds = weighed[place]?.holds ?? [];
    const waits = place >= 0 && holds.length === 0;
    const turn: Hold = { name: 'not_its_turn', member, message: first ? `${first} goes first` : 'others go first' };
    const decision: Decision = {
      requestId: request.id,
      permitId: permit.id,
      state: permit.state,
      ttlMs: permit.ttlMs,
      holds: waits ? [turn] : holds,
      position: place + 1,
      term: ledger.leadership.term,
      sequence: permit.sequence,
    };
    return [{ member, decision }];
  });
}
