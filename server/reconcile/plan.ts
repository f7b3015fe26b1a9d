/**
 * What to do next for one cluster: a function of what is desired, observed, in the ledger, and the time. Pure.
 * Invariant: whatever it lets happen is in the ledger that it returns, and the caller writes that ledger before it
 * does any of the actions. To plan again without a change in between gives the same ledger and the same actions.
 */
import { elect, type Standing } from '../coordination/elections.ts';
import { openPermits, settle, trim } from '../coordination/permits.ts';
import type { Hold } from '../model/hold.ts';
import { isPaused, type Ledger, type MemberRecord } from '../model/ledger.ts';
import { serves, type MemberObservation, type Observation, type RuntimeMember } from '../model/observation.ts';
import { isLive } from '../model/permit.ts';
import type { Action, Desired, Plan, SettingsOrder } from '../model/plan.ts';
import type { Now, Timing } from '../model/timing.ts';
import { comesBack } from './asking.ts';
import { askDoing, noteAsks } from './couchbase-asks.ts';
import { clusterHolds } from './couchbase-holds.ts';
import { noteStale } from './couchbase-stale.ts';
import { noteFounder, rebalancing } from './founding.ts';
import { noteDepartures } from './departures.ts';
import { describe } from './doing.ts';
import { journalObjection, onlyHeldBy } from './holds.ts';
import { isInForce, orderInPause, settingsOrder } from './settings.ts';
import { leavingMembers, memberSpec, neededMembers, newRecord, strayRecord } from './topology.ts';
import { judgeUses, takeTurns, type Turns } from './turns.ts';

export interface PlanInput {
  readonly ledger: Ledger;
  /** The revision of the stored ledger. It numbers what is said to pilots. */
  readonly revision: number;
  readonly observed: Observation;
  readonly now: Now;
  readonly timing: Timing;
}

/** The next plan. It is total: it has an answer for every ledger and every observation. */
export function plan(input: PlanInput): Plan {
  const { observed, now, timing } = input;
  const settled = trim(noteDepartures(input.ledger, settle(input.ledger, observed, now), observed));
  const noted = noteMembers(settled, observed);
  const known = noteStale(noteFounder(addWanted(noted, observed)), observed, now);
  const judged = judgeUses(noteAsks(known, observed, now, timing), observed, now);
  const turns = takeTurns(judged.ledger, observed, now, timing);
  const leadership = elect(turns.ledger, observed, { now, timing }, standings(turns));
  const led = leadership === turns.ledger.leadership ? turns.ledger : { ...turns.ledger, leadership };
  const order = settingsOrder({ ...turns, ledger: led }, observed, { now, timing });
  const ledger = forgetGone(led, observed, order);
  const ended: Turns = { ...turns, ledger };
  const paused = isHeldStill(ledger);
  const given = paused ? orderInPause(order, ledger, observed) : order;
  const actions: Action[] = [
    ...(paused ? [] : runtimeActions(ledger, observed).filter((action) => mayDo(action, observed))),
    ...(paused ? [] : desiredActions(ledger, input.revision)),
    ...(given === undefined ? [] : orderActions(ledger, given)),
    ...judged.answers.map((answer): Action => ({ kind: 'say_use_answer', ...answer })),
    ...turns.decisions.map((decision): Action => ({ kind: 'say_decision', ...decision })),
  ];
  const holds = allHolds(ended, observed, now);
  return {
    ledger,
    actions,
    holds,
    doing: [...describe(ledger, observed), ...rebalancing(observed), ...askDoing(ledger)],
    settled: isInForce(observed, order),
    recheckInMs: recheckInMs(ledger, observed, timing),
  };
}

/**
 * A member that was once seen as part of the database, by its own pilot or the leader, is a known voter from then on.
 * One whose permit to upgrade has ended before its database was stopped belongs to the version that its pilot was
 * launched for, as before.
 */
function noteMembers(ledger: Ledger, observed: Observation): Ledger {
  const upgrading = new Set(
    openPermits(ledger)
      .filter(({ verb }) => verb === 'upgrade')
      .map(({ member }) => member),
  );
  const noted = Object.values(ledger.members).map((record) => {
    const seen = observed.members.get(record.name);
    const joined = seen?.node?.joined === true || observed.cluster?.nodes.includes(record.name) === true;
    const { version: launched, template } = observed.runtime.get(record.name) ?? {};
    const runs = serves(seen) && !upgrading.has(record.name) && seen.process.version === launched;
    const known = { ...record, joinedOnce: record.joinedOnce || joined };
    if (!runs || !launched) return known;
    return { ...known, version: launched, ...(template !== undefined && { template }) };
  });
  const isNews = ({ name, joinedOnce, version, template }: MemberRecord): boolean => {
    const before = ledger.members[name];
    return joinedOnce !== before?.joinedOnce || version !== before.version || template !== before.template;
  };
  if (!noted.some(isNews)) return ledger;
  return { ...ledger, members: Object.fromEntries(noted.map((record) => [record.name, record])) };
}

function addWanted(ledger: Ledger, observed: Observation): Ledger {
  if (isHeldStill(ledger) || ledger.deleting || ledger.stopping !== undefined) return ledger;
  const missing = neededMembers(ledger).flatMap((wanted) => {
    const address = observed.addresses.get(wanted.name);
    const known = ledger.members[wanted.name] !== undefined;
    return known || address === undefined ? [] : [newRecord(ledger.spec, wanted, address)];
  });
  if (missing.length === 0) return ledger;
  return { ...ledger, members: { ...ledger.members, ...Object.fromEntries(missing.map((one) => [one.name, one])) } };
}

/**
 * A member that has left is forgotten once the runtime has nothing of it, and once the leader has made the settings
 * true in which it is no longer excluded: a name that nobody owns any more would stay in them for ever.
 */
function forgetGone(ledger: Ledger, observed: Observation, order: SettingsOrder | undefined): Ledger {
  const settled = isInForce(observed, order);
  const gone = Object.values(ledger.members).filter(
    (record) => record.left && !observed.runtime.has(record.name) && (ledger.deleting || settled),
  );
  if (gone.length === 0) return ledger;
  const names = new Set(gone.map((record) => record.name));
  const members = Object.fromEntries(Object.entries(ledger.members).filter(([name]) => !names.has(name)));
  return { ...ledger, members };
}

/**
 * How soon members are to go: a leader hands over to one that goes later. Where others are next beside it, it is not: they
 * go first, with it as their leader.
 */
function standings({ ledger, weighed, next }: Turns): ReadonlyMap<string, Standing> {
  const soon = next.filter(({ asking, holds }) =>
    onlyHeldBy(
      holds,
      'no_leader',
      'leader_must_hand_over',
      'allocation_is_not_restricted',
      'quorum_setting_is_not_lowered',
      // One that is swapped for another one is taken out by the leader; one that leaves is known to by its name.
      ...(asking.verb === 'upgrade' ? (['node_is_in_the_topology'] as const) : []),
    ),
  );
  const others = soon.filter(({ asking }) => asking.record.name !== ledger.leadership.leader);
  const waiting = weighed.filter(({ asking }) => comesBack(asking));
  return new Map<string, Standing>([
    ...waiting.map(({ asking }) => [asking.record.name, 'waits'] as const),
    ...leavingMembers(ledger).map((record) => [record.name, 'leaving'] as const),
    ...(others.length > 0 ? others : soon).map(({ asking }) => [asking.record.name, 'next'] as const),
    ...openPermits(ledger).map((permit) => [permit.member, 'going'] as const),
  ]);
}

function runtimeActions(ledger: Ledger, observed: Observation): readonly Action[] {
  const actions: Action[] = [];
  for (const record of Object.values(ledger.members)) {
    const present = observed.runtime.get(record.name);
    const stopped = observed.members.get(record.name)?.process.phase === 'stopped';
    if (record.left) {
      const keepData = ledger.deleting ? record.keepOnDelete : record.keepOnScaleDown;
      if (present !== undefined) actions.push({ kind: 'remove_member', record, keepData });
    } else if (present === undefined || !present.alive) {
      // A database whose pilot is gone needs one to be stopped in order.
      if (ledger.stopping === undefined || !stopped) actions.push({ kind: 'create_member', record });
    } else if (stopped && isOfAnotherLaunch(present, record)) {
      actions.push({ kind: 'replace_member', record });
    }
  }
  return ledger.deleting && Object.keys(ledger.members).length === 0 ? lastActions(ledger, observed) : actions;
}

/**
 * A cluster whose members are all gone is forgotten once the runtime has nothing of it: a server that was stopped while it
 * made a member may have gone on after that member's removal. Nobody would look for it any more.
 */
function lastActions({ spec }: Ledger, { runtime }: Observation): readonly Action[] {
  if (runtime.size === 0) return [{ kind: 'forget_cluster' }];
  return [...runtime.keys()].map((name) => {
    const record = strayRecord(spec, name);
    return { kind: 'remove_member', record, keepData: record.keepOnDelete };
  });
}

/** Whether its pilot was launched for another version, or in a pod that was made of something else. */
function isOfAnotherLaunch(present: RuntimeMember, record: MemberRecord): boolean {
  const otherPod = present.template !== undefined && present.template !== record.template;
  return present.version !== record.version || otherPod;
}

/** What brings a member back needs no record; what removes one waits until it can be recorded. */
function mayDo(action: Action, observed: Observation): boolean {
  const removes = action.kind === 'remove_member' || action.kind === 'forget_cluster';
  return !removes || observed.unrecordable === undefined;
}

function desiredActions(ledger: Ledger, revision: number): readonly Action[] {
  return Object.values(ledger.members).map((record) => ({
    kind: 'say_desired',
    member: record.name,
    desired: desiredOf(ledger, record, revision),
  }));
}

/** All that one member is meant to be, by this ledger. */
export function desiredOf(ledger: Ledger, record: MemberRecord, revision: number): Desired {
  const leaving = leavingMembers(ledger).some((one) => one.name === record.name);
  const stopped = ledger.stopping !== undefined || ledger.deleting;
  const phase = stopped ? 'stopped' : leaving || record.left ? 'decommissioned' : 'running';
  return { revision, phase, spec: memberSpec(ledger, record) };
}

/** A pause holds everything but the orderly stop that a person asks for. */
function isHeldStill(ledger: Ledger): boolean {
  return isPaused(ledger) && ledger.stopping === undefined;
}

function orderActions(ledger: Ledger, order: SettingsOrder): readonly Action[] {
  const { leader } = ledger.leadership;
  return leader === '' ? [] : [{ kind: 'say_order', member: leader, order }];
}

function allHolds(turns: Turns, observed: Observation, now: Now): readonly Hold[] {
  const { ledger } = turns;
  const asked = turns.decisions.flatMap(({ decision }) => decision.holds);
  const down = Object.values(ledger.members)
    .filter((record) => !record.left && ledger.stopping === undefined && !serves(observed.members.get(record.name)))
    .map(({ name: member }): Hold => {
      const message = downBecause(observed.members.get(member), observed.runtime.get(member));
      return { name: 'member_is_down', member, message };
    });
  const paused: Hold = {
    name: 'cluster_is_paused',
    member: '',
    message: 'nothing is changed and nothing permitted until `navigator resume`',
  };
  const unrecorded = journalObjection(observed);
  const journal: Hold = { name: 'journal_cannot_be_written', member: '', message: unrecorded ?? '' };
  const known = new Set(asked.map((hold) => `${hold.name} ${hold.member}`));
  return [
    ...(isHeldStill(ledger) ? [paused] : []),
    ...(unrecorded === undefined ? [] : [journal]),
    ...clusterHolds(ledger, observed, now),
    ...asked,
    ...down.filter((hold) => !known.has(`${hold.name} ${hold.member}`)),
  ];
}

/** Characters of what a pilot says went wrong, in a sentence. */
const troubleMax = 300;

function downBecause(seen: MemberObservation | undefined, present: RuntimeMember | undefined): string {
  if (!seen?.connected) {
    const unheard = seen === undefined ? 'its pilot has not been heard of yet' : 'its pilot is not connected';
    const { waiting = '' } = present ?? {};
    return waiting === '' ? unheard : `${unheard}: ${waiting}`;
  }
  const { phase, doing } = seen.process;
  const down = `its database is ${phase} and not part of the cluster`;
  // Between two tries the pilot says why the last one failed.
  const trouble = phase === 'backoff' ? doing.replaceAll(/\s+/g, ' ').trim().slice(0, troubleMax) : '';
  return trouble === '' ? down : `${down}: ${trouble}`;
}

/** Soon while anything is under way, seldom in a steady state. */
function recheckInMs(ledger: Ledger, observed: Observation, timing: Timing): number {
  const busy =
    ledger.permits.some(isLive) ||
    ledger.leadership.leader === '' ||
    leavingMembers(ledger).length > 0 ||
    Object.values(ledger.members).some((record) => record.left || !serves(observed.members.get(record.name)));
  return busy ? timing.heartbeatMs : timing.leaseMs / 2;
}
