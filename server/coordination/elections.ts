/**
 * Which pilot leads a cluster. Pure.
 * There is at most one leader in a term, and terms only grow: a new leader is written with the next term, and only
 * once the lease of the last one has run out by this server's clock, which is later than by the leader's own.
 */
import type { Ledger, Leadership } from '../model/ledger.ts';
import { serves, type MemberObservation, type Observation } from '../model/observation.ts';
import type { Now, Timing } from '../model/timing.ts';

/** What a reconnect of one pilot, of whatever cluster, costs a server that has just started, in ms: its grace grows by as much. */
const reconnectMs = 1.6;

/** One that is told to lead and does not for so many leases cannot: its disk may be full, and it must write the term first. */
const reluctanceLeases = 2;

/** Monotonic ms until which the last leader may still believe that it leads. */
export function leaseEndsAtMs(observed: Observation, timing: Timing): number {
  const pilots = Math.max(observed.members.size, observed.pilotsAtStart ?? 0);
  const grace = observed.serverStartedAtMs + timing.leaseMs + pilots * reconnectMs;
  return Math.max(observed.leaseRenewedAtMs + timing.leaseMs, grace);
}

/** Whether `member` is the one that leads in the ledger's term, in the same life of its pilot. */
export function leads(leadership: Leadership, member: MemberObservation | undefined): boolean {
  return (
    member !== undefined &&
    leadership.leader !== '' &&
    leadership.leader === member.member &&
    leadership.incarnation === member.incarnation
  );
}

/**
 * How soon a member is to go. `waits`: to come back, and `leaving`: for good, but something holds it, or others are
 * first. `next`: nothing holds it but what a leader does. `going`: it holds a permit and may go at any moment. A member
 * that is not named stays.
 */
export type Standing = 'stays' | 'waits' | 'leaving' | 'next' | 'going';

/** One that leaves does not hand over to one that waits: it may be what that one waits for, and then they would take turns. */
const ranks: Readonly<Record<Standing, number>> = { stays: 0, waits: 1, leaving: 1, next: 2, going: 3 };

/**
 * Members that could lead in the stead of the one that the ledger names. As long as there is one, a leader that is to
 * go is held until it has handed over. That never lasts: each of them either takes over, because it goes later than
 * the leader (`elect`), or goes first, and is then back to take over, or gone and none of these any more.
 */
export function successors(ledger: Ledger, observed: Observation): readonly MemberObservation[] {
  return Object.values(ledger.members)
    .filter((record) => !record.left && record.name !== ledger.leadership.leader)
    .map((record) => observed.members.get(record.name))
    .filter((member) => member !== undefined)
    .filter((member) => isAble(ledger, observed, member));
}

/**
 * Whether a member could lead: it serves. Where nobody does, for one because half of a cluster of Couchbase is gone, one whose
 * node answers and was part of the cluster can still tell how things stand. One that was taken out never leads, whatever
 * its node says.
 */
function isAble(ledger: Ledger, observed: Observation, member: MemberObservation): boolean {
  if (isCast(ledger, member)) return false;
  const { connected, process, node } = member;
  if (serves(member)) return true;
  const others = [...observed.members.values()].some((other) => serves(other) && !isCast(ledger, other));
  return !others && connected && process.phase === 'running' && node?.standing === 'active';
}

function isCast(ledger: Ledger, { member }: MemberObservation): boolean {
  return ledger.members[member]?.cast !== undefined;
}

/**
 * The leadership as it must be written next; the same object where nothing changes. A leader hands over only to one
 * that goes later than itself: to one that goes no later, the leadership would come and go between the two for ever.
 */
export function elect(
  ledger: Ledger,
  observed: Observation,
  when: { readonly now: Now; readonly timing: Timing },
  standing: ReadonlyMap<string, Standing>,
): Leadership {
  const current = ledger.leadership;
  const present = observed.members.get(current.leader);
  const of = (member: string): Standing => standing.get(member) ?? 'stays';
  const rank = (member: string): number => ranks[of(member)];
  const others = successors(ledger, observed).filter(({ member }) => of(member) !== 'going');
  if (leads(current, present) && present?.connected === true) {
    // A leader that has just come back is heard before it is judged.
    const unheard = present.process.phase === 'unknown';
    const willing = when.now.monotonicMs <= (observed.ledAtMs ?? Infinity) + reluctanceLeases * when.timing.leaseMs;
    const fit = (unheard || (isAble(ledger, observed, present) && willing)) && of(current.leader) !== 'going';
    // Who has been granted a step needs the leader's word to begin it: until then, or until the grant is over, it leads on.
    if (fit && ledger.permits.some(({ state, member }) => state === 'granted' && member !== current.leader))
      return current;
    const own = !fit ? ranks.going : of(current.leader) === 'waits' ? ranks.stays : rank(current.leader);
    return others.some(({ member }) => rank(member) < own) ? { ...current, leader: '' } : current;
  }
  const ended = current.term === 0 || when.now.monotonicMs >= leaseEndsAtMs(observed, when.timing);
  const isNamed = present !== undefined && isAble(ledger, observed, present) && of(current.leader) !== 'going';
  const named = isNamed ? [present] : [];
  const next = steadiest(ledger, [...others, ...named], rank);
  if (!ended || next === undefined) return current;
  return { term: current.term + 1, leader: next.member, incarnation: next.incarnation };
}

/** The one that goes last; of these one that wants nothing, then by ordinal. Whoever has just handed over, only alone. */
function steadiest(
  ledger: Ledger,
  candidates: readonly MemberObservation[],
  rank: (member: string) => number,
): MemberObservation | undefined {
  const { incarnation } = ledger.leadership;
  const ordinal = (name: string): number => ledger.members[name]?.ordinal ?? 0;
  return candidates.toSorted(
    (a, b) =>
      // While nobody leads, the ledger still names the life that has handed over.
      Number(a.incarnation === incarnation) - Number(b.incarnation === incarnation) ||
      rank(a.member) - rank(b.member) ||
      Number(a.request !== undefined) - Number(b.request !== undefined) ||
      ordinal(a.member) - ordinal(b.member) ||
      (a.member < b.member ? -1 : 1),
  )[0];
}
