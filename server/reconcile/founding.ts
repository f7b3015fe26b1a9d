/**
 * Which member makes a Couchbase cluster of itself, and what is told of a rebalance. Pure.
 * There is one founder, chosen once: it stands in the ledger before it is told, so that whoever dies when, no second
 * member ever begins a cluster of its own. It is the data member with the lowest ordinal of the first such pool.
 */
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import type { Doing } from '../model/plan.ts';

/** The ledger with its founder; the same object where it has one, or can have none yet. */
export function noteFounder(ledger: Ledger): Ledger {
  if (ledger.spec.application !== 'couchbase' || ledger.founder !== undefined) return ledger;
  const pools = ledger.spec.nodePools.map(({ name }) => name);
  const [first] = Object.values(ledger.members)
    .filter(({ roles, left }) => roles.includes('data') && !left)
    .toSorted((a, b) => pools.indexOf(a.pool) - pools.indexOf(b.pool) || a.ordinal - b.ordinal);
  return first === undefined ? ledger : { ...ledger, founder: first.name };
}

/** Whether it is to make a cluster of itself: nobody is known to have been part of one. */
export function founds(ledger: Ledger, record: MemberRecord): boolean {
  const isFounder = ledger.founder === record.name;
  return isFounder && !Object.values(ledger.members).some(({ joinedOnce }) => joinedOnce);
}

/** What a member is told of itself, beyond what is wanted of all. */
export function toldOf(ledger: Ledger, record: MemberRecord): { readonly founds: boolean; readonly stale: boolean } {
  return { founds: founds(ledger, record), stale: record.cast !== undefined };
}

/** What the database is doing by itself. */
export function rebalancing({ cluster }: Observation): readonly Doing[] {
  const { topology } = cluster ?? {};
  if (topology?.rebalancing !== true) return [];
  return [{ member: '', message: `rebalancing, ${topology.progressPercent} %` }];
}
