/** Which members have gone for good. Pure. */
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import { leavingMembers } from './topology.ts';

/**
 * A member has left whose permit to leave has just been completed, or that is stopped while its cluster is deleted. One of
 * which nothing runs needs no permit: while its cluster is deleted, and where it is unwanted and never was a part of it. One
 * that was may hold data, and has to come back to say so.
 */
export function noteDepartures(before: Ledger, after: Ledger, observed: Observation): Ledger {
  const done = after.permits.filter((permit) => {
    const was = before.permits.find((candidate) => candidate.id === permit.id);
    return permit.verb === 'leave' && permit.state === 'completed' && was?.state === 'used';
  });
  const gone = new Set(done.map((permit) => permit.member));
  const unwanted = new Set(leavingMembers(after).map(({ name }) => name));
  const isGone = ({ name, joinedOnce }: MemberRecord): boolean => {
    const member = observed.members.get(name);
    if (gone.has(name)) return true;
    if (isWaiting(name, observed)) return after.deleting || (!joinedOnce && unwanted.has(name));
    return after.deleting && member?.connected === true && member.process.phase === 'stopped';
  };
  const left = Object.values(after.members).filter((record) => !record.left && isGone(record));
  if (left.length === 0) return after;
  const members = { ...after.members };
  for (const record of left) members[record.name] = { ...record, left: true };
  return { ...after, members };
}

/** Whether the runtime knows that nothing of it runs, and nobody says otherwise. */
function isWaiting(name: string, { members, runtime }: Observation): boolean {
  return runtime.get(name)?.waiting !== undefined && members.get(name)?.connected !== true;
}
