/**
 * What the leader of a Couchbase cluster must do next. Pure, and computed from the state alone: the topology that the leader
 * has read, what members say of themselves, and whose turn it is to leave. At most one kind of thing is ordered at a time,
 * and nothing while a rebalance is running, so that none is ever fired into another.
 *
 * A rebalance that takes members out is ordered only where nothing but it keeps them from leaving: their askings were
 * weighed like those for any other step. It moves what they hold before they are out; the permit to leave, which lets
 * the process stop and its data go, comes after.
 */
import { successors } from '../coordination/elections.ts';
import { openPermits } from '../coordination/permits.ts';
import type { CouchbaseSpec } from '../model/cluster.ts';
import type { Topology, TopologyOrder } from '../model/couchbase.ts';
import { isPaused, type Ledger, type MemberRecord } from '../model/ledger.ts';
import { serves, type Observation } from '../model/observation.ts';
import type { Now } from '../model/timing.ts';
import { approvedFailovers, bucketOrder } from './couchbase-asks.ts';
import { aboutToSwap, isSwapped, surplus } from './couchbase-swaps.ts';
import type { Weighed } from './holds.ts';
import { callsForRebalance, hasQuorum, isFresh, lost, nodeOf, vanished } from './couchbase-topology.ts';
import { leavingMembers } from './topology.ts';

/** The part of the turns that an order follows from. */
interface Moves {
  readonly ledger: Ledger;
  readonly next: readonly Weighed[];
}

/** The order of this moment; undefined where the topology is not known. */
export function topologyOrder({ ledger, next }: Moves, observed: Observation, now: Now): TopologyOrder | undefined {
  const topology = observed.cluster?.topology;
  const { couchbase } = ledger.spec;
  if (topology === undefined || couchbase === undefined) return undefined;
  const nothing = emptyOrder(topology, couchbase);
  const still =
    isPaused(ledger) || ledger.stopping !== undefined || ledger.deleting || observed.unrecordable !== undefined;
  if (still || topology.rebalancing) return nothing;
  const forced = approvedFailovers(ledger, topology);
  if (!hasQuorum(topology)) return { ...nothing, failOver: forced, unsafe: forced.length > 0 };
  const gone = vanished(ledger, topology);
  if (gone.length > 0) return { ...nothing, rebalance: true, eject: gone };
  const add = joinable(ledger, observed, topology);
  const recover = returning(ledger, observed, topology);
  const safe = lost(ledger, observed, topology).filter(({ lastCopies }) => lastCopies === 0);
  const failOver = [...new Set([...safe.map(({ otp }) => otp), ...forced])];
  const discard = discarded(ledger, observed, topology);
  const move = moved(ledger, topology);
  if (move.length > 0) return { ...nothing, move };
  if (add.length + recover.length + failOver.length + discard.length > 0) {
    const nodes = add.map((record) => ({
      host: record.address,
      services: record.roles,
      group: zoneOf(ledger, record),
    }));
    return { ...nothing, add: nodes, recover, failOver, discard };
  }
  const eject = ejected(ledger, next, observed, topology);
  if (eject.length === 0 && !callsForRebalance(topology))
    return {
      ...nothing,
      ...bucketOrder(ledger, topology),
      ...accessOrder(ledger),
      memoryQuotas: couchbase.memoryQuotas,
    };
  const waits = waitedFor(ledger, observed, { topology, eject, now });
  return waits === undefined ? { ...nothing, rebalance: true, eject } : nothing;
}

function emptyOrder(topology: Topology, { autoFailover }: CouchbaseSpec): TopologyOrder {
  const known = topology.nodes.map(({ otp }) => otp).toSorted();
  const none = {
    add: [],
    recover: [],
    failOver: [],
    discard: [],
    move: [],
    unsafe: false,
    rebalance: false,
    eject: [],
  };
  const settings = { buckets: [], drop: [], shrink: [], memoryQuotas: {}, autoFailover };
  const access = { users: [], groups: [], dropUsers: [], dropGroups: [] };
  return { judged: topology.digest, known, ...none, ...settings, ...access };
}

/** Users and groups as the manifest names them, and those that go because it names them no more. */
function accessOrder({ spec, ownedUsers = [], ownedGroups = [] }: Ledger) {
  const { users = [], groups = [] } = spec.couchbase ?? {};
  const gone = (owned: readonly string[], wanted: readonly { readonly name: string }[]): readonly string[] =>
    owned.filter((name) => !wanted.some((one) => one.name === name));
  return { users, groups, dropUsers: gone(ownedUsers, users), dropGroups: gone(ownedGroups, groups) };
}

function wanted(ledger: Ledger): readonly MemberRecord[] {
  const leaving = new Set(leavingMembers(ledger).map(({ name }) => name));
  return Object.values(ledger.members).filter((record) => !record.left && !leaving.has(record.name));
}

/** Members that are up in the wanted version, of no cluster, and wanted in this one. */
function joinable(ledger: Ledger, observed: Observation, topology: Topology): readonly MemberRecord[] {
  return wanted(ledger).filter((record) => {
    const running = observed.members.get(record.name)?.process.version;
    const isNew = record.version === ledger.spec.version && !isUpgrading(ledger, record, running);
    const goes = openPermits(ledger).some(({ member, verb }) => member === record.name && verb === 'leave');
    return isNew && !goes && isFresh(observed, record) && nodeOf(topology, record) === undefined;
  });
}

/** Whether what runs is still the version of before: its permit to upgrade is in use, and its database about to be stopped. */
function isUpgrading(ledger: Ledger, record: MemberRecord, running: string | undefined): boolean {
  const open = openPermits(ledger).some(({ member, verb }) => member === record.name && verb === 'upgrade');
  return open && running !== record.version;
}

/** Nodes that were failed over, are healthy again with what they held, and are wanted. */
function returning(ledger: Ledger, observed: Observation, topology: Topology): readonly string[] {
  return wanted(ledger).flatMap((record) => {
    const node = nodeOf(topology, record);
    const standing = observed.members.get(record.name)?.node?.standing;
    return node?.standing === 'failed' && node.healthy && standing === 'failed' ? [node.otp] : [];
  });
}

/** The server group of a member: its zone, by its ordinal; empty: its pool has none. */
function zoneOf({ spec }: Ledger, { pool, ordinal }: MemberRecord): string {
  const zones = spec.nodePools.find(({ name }) => name === pool)?.zones ?? [];
  return zones[ordinal % zones.length] ?? '';
}

/** The founder is in no zone of its own choice: it is moved as long as it is alone, when there is nothing to spread yet. */
function moved(ledger: Ledger, { nodes }: Topology): TopologyOrder['move'] {
  const [only] = nodes;
  if (only === undefined || nodes.length > 1) return [];
  const record = Object.values(ledger.members).find(({ address }) => address === only.host);
  const group = record === undefined ? '' : zoneOf(ledger, record);
  return group === '' || group === only.group ? [] : [{ otp: only.otp, group }];
}

/**
 * Failed nodes whose members are as new and wanted. The database forgets them without a rebalance, so that the one that takes
 * the member in again is the only one.
 */
function discarded(ledger: Ledger, observed: Observation, topology: Topology): readonly string[] {
  return wanted(ledger).flatMap((record) => {
    const node = nodeOf(topology, record);
    return node?.standing === 'failed' && isFresh(observed, record) ? [node.otp] : [];
  });
}

/** Those that nothing keeps but the rebalance itself, failed nodes that do not come back, and those that are swapped. */
function ejected(
  ledger: Ledger,
  next: readonly Weighed[],
  observed: Observation,
  topology: Topology,
): readonly string[] {
  // Where nobody else could lead, as beside one that is only added, the leader takes out itself.
  const isAlone = successors(ledger, observed).length === 0;
  const free = next
    .filter(({ asking }) => asking.verb === 'leave' && (isAlone || asking.record.name !== ledger.leadership.leader))
    .map(({ asking }) => asking.record);
  const leaving = leavingMembers(ledger);
  const failed = Object.values(ledger.members).filter((record) => {
    const node = nodeOf(topology, record);
    const isNew = observed.members.get(record.name)?.node?.standing === 'fresh';
    return node?.standing === 'failed' && (isNew || leaving.includes(record));
  });
  const swapped = swappedOut(ledger, next, topology);
  const otps = [...free, ...failed, ...swapped].flatMap((record) => nodeOf(topology, record)?.otp ?? []);
  return [...new Set(otps)].toSorted();
}

/** Of each pool no more go than there are others of the new version to take over; the leader goes last, and alone. */
function swappedOut(ledger: Ledger, next: readonly Weighed[], topology: Topology): readonly MemberRecord[] {
  const swaps = next.filter(({ asking }) => asking.verb === 'upgrade' && isSwapped(ledger, asking.record));
  const others = swaps.filter(({ asking }) => asking.record.name !== ledger.leadership.leader);
  const going = others.length > 0 ? others : swaps;
  return ledger.spec.nodePools.flatMap(({ name }) => {
    const mine = going.map(({ asking }) => asking.record).filter(({ pool }) => pool === name);
    return mine.slice(0, surplus(ledger, topology, name));
  });
}

interface Due {
  readonly topology: Topology;
  /** Who would be taken out. */
  readonly eject: readonly string[];
  readonly now: Now;
}

/** How long a rebalance that is due waits for members that are to take part in it, in ms. */
export const rebalanceWaitsMs = 600_000;
/** How long after a failure the next rebalance is begun, in ms: twice as long after each. */
const retryRule = { firstMs: 5_000, capMs: 300_000 };

/**
 * What a rebalance waits for, in words: one with a dead node fails, one with a failed node that comes back would throw it out,
 * the leader does not take out itself where another one could lead, and after a failure there is a pause that grows. These have
 * no end of their own. One rebalance for all is cheaper than one for each, so it waits for those who are about to take
 * part, too; but no longer than `rebalanceWaitsMs` in one topology.
 */
export function waitedFor(ledger: Ledger, observed: Observation, due: Due): string | undefined {
  const { topology, eject } = due;
  const dead = topology.nodes.find(({ standing, healthy }) => standing !== 'failed' && !healthy);
  if (dead !== undefined) return `${dead.host} does not answer, and a rebalance with it would fail`;
  const expected = wanted(ledger).find((record) => {
    const isNew = observed.members.get(record.name)?.node?.standing === 'fresh';
    return nodeOf(topology, record)?.standing === 'failed' && !isNew;
  });
  if (expected !== undefined) return `${expected.name} was failed over, and is expected back`;
  const { leader } = ledger.leadership;
  const own = ledger.members[leader] && nodeOf(topology, ledger.members[leader]);
  const leaves = leavingMembers(ledger).some(({ name }) => name === leader) || eject.includes(own?.otp ?? '');
  if (leaves && hasHeir(ledger, observed)) return `${leader} leaves, and another one leads first`;
  return retryPause(observed, due) ?? boundedWait(ledger, observed, due);
}

/**
 * Whether somebody stays who serves and asks for nothing, and leads soon in the leader's stead. One that asks may wait for this
 * very rebalance: then the others are taken out without the leader.
 */
function hasHeir(ledger: Ledger, observed: Observation): boolean {
  return wanted(ledger).some(({ name }) => {
    const seen = observed.members.get(name);
    return name !== ledger.leadership.leader && serves(seen) && seen.request === undefined;
  });
}

/** After so many failures in a row, how long until the next try. */
function retryPause({ watch }: Observation, { now }: Due): string | undefined {
  if (watch === undefined || watch.failures === 0) return undefined;
  const pauseMs = Math.min(retryRule.capMs, retryRule.firstMs * 2 ** (watch.failures - 1));
  const restMs = watch.failedAtMs + pauseMs - now.monotonicMs;
  if (restMs <= 0) return undefined;
  return `it has failed ${watch.failures} times in a row, and is tried again ${pauseMs / 1_000} s after the last`;
}

function boundedWait(ledger: Ledger, observed: Observation, { topology, eject, now }: Due): string | undefined {
  const { watch } = observed;
  const isLong = watch?.digest === topology.digest && now.monotonicMs >= watch.sinceMs + rebalanceWaitsMs;
  if (isLong) return undefined;
  const comes = wanted(ledger).find(
    (record) => nodeOf(topology, record) === undefined && isComing(ledger, observed, record),
  );
  if (comes !== undefined) return `${comes.name} is starting, and is added first`;
  const unasked = leavingMembers(ledger).find((record) => {
    const seen = observed.members.get(record.name);
    return nodeOf(topology, record) !== undefined && seen?.connected === true && seen.request === undefined;
  });
  if (unasked !== undefined) return `${unasked.name} is about to ask to leave`;
  const [swap] = aboutToSwap(ledger, topology);
  // Beside one that leaves, also one that was never active, no other has its turn.
  const isOut =
    swap !== undefined && topology.nodes.some(({ otp, standing }) => eject.includes(otp) && standing !== 'failed');
  return swap === undefined || isOut ? undefined : `${swap.name} is about to be taken out for another one`;
}

/**
 * Whether a member that is not part of the cluster is on its way to it: it starts, comes to another version first, or runs and has
 * yet to say that it is as new, as one does that was just taken out.
 */
function isComing(ledger: Ledger, observed: Observation, record: MemberRecord): boolean {
  const seen = observed.members.get(record.name);
  const phase = seen?.process.phase ?? 'unknown';
  if (phase === 'unknown' || phase === 'preparing' || phase === 'starting') return true;
  if (phase === 'running' && record.cast === undefined) return true;
  const open = openPermits(ledger).filter(({ member }) => member === record.name);
  const returns = open.some(({ verb }) => verb === 'upgrade' || verb === 'wipe');
  return returns || record.version !== ledger.spec.version;
}
