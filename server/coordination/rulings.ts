/** What people may rule on permits: approve, deny, revoke. Pure; who ruled and why goes into the ledger. */
import { NavigatorError } from '../../shared/errors.ts';
import type { Hold } from '../model/hold.ts';
import type { Ledger } from '../model/ledger.ts';
import type { Permit } from '../model/permit.ts';
import { approvable } from '../reconcile/holds.ts';
import { change } from './permits.ts';

export interface Person {
  readonly who: string;
  readonly why: string;
  readonly wallMs: number;
}

/**
 * Lets a queued or denied permit pass those of `holds`, the ones that the person was shown, that a person may take upon
 * themselves. What holds it for another reason, now or later, still does.
 */
export function approve(ledger: Ledger, id: string, person: Person, holds: readonly Hold[]): Ledger {
  const permit = find(ledger, id, person);
  expectState(permit, ['queued', 'denied'], 'approved');
  const approvedHolds = [...new Set([...(permit.approvedHolds ?? []), ...approvable(holds)])];
  const approved = { approvedBy: person.who, approvedHolds, decidedBy: person.who };
  return change(ledger, id, nowOf(person), { state: 'queued', ...approved, decision: `approved: ${person.why}` });
}

/** Refuses what a member asks for, until somebody approves it. */
export function deny(ledger: Ledger, id: string, person: Person): Ledger {
  const permit = find(ledger, id, person);
  expectState(permit, ['queued'], 'denied');
  return change(ledger, id, nowOf(person), { state: 'denied', decidedBy: person.who, decision: person.why });
}

/** Takes back a permit that has been granted and not been used yet. */
export function revoke(ledger: Ledger, id: string, person: Person): Ledger {
  const permit = find(ledger, id, person);
  expectState(permit, ['granted'], 'revoked');
  return change(ledger, id, nowOf(person), { state: 'revoked', decidedBy: person.who, decision: person.why });
}

function nowOf(person: Person): { wallMs: number; monotonicMs: number } {
  return { wallMs: person.wallMs, monotonicMs: 0 };
}

function find(ledger: Ledger, id: string, person: Person): Permit {
  if (person.who === '') throw new NavigatorError('invalid', 'who is missing: the ledger records who ruled');
  if (person.why === '') throw new NavigatorError('invalid', 'why is missing: the ledger records the reason');
  const permit = ledger.permits.find((candidate) => candidate.id === id);
  if (permit === undefined) {
    throw new NavigatorError('not_found', `there is no permit ${id}`, {
      advice: ['`navigator get permits` lists them'],
    });
  }
  return permit;
}

function expectState(permit: Permit, states: readonly Permit['state'][], ruling: string): void {
  if (states.includes(permit.state)) return;
  const allowed = states.join(' or ');
  throw new NavigatorError(
    'refused',
    `permit ${permit.id} is ${permit.state}; only one that is ${allowed} can be ${ruling}`,
  );
}
