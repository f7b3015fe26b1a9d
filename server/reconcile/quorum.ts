/**
 * Who can vote, and how many must agree. Pure.
 * The quorum is counted over the voters that are known, never over those that happen to be alive: a cluster that
 * has lost half of its voters must not talk itself into a smaller quorum.
 */
import type { Ledger, MemberRecord } from '../model/ledger.ts';

/** More than half of `voters`. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** Whether a member can be elected by the database. */
export function votes(record: MemberRecord): boolean {
  return record.roles.includes('master');
}

/** Voters that have joined once and not left: those whose voice the database may still count. */
export function knownVoters(ledger: Ledger): readonly MemberRecord[] {
  return Object.values(ledger.members).filter((record) => votes(record) && record.joinedOnce && !record.left);
}

/**
 * The number of voters that the database must be made to ask for, or 0 to leave it as it is.
 * It never exceeds the voters that are joined now, because the database would lose its master, and is never lowered
 * because some are away: only when one has left, or is about to.
 */
export function quorumTarget(ledger: Ledger, joined: readonly string[], leaving: number): number {
  const known = knownVoters(ledger);
  const live = known.filter((record) => joined.includes(record.name)).length;
  const least = quorumOf(Math.max(1, known.length - leaving));
  const target = Math.max(least, Math.min(ledger.spec.minimumMasters ?? 0, known.length - leaving));
  return target <= live ? target : 0;
}
