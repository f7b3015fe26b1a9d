/** What a Couchbase cluster's topology says, beside what is known of its members. Pure. */
import type { Topology, TopologyNode } from '../model/couchbase.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';

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

/** The node of a member, if it is part of the cluster. */
export function nodeOf(topology: Topology, record: MemberRecord): TopologyNode | undefined {
  return topology.nodes.find(({ host }) => host === record.address);
}

/** Whether a member's pilot is heard, and says that its node is as new: it holds nothing. */
export function isFresh({ members }: Observation, { name }: MemberRecord): boolean {
  const seen = members.get(name);
  return seen?.connected === true && seen.node?.standing === 'fresh';
}

/** Nodes that do not answer and are nobody's: their members have left while they were added. Every rebalance with them fails. */
function ownerless(ledger: Ledger, topology: Topology): readonly TopologyNode[] {
  const hosts = new Set(Object.values(ledger.members).flatMap(({ left, address }) => (left ? [] : [address])));
  return topology.nodes.filter(({ healthy, host }) => !healthy && !hosts.has(host));
}

/** Those of them that were never active: they hold nothing, and the database lets them go without a rebalance. */
export function vanished(ledger: Ledger, topology: Topology): readonly string[] {
  return ownerless(ledger, topology).flatMap(({ standing, otp }) => (standing === 'added' ? [otp] : []));
}

/** Active nodes that are nobody's, or whose own pilots say that they are as new: what they held is gone. */
export function lost(ledger: Ledger, observed: Observation, topology: Topology): readonly TopologyNode[] {
  const asNew = Object.values(ledger.members).flatMap((record) => {
    const node = nodeOf(topology, record);
    return node !== undefined && !node.healthy && isFresh(observed, record) ? [node] : [];
  });
  return [...asNew, ...ownerless(ledger, topology)].filter(({ standing }) => standing === 'active');
}
