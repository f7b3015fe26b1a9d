/** One member's wish for one step, with all that the rules may look at. Pure. */
import { openPermits } from '../coordination/permits.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { MemberObservation, Observation } from '../model/observation.ts';
import type { Evidence, Verb } from '../model/permit.ts';

export interface Asking {
  readonly verb: Verb;
  readonly ledger: Ledger;
  readonly record: MemberRecord;
  readonly member: MemberObservation;
  readonly evidence: Evidence;
  readonly observed: Observation;
  /** Members that are away now, or may go at any moment. */
  readonly away: ReadonlySet<string>;
  /** The spec no longer asks for this member. */
  readonly leaving: boolean;
  /** The holds that a person has taken upon themselves. */
  readonly approved: readonly string[];
}

/** Steps after which the member comes back with what it holds. */
export function comesBack(asking: Asking): boolean {
  return asking.verb === 'restart' || asking.verb === 'upgrade' || asking.verb === 'stop';
}

/**
 * Another member that keeps shards and holds a permit, used or not, so that it may go beside this one at any moment. `counts`
 * says whether what it holds is a copy at all.
 */
export function goesBeside(
  { ledger, record }: Asking,
  counts: (other: MemberRecord) => boolean = () => true,
): string | undefined {
  if (!keepsShards(record)) return undefined;
  return openPermits(ledger).find(({ member }) => {
    const other = ledger.members[member];
    return other !== undefined && other.name !== record.name && keepsShards(other) && !other.left && counts(other);
  })?.member;
}

/** Whether a member of these roles keeps shards. */
export function keepsShards(record: MemberRecord): boolean {
  return record.roles.includes('data');
}
