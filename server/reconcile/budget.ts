/**
 * The one budget: how many members may be away at once. Pure.
 * It counts every member that is away for whatever reason, not only those that Navigator took away, and everything
 * that wants to take one away shares it.
 */
import { isOpen } from '../model/permit.ts';
import type { Ledger } from '../model/ledger.ts';
import { serves, type Observation } from '../model/observation.ts';

/** The names of all members that are away, or may go at any moment because they hold a permit. */
export function awayMembers(ledger: Ledger, observed: Observation): ReadonlySet<string> {
  const away = new Set<string>();
  for (const record of Object.values(ledger.members)) {
    const isThere = serves(observed.members.get(record.name)) && record.cast === undefined;
    if (!record.left && !isThere) away.add(record.name);
  }
  for (const permit of ledger.permits) {
    const gone = ledger.members[permit.member]?.left ?? true;
    if (isOpen(permit) && !gone) away.add(permit.member);
  }
  return away;
}

/** Whether `member` may be taken away without more than the budget being away. */
export function fitsBudget(ledger: Ledger, away: ReadonlySet<string>, member: string): boolean {
  const others = [...away].filter((name) => name !== member).length;
  return others + 1 <= ledger.spec.maxUnavailable;
}
