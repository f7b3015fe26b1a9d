/**
 * The ledger of permits. Pure: each function takes a ledger and gives the next one.
 * A permit is written here before its pilot hears of it, and every way for it to end is in this file.
 */
import type { Ledger } from '../model/ledger.ts';
import type { Evidence, Permit, PermitState, Verb } from '../model/permit.ts';
import { askedByServer, isLive, isOpen } from '../model/permit.ts';
import { serves, type MemberObservation, type Observation, type PermissionRequest } from '../model/observation.ts';
import type { Now, Timing } from '../model/timing.ts';

/**
 * How long a database may take to stop: as long as a pilot waits before it kills it. One that runs on after the death of
 * the pilot that was about to stop it may have been told to, and be gone at any moment.
 */
const stoppingMs = 60_000;

/** How many ended permits a ledger keeps. */
export const endedPermitsKept = 50;

/** The id of the permit that answers one asking. */
export function permitId(member: string, verb: Verb, requestId: string): string {
  return `${verb}-${member}-${requestId}`;
}

/** The permit that answers what `member` asks for now. */
export function permitOf(ledger: Ledger, member: string, request: PermissionRequest): Permit | undefined {
  const id = permitId(member, request.verb, request.id);
  return ledger.permits.find((permit) => permit.id === id);
}

/**
 * Changes one permit; the ledger stays the same object where it has no such permit. One that ends goes to the end of the list:
 * those that ended first are the first to be forgotten, however long ago they were asked for. A denial keeps its place: a person
 * may yet approve it.
 */
export function change(ledger: Ledger, id: string, now: Now, to: Partial<Permit>): Ledger {
  const before = ledger.permits.find((permit) => permit.id === id);
  if (before === undefined) return ledger;
  const after = { ...before, ...to, changedAt: now.wallMs };
  const permits =
    isLive(after) || after.state === 'denied'
      ? ledger.permits.map((permit) => (permit.id === id ? after : permit))
      : [...ledger.permits.filter((permit) => permit.id !== id), after];
  return { ...ledger, permits };
}

/** Enters what a member asks for; where it is entered already, nothing changes. */
export function enqueue(ledger: Ledger, member: MemberObservation, now: Now, timing: Timing): Ledger {
  const { request } = member;
  if (request === undefined || permitOf(ledger, member.member, request) !== undefined) return ledger;
  const permit: Permit = {
    id: permitId(member.member, request.verb, request.id),
    requestId: request.id,
    member: member.member,
    verb: request.verb,
    incarnation: member.incarnation,
    state: 'queued',
    evidence: request.evidence,
    sequence: request.sequence,
    reason: request.reason,
    requestedAt: now.wallMs,
    changedAt: now.wallMs,
    ttlMs: timing.permitTtlMs,
    decidedBy: '',
    decision: '',
    undo: '',
  };
  return trim({ ...ledger, permits: [...ledger.permits, permit] });
}

/** Grants a queued permit on this evidence. */
export function grant(
  ledger: Ledger,
  id: string,
  now: Now,
  terms: { evidence: Evidence; sequence: number; undo: string },
): Ledger {
  const approved = ledger.permits.find((permit) => permit.id === id)?.approvedBy;
  const decidedBy = approved ?? 'server';
  return change(ledger, id, now, { state: 'granted', decidedBy, decision: 'no hold was left', ...terms });
}

/**
 * Ends every permit whose time or holder is gone, and every asking that nobody asks any more.
 * A used permit ends when its member says so or is found in another life; until then it takes its part of the budget.
 */
export function settle(ledger: Ledger, observed: Observation, now: Now): Ledger {
  let next = ledger;
  for (const permit of ledger.permits) {
    // These end with their reason, which the rules of their application know.
    if (permit.requestId === askedByServer) continue;
    const end = ending(permit, observed, now, ledger.members[permit.member] === undefined);
    if (end !== undefined) next = change(next, permit.id, now, end);
  }
  return next;
}

interface Ending {
  readonly state: PermitState;
  readonly decision: string;
}

function ending(permit: Permit, observed: Observation, now: Now, gone: boolean): Ending | undefined {
  const member = observed.members.get(permit.member);
  if (gone && isLive(permit))
    return { state: permit.state === 'used' ? 'completed' : 'withdrawn', decision: 'its member is gone' };
  const since = observed.permitChangedAtMs.get(permit.id) ?? observed.serverStartedAtMs;
  if (permit.state === 'granted') {
    const late = now.monotonicMs >= since + permit.ttlMs;
    return late ? { state: 'expired', decision: 'not used in time' } : undefined;
  }
  if (member === undefined || !member.connected) return undefined;
  const sameLife = member.incarnation === permit.incarnation;
  if (permit.state === 'queued') {
    const asked = sameLife && (member.asking === undefined || member.asking === permit.requestId);
    return asked ? undefined : { state: 'withdrawn', decision: 'the pilot no longer asks for it' };
  }
  // What is known of a member that has only just come back is from before it was lost.
  if (permit.state === 'used' && member.asking !== undefined)
    return usedEnding(permit, member, now.monotonicMs >= since + stoppingMs);
  return undefined;
}

function usedEnding(permit: Permit, member: MemberObservation, late: boolean): Ending | undefined {
  const sameLife = member.incarnation === permit.incarnation;
  if (sameLife && member.permits.includes(permit.id)) return undefined;
  if (permit.verb === 'wipe') return wipedEnding(member);
  const stopped = member.process.phase === 'stopped';
  const up = serves(member) || runsAlone(member);
  const staysDown = permit.verb === 'leave' || permit.verb === 'stop';
  if (sameLife) {
    // It still runs and asks anew: the answer that it could begin was lost, or it has called off what it had begun.
    const again = up && member.request?.verb === permit.verb;
    if (again) return { state: 'expired', decision: 'its pilot has not done it, and asks anew' };
    const done = staysDown ? stopped : up && permit.verb === 'restart';
    return done ? { state: 'completed', decision: 'the pilot says that it is done' } : lost(up);
  }
  // It has not been stopped. Its pilot may have told it to, and have died before it ended.
  if (up && member.node?.processId === permit.evidence.processId) return late ? lost(true) : undefined;
  if (permit.verb === 'leave' && stopped) return { state: 'completed', decision: 'it had left before its pilot died' };
  if (staysDown) return up ? lost(true) : undefined;
  if (!up) return undefined;
  if (member.request?.verb === permit.verb) return lost(true);
  return { state: 'completed', decision: 'the member is back in another life of its pilot' };
}

/** Its database runs, and is of no cluster: nobody is served by it, and all the same it was not stopped. Until it joins it is starting. */
function runsAlone({ process, node }: MemberObservation): boolean {
  return (process.phase === 'running' || process.phase === 'starting') && node?.standing === 'fresh';
}

/** A node that was reset is of no cluster, and does not serve before it is added again. */
function wipedEnding({ node, request }: MemberObservation): Ending | undefined {
  if (node?.standing === 'fresh') return { state: 'completed', decision: 'its node is as new' };
  return request?.verb === 'wipe' ? lost(true) : undefined;
}

function lost(up: boolean): Ending | undefined {
  return up ? { state: 'expired', decision: 'its holder was lost before the step was done' } : undefined;
}

/** Permits that hold their part of the budget. */
export function openPermits(ledger: Ledger): readonly Permit[] {
  return ledger.permits.filter(isOpen);
}

/** Keeps every live permit, every denial that still holds a member, and the youngest of the ended ones. */
export function trim(ledger: Ledger): Ledger {
  const holds = (permit: Permit): boolean => permit.state === 'denied' && ledger.members[permit.member] !== undefined;
  const ended = ledger.permits.filter((permit) => !isLive(permit) && !holds(permit));
  if (ended.length <= endedPermitsKept) return ledger;
  const dropped = new Set(ended.slice(0, ended.length - endedPermitsKept).map((permit) => permit.id));
  return { ...ledger, permits: ledger.permits.filter((permit) => !dropped.has(permit.id)) };
}
