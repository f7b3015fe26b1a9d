/**
 * The cluster-wide settings that the leader must make true now. Pure.
 * They are computed from the state alone, so that every one of them is undone as soon as its reason is gone: a permit
 * that has ended, an asking that was taken back, a scale-down that was called off.
 */
import { digest } from '../../shared/ids.ts';
import { openPermits } from '../coordination/permits.ts';
import { isMemberName } from '../model/cluster.ts';
import type { Ledger } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import type { Allocation, Permit } from '../model/permit.ts';
import type { SettingsOrder } from '../model/plan.ts';
import type { Now, Timing } from '../model/timing.ts';
import { comesBack, keepsShards } from './asking.ts';
import { topologyOrder } from './couchbase-order.ts';
import { isDrained } from './drains.ts';
import { onlyHeldBy } from './holds.ts';
import { quorumTarget, votes } from './quorum.ts';
import { leavingMembers } from './topology.ts';
import type { Turns } from './turns.ts';

interface When {
  readonly now: Now;
  readonly timing: Timing;
}

/** What of the turns the settings follow from. */
type Moves = Pick<Turns, 'ledger' | 'next'>;

/** What the leader must make true, or nothing where it is not known what is true. */
export function settingsOrder(turns: Moves, observed: Observation, when: When): SettingsOrder | undefined {
  const { ledger } = turns;
  if (observed.cluster === undefined) return undefined;
  if (ledger.spec.application === 'couchbase') return couchbaseOrder(turns, observed, when.now);
  const wanted = {
    term: ledger.leadership.term,
    excluded: excluded(turns, observed, when),
    owned: owned(ledger, observed),
    allocation: allocation(turns, observed, when),
    quorum: quorumTarget(ledger, observed.cluster.nodes, departingVoters(turns)),
  };
  return named(wanted, ledger, observed);
}

/**
 * The generation is in it so that what was true for an earlier wish is never taken for an answer to this one; and what was told
 * before it, so that what was true before an order in between is neither: the leader may still be at that one.
 */
function named(
  wanted: Omit<SettingsOrder, 'id' | 'content'>,
  { generation }: Ledger,
  { told }: Observation,
): SettingsOrder {
  const content = digest({ ...wanted, generation });
  return { id: content === told.content ? told.id : digest({ content, after: told.id }), content, ...wanted };
}

/** It has no settings of Elasticsearch's: what they are in an order says that they are left alone. */
function couchbaseOrder(turns: Moves, observed: Observation, now: Now): SettingsOrder | undefined {
  const topology = topologyOrder(turns, observed, now);
  if (topology === undefined) return undefined;
  const { term } = turns.ledger.leadership;
  const wanted = { term, excluded: [], owned: [], allocation: 'all' as const, quorum: 0, topology };
  return named(wanted, turns.ledger, observed);
}

/**
 * The one order that is given while the cluster is paused, or nothing: voters that were starting when it was paused have
 * joined, and with the quorum of before a split network could elect two masters. All else stays as it is.
 */
export function orderInPause(
  order: SettingsOrder | undefined,
  ledger: Ledger,
  observed: Observation,
): SettingsOrder | undefined {
  const { cluster } = observed;
  // It says to do nothing: without it, the leader would go on with the one before.
  if (order?.topology !== undefined) return order;
  if (order === undefined || cluster === undefined || order.quorum <= (cluster.quorum ?? order.quorum))
    return undefined;
  const { id: _id, content: _content, ...wanted } = order;
  const excluded = cluster.excluded.filter((name) => order.owned.includes(name));
  return named({ ...wanted, excluded, allocation: cluster.allocation }, ledger, observed);
}

/** Whether the leader has said that all of this order is true, and of no order before it that it may still be at. */
export function isInForce(observed: Observation, order: SettingsOrder | undefined): boolean {
  return order !== undefined && observed.cluster?.appliedOrder === order.id;
}

/** Members that are there, and those long gone whose exclusion came back, as by a write that was late. */
function owned({ spec, members }: Ledger, { cluster }: Observation): readonly string[] {
  const left = cluster?.excluded.filter((name) => isMemberName(spec.id.name, name)) ?? [];
  return [...new Set([...Object.keys(members), ...left])].sort();
}

/**
 * Who is drained. No drain begins while a member that is to come back holds a permit: what is drained could move to it,
 * after it has shown that it holds no last copy, and go with it. As with the restriction of the allocation, that has an end.
 */
function excluded(turns: Moves, observed: Observation, when: When): readonly string[] {
  const wanted = [...new Set([...leavers(turns.ledger), ...keptEmpty(turns)])].sort();
  if (!isRollUnderWay(turns.ledger, observed, when)) return wanted;
  return wanted.filter((name) => observed.cluster?.excluded.includes(name) === true);
}

/**
 * Members on their way out. One that has crashed in the middle stays excluded: measured on 5.6 and 6.8, the database
 * gives its primaries back to it all the same, and goes on to move them away.
 */
function leavers(ledger: Ledger): readonly string[] {
  return leavingMembers(ledger)
    .filter(keepsShards)
    .map((record) => record.name);
}

/**
 * Members that are emptied before a restart because they hold last copies, until the restart is over; and whoever
 * holds a permit that was granted to it as an emptied one. It may go at any moment, also one that is to leave no
 * longer: what was put on it meanwhile would go with it.
 */
function keptEmpty({ ledger, next }: Moves): readonly string[] {
  const waiting = next.filter(isDrained).map(({ asking }) => asking.record.name);
  const going = openPermits(ledger)
    .filter((permit) => permit.evidence.excluded === true && ledger.members[permit.member]?.left === false)
    .map((permit) => permit.member);
  return [...waiting, ...going];
}

/**
 * Restricted from just before a member goes away until it is back, but not for longer than `undoAfterMs`: then the
 * database may rebuild the replicas elsewhere, because the member may never come back.
 */
function allocation(turns: Moves, observed: Observation, when: When): Allocation {
  const about = turns.next.some(
    ({ asking, holds }) =>
      comesBack(asking) && keepsShards(asking.record) && onlyHeldBy(holds, 'allocation_is_not_restricted'),
  );
  return about || isRollUnderWay(turns.ledger, observed, when) ? 'primaries' : 'all';
}

/** Whether a data member that comes back is away by permit, or may go at any moment, and that has not been so for too long. */
function isRollUnderWay(ledger: Ledger, observed: Observation, { now, timing }: When): boolean {
  return openPermits(ledger).some((permit) => {
    const record = ledger.members[permit.member];
    const since = observed.permitChangedAtMs.get(permit.id) ?? observed.serverStartedAtMs;
    const fresh = now.monotonicMs < since + timing.undoAfterMs;
    return isRoll(permit) && fresh && record !== undefined && keepsShards(record);
  });
}

function isRoll(permit: Permit): boolean {
  return permit.verb === 'restart' || permit.verb === 'upgrade' || permit.verb === 'stop';
}

/** Voters that hold a permit to leave, or would if the quorum were lowered for them: one of these at a time. */
function departingVoters({ ledger, next }: Moves): number {
  const going = openPermits(ledger).filter((permit) => {
    const record = ledger.members[permit.member];
    return permit.verb === 'leave' && record !== undefined && votes(record) && record.joinedOnce;
  });
  if (going.length > 0) return going.length;
  const waiting = next.some(
    ({ asking, holds }) =>
      asking.verb === 'leave' &&
      votes(asking.record) &&
      asking.record.joinedOnce &&
      onlyHeldBy(holds, 'quorum_setting_is_not_lowered', 'leader_must_hand_over'),
  );
  return waiting ? 1 : 0;
}
