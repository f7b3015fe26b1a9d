/** What a Couchbase cluster's topology says, beside what is known of its members. Pure. */
import type { Topology, TopologyNode } from '../model/couchbase.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';

/** Whether more than half of the active nodes are healthy. Without them the database decides nothing, and Navigator neither. */
export function hasQuorum(topology: Topology): boolean {
  const active = topology.nodes.filter(({ standing }) => standing === 'active');
  return active.filter(({ healthy }) => healthy).length * 2 > active.length;
}

/** Whether the database has something to move, but for those that are to be taken out. */
export function callsForRebalance(topology: Topology): boolean {
  return !topology.balanced || topology.nodes.some(({ standing }) => standing === 'added');
}

/** The node of a member, if it is part of the cluster. */
export function nodeOf(topology: Topology, record: MemberRecord): TopologyNode | undefined {
  return topology.nodes.find(({ host }) => host === record.address);
}

/** Active nodes whose own pilots say that they are as new: what they held is gone. */
export function lost(ledger: Ledger, observed: Observation, topology: Topology): readonly TopologyNode[] {
  return Object.values(ledger.members).flatMap((record) => {
    const node = nodeOf(topology, record);
    const seen = observed.members.get(record.name);
    const isNew = seen?.connected === true && seen.node?.standing === 'fresh';
    return node?.standing === 'active' && !node.healthy && isNew ? [node] : [];
  });
}
