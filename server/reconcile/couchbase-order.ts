/**
 * What the leader of a Couchbase cluster must do next. Pure, and computed from the state alone: the topology that the leader
 * has read, what members say of themselves, and whose turn it is to leave. At most one kind of thing is ordered at a time,
 * and nothing while a rebalance is running, so that none is ever fired into another.
 *
 * A rebalance that takes members out is ordered only where nothing but it keeps them from leaving: their askings were
 * weighed like those for any other step. It moves what they hold before they are out; the permit to leave, which lets
 * the process stop and its data go, comes after.
 */
import type { CouchbaseSpec } from '../model/cluster.ts';
import type { Topology, TopologyNode, TopologyOrder } from '../model/couchbase.ts';
import { isPaused, type Ledger, type MemberRecord } from '../model/ledger.ts';
import { serves, type Observation } from '../model/observation.ts';
import type { Weighed } from './holds.ts';
import { leavingMembers } from './topology.ts';

/** The part of the turns that an order follows from. */
interface Moves {
  readonly ledger: Ledger;
  readonly next: readonly Weighed[];
}

/** The order of this moment; undefined where the topology is not known. */
export function topologyOrder({ ledger, next }: Moves, observed: Observation): TopologyOrder | undefined {
  const topology = observed.cluster?.topology;
  const { couchbase } = ledger.spec;
  if (topology === undefined || couchbase === undefined) return undefined;
  const nothing = emptyOrder(topology, couchbase);
  const still =
    isPaused(ledger) || ledger.stopping !== undefined || ledger.deleting || observed.unrecordable !== undefined;
  if (still || topology.rebalancing || !hasQuorum(topology)) return { ...nothing, buckets: [] };
  const gone = vanished(ledger, topology);
  if (gone.length > 0) return { ...nothing, rebalance: true, eject: gone, buckets: [] };
  const add = joinable(ledger, observed, topology);
  const recover = returning(ledger, observed, topology);
  const failOver = lost(ledger, observed, topology).filter(({ lastCopies }) => lastCopies === 0);
  if (add.length + recover.length + failOver.length > 0) {
    const nodes = add.map(({ address, roles }) => ({ host: address, services: roles }));
    return { ...nothing, add: nodes, recover, failOver: failOver.map(({ otp }) => otp), buckets: [] };
  }
  const eject = ejected(ledger, next, observed, topology);
  const calls = eject.length > 0 || callsForRebalance(topology);
  if (!calls) return nothing;
  const waits = waitedFor(ledger, observed, topology);
  return { ...nothing, rebalance: waits === undefined, eject: waits === undefined ? eject : [], buckets: [] };
}

function emptyOrder(topology: Topology, couchbase: CouchbaseSpec): TopologyOrder {
  const known = topology.nodes.map(({ otp }) => otp).toSorted();
  const { buckets, autoFailover } = couchbase;
  const none = { add: [], recover: [], failOver: [], rebalance: false, eject: [] };
  return { judged: topology.digest, known, ...none, buckets, autoFailover };
}

/** Whether more than half of the active nodes are healthy. Without them the database decides nothing, and Navigator neither. */
export function hasQuorum(topology: Topology): boolean {
  const active = topology.nodes.filter(({ standing }) => standing === 'active');
  return active.filter(({ healthy }) => healthy).length * 2 > active.length;
}

/**
 * Whether the database has something to move, but for those that are to be taken out. One that failed has left something
 * undone, also where the database calls itself balanced: it does so from the moment at which a rebalance begins.
 */
export function callsForRebalance({ balanced, rebalanceError, nodes }: Topology): boolean {
  return !balanced || rebalanceError !== '' || nodes.some(({ standing }) => standing === 'added');
}

export function nodeOf(topology: Topology, record: MemberRecord): TopologyNode | undefined {
  return topology.nodes.find(({ host }) => host === record.address);
}

function wanted(ledger: Ledger): readonly MemberRecord[] {
  const leaving = new Set(leavingMembers(ledger).map(({ name }) => name));
  return Object.values(ledger.members).filter((record) => !record.left && !leaving.has(record.name));
}

/** Members that are up, of no cluster, and wanted in this one. */
function joinable(ledger: Ledger, observed: Observation, topology: Topology): readonly MemberRecord[] {
  return wanted(ledger).filter((record) => {
    const seen = observed.members.get(record.name);
    return seen?.connected === true && seen.node?.standing === 'fresh' && nodeOf(topology, record) === undefined;
  });
}

/** Nodes that were failed over, are healthy again with what they held, and are wanted. */
function returning(ledger: Ledger, observed: Observation, topology: Topology): readonly string[] {
  return wanted(ledger).flatMap((record) => {
    const node = nodeOf(topology, record);
    const standing = observed.members.get(record.name)?.node?.standing;
    return node?.standing === 'failed' && node.healthy && standing === 'failed' ? [node.otp] : [];
  });
}

/** Nodes that do not answer and are nobody's: their members have left while they were added. Every rebalance with them fails. */
function ownerless(ledger: Ledger, topology: Topology): readonly TopologyNode[] {
  const hosts = new Set(Object.values(ledger.members).flatMap(({ left, address }) => (left ? [] : [address])));
  return topology.nodes.filter(({ healthy, host }) => !healthy && !hosts.has(host));
}

/** Those of them that were never active: they hold nothing, and the database lets them go without a rebalance. */
function vanished(ledger: Ledger, topology: Topology): readonly string[] {
  return ownerless(ledger, topology).flatMap(({ standing, otp }) => (standing === 'added' ? [otp] : []));
}

/** Active nodes that are nobody's, or whose own pilots say that they are as new: what they held is gone. */
export function lost(ledger: Ledger, observed: Observation, topology: Topology): readonly TopologyNode[] {
  const asNew = Object.values(ledger.members).flatMap((record) => {
    const node = nodeOf(topology, record);
    const seen = observed.members.get(record.name);
    const isNew = seen?.connected === true && seen.node?.standing === 'fresh';
    return node !== undefined && !node.healthy && isNew ? [node] : [];
  });
  return [...asNew, ...ownerless(ledger, topology)].filter(({ standing }) => standing === 'active');
}

/** Those but the leader that nothing keeps but the rebalance itself, and failed nodes that do not come back. */
function ejected(
  ledger: Ledger,
  next: readonly Weighed[],
  observed: Observation,
  topology: Topology,
): readonly string[] {
  const free = next
    .filter(({ asking }) => asking.verb === 'leave' && asking.record.name !== ledger.leadership.leader)
    .map(({ asking }) => asking.record);
  const leaving = leavingMembers(ledger);
  const failed = Object.values(ledger.members).filter((record) => {
    const node = nodeOf(topology, record);
    const isNew = observed.members.get(record.name)?.node?.standing === 'fresh';
    return node?.standing === 'failed' && (isNew || leaving.includes(record));
  });
  const otps = [...free, ...failed].flatMap((record) => nodeOf(topology, record)?.otp ?? []);
  return [...new Set(otps)].toSorted();
}

/**
 * Whom a rebalance waits for, in words: one rebalance for all is cheaper than one for each, one with a dead node fails,
 * one with a failed node that comes back would throw it out, and a leader that leaves hands over before.
 */
export function waitedFor(ledger: Ledger, observed: Observation, topology: Topology): string | undefined {
  const dead = topology.nodes.find(({ standing, healthy }) => standing !== 'failed' && !healthy);
  if (dead !== undefined) return `${dead.host} does not answer, and a rebalance with it would fail`;
  for (const record of wanted(ledger)) {
    const node = nodeOf(topology, record);
    const seen = observed.members.get(record.name);
    const isNew = seen?.node?.standing === 'fresh';
    if (node?.standing === 'failed' && !isNew) return `${record.name} was failed over, and is expected back`;
    const phase = seen?.process.phase ?? 'unknown';
    const comes = phase === 'unknown' || phase === 'preparing' || phase === 'starting';
    if (node === undefined && comes) return `${record.name} is starting, and is added first`;
  }
  const leaving = leavingMembers(ledger);
  const unasked = leaving.find((record) => {
    const seen = observed.members.get(record.name);
    return nodeOf(topology, record) !== undefined && seen?.connected === true && seen.request === undefined;
  });
  if (unasked !== undefined) return `${unasked.name} is about to ask to leave`;
  return handsOver(ledger, observed) ? `${ledger.leadership.leader} leaves, and another one leads first` : undefined;
}

/**
 * Whether the leader leaves, and somebody stays who serves and asks for nothing: then another one leads soon. One that asks
 * may wait for this very rebalance: then the others are taken out without the leader.
 */
function handsOver(ledger: Ledger, observed: Observation): boolean {
  const { leader } = ledger.leadership;
  const heir = wanted(ledger).some(({ name }) => {
    const seen = observed.members.get(name);
    return serves(seen) && seen.request === undefined;
  });
  return heir && leavingMembers(ledger).some(({ name }) => name === leader);
}
