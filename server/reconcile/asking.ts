/** One member's wish for one step, with all that the rules may look at. Pure. */
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

/** Whether a member of these roles keeps shards. */
export function keepsShards(record: MemberRecord): boolean {
  return record.roles.includes('data');
}
