/**
 * Drains for the sake of a restart: whose, and who takes what is drained. Pure.
 * A drain holds up every other one, so none is begun or kept that cannot end: the database never puts a copy on a node
 * of an older version, on one that is itself excluded, or back on the one that is drained.
 */
import semver from 'semver';
import type { HoldName } from '../model/hold.ts';
import type { MemberRecord } from '../model/ledger.ts';
import { comesBack, keepsShards, type Asking } from './asking.ts';
import { isNearlyFree, onlyHeldBy, removable, type Weighed } from './holds.ts';
import { leavingMembers } from './topology.ts';

/** Whether `one` runs an older version than `other`. */
export function isOlder(one: MemberRecord, other: MemberRecord): boolean {
  const known = semver.valid(one.version) !== null && semver.valid(other.version) !== null;
  return known && semver.lt(one.version, other.version);
}

/** Data members that could take over what this one holds: they serve, are not about to go, and are not older. */
export function heirs({ ledger, record, away }: Asking): readonly MemberRecord[] {
  const leaving = new Set(leavingMembers(ledger).map(({ name }) => name));
  return Object.values(ledger.members).filter(
    (other) =>
      other.name !== record.name &&
      keepsShards(other) &&
      !other.left &&
      !leaving.has(other.name) &&
      !away.has(other.name) &&
      !isOlder(other, record),
  );
}

/** What a drain that has begun waits for: it passes by itself, or is what the leader removes. */
const waitedFor: readonly HoldName[] = [
  ...removable,
  'evidence_is_unknown',
  'evidence_is_of_another_life',
  'budget_is_spent',
  'shards_are_moving',
];

/**
 * Whether a member that comes back is being emptied, and that goes on. Where anything else holds it, as a denial or
 * copies that may wait for this very node, the exclusion is lifted: it could otherwise stand for ever.
 */
function goesOn({ asking, holds }: Weighed): boolean {
  const { excluded, lastCopies } = asking.evidence;
  return excluded === true && onlyHeldBy(holds, ...waitedFor) && (lastCopies === 0 || heirs(asking).length > 0);
}

function holdsLastCopies({ holds }: Weighed): boolean {
  return holds.some(({ name }) => name === 'last_copy_of_a_shard');
}

function isReady(one: Weighed): boolean {
  return isNearlyFree(one.holds) && (!holdsLastCopies(one) || heirs(one.asking).length > 0);
}

/**
 * Those that may roll next, in their order: one whose drain is under way before all others, and never two that must
 * be drained, because neither would be an heir of the other.
 */
export function nextToRoll(rolling: readonly Weighed[], atOnce: number): readonly Weighed[] {
  const under = rolling.find(goesOn);
  if (under !== undefined) return [under];
  const ready = rolling.filter(isReady);
  const toDrain = ready.find(isDrained);
  return ready.filter((one) => one === toDrain || !isDrained(one)).slice(0, atOnce);
}

/** Whether a member that is next stays excluded, or is excluded now, until its restart is over. */
export function isDrained(one: Weighed): boolean {
  const { asking } = one;
  return comesBack(asking) && keepsShards(asking.record) && (asking.evidence.excluded === true || holdsLastCopies(one));
}
