/**
 * Every reason not to let a member of a Couchbase cluster take a step, and what a whole cluster waits for. Pure.
 * As with any application, a rule that lacks what it must know speaks: unknown is not zero.
 */
import type { Standing, Topology } from '../model/couchbase.ts';
import type { Hold, HoldName } from '../model/hold.ts';
import type { Ledger } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import { goesBeside, type Asking } from './asking.ts';
import { askHolds } from './couchbase-asks.ts';
import { waitedFor } from './couchbase-order.ts';
import { isSwapped, surplus } from './couchbase-swaps.ts';
import { callsForRebalance, hasQuorum, nodeOf } from './couchbase-topology.ts';
import type { Now } from '../model/timing.ts';
import type { Rule } from './holds.ts';
import { leavingMembers } from './topology.ts';

const away = ['restart', 'upgrade', 'stop'] as const;

/** Rules of every application that hold here, too. */
export const sharedRules: readonly HoldName[] = [
  'step_is_not_known',
  'cluster_is_paused',
  'journal_cannot_be_written',
  'denied_by_a_person',
  'member_is_wanted',
  'evidence_is_of_another_life',
  'leader_must_hand_over',
  'no_leader',
];

export const couchbaseRules: readonly Rule[] = [
  {
    name: 'member_is_down',
    verbs: ['restart', 'upgrade'],
    approvable: true,
    objection: (asking) => {
      const { member, record } = asking;
      if (isOut(asking) || !record.joinedOnce || member.node?.joined === true) return undefined;
      return `its database is ${member.process.phase} and not part of the cluster, so what it holds cannot be read`;
    },
  },
  {
    name: 'evidence_is_unknown',
    verbs: ['leave', ...away],
    objection: unknownObjection,
  },
  {
    name: 'evidence_is_unknown',
    verbs: ['wipe'],
    objection: ({ evidence }) =>
      evidence.standing === undefined || evidence.nodeId === '' ? 'what it is cannot be read' : undefined,
  },
  {
    name: 'evidence_is_of_another_life',
    verbs: ['wipe'],
    objection: ({ evidence, record }) =>
      evidence.nodeId === record.cast ? undefined : 'it is another node than the one that was taken out',
  },
  {
    name: 'node_is_stale',
    verbs: ['leave', ...away],
    objection: ({ evidence, observed, record }) => {
      const topology = observed.cluster?.topology;
      if (topology === undefined || evidence.standing === undefined || evidence.standing === 'fresh') return undefined;
      return nodeOf(topology, record) === undefined
        ? `it says that it is ${evidence.standing}, and the cluster does not know it: it was taken out while it was away`
        : undefined;
    },
  },
  {
    name: 'no_leader',
    verbs: ['wipe'],
    objection: ({ observed }) =>
      observed.cluster?.topology === undefined ? 'no leader says whether the cluster knows it' : undefined,
  },
  {
    name: 'node_is_stale',
    verbs: ['wipe'],
    approvable: true,
    objection: ({ evidence }) =>
      `it says that it is ${evidence.standing ?? 'part of a cluster'}, and was taken out while it was away: what only it holds goes when it is reset`,
  },
  {
    name: 'quorum_is_lost',
    verbs: ['leave', 'wipe', ...away],
    objection: ({ observed }) => {
      const topology = observed.cluster?.topology;
      return topology !== undefined && !hasQuorum(topology) ? quorumWords(topology) : undefined;
    },
  },
  {
    name: 'last_data_node',
    verbs: ['leave'],
    objection: ({ record, ledger, observed }) => {
      const topology = observed.cluster?.topology;
      if (topology === undefined || !record.roles.includes('data')) return undefined;
      if (nodeOf(topology, record) === undefined) return undefined;
      const leaving = new Set(leavingMembers(ledger).map(({ name }) => name));
      const stays = Object.values(ledger.members).some((other) => {
        const node = nodeOf(topology, other);
        // One that is added takes over in the same rebalance.
        const serves = node?.healthy === true && node.standing !== 'failed';
        return serves && other.roles.includes('data') && !other.left && !leaving.has(other.name);
      });
      return stays ? undefined : 'no other data node would be left to take over what it holds';
    },
  },
  {
    name: 'node_is_in_the_topology',
    verbs: ['leave'],
    objection: ({ observed, record, ledger }) => {
      const topology = observed.cluster?.topology;
      if (ledger.deleting || (topology !== undefined && nodeOf(topology, record) !== undefined)) return undefined;
      const mayBe = observed.adding?.includes(record.address) ?? topology !== undefined;
      return mayBe ? 'the leader may still be adding it, and has yet to confirm that it is not' : undefined;
    },
  },
  {
    name: 'node_is_in_the_topology',
    verbs: ['leave', 'wipe', 'upgrade'],
    objection: ({ evidence, observed, record, verb, ledger }) => {
      const topology = observed.cluster?.topology;
      // As long as no leader says otherwise, what it says of itself is true.
      const isPart = topology === undefined ? isPartOfOne(evidence.standing) : nodeOf(topology, record) !== undefined;
      if (!isPart || (verb === 'upgrade' && !isSwapped(ledger, record))) return undefined;
      const holds = evidence.shards === undefined ? '' : ` and holds ${evidence.shards} copies of vBuckets`;
      const spare = verb !== 'upgrade' || topology === undefined || surplus(ledger, topology, record.pool) > 0;
      return `it is still part of the cluster${holds}; a rebalance takes it out${spare ? '' : ' once another one can take over'}`;
    },
  },
  {
    name: 'rebalance_is_running',
    verbs: away,
    objection: ({ evidence }) => ((evidence.moving ?? 0) > 0 ? 'a rebalance is running' : undefined),
  },
  {
    name: 'quorum_would_be_lost',
    verbs: away,
    approvable: true,
    objection: (asking) => {
      const { evidence, record } = asking;
      const { quorum = 0 } = evidence;
      if (isSwap(asking)) return undefined;
      const left = answering(asking) - 1 - stillAnswering(asking);
      if (!record.joinedOnce || evidence.standing !== 'active' || left >= quorum) return undefined;
      return `without it ${left} nodes answer and ${quorum} must; add one, or approve the outage`;
    },
  },
  {
    name: 'budget_is_spent',
    verbs: away,
    objection: (asking) => {
      const { ledger } = asking;
      const others = othersAway(asking);
      if (others.length + 1 <= ledger.spec.maxUnavailable) return undefined;
      return `maxUnavailable is ${ledger.spec.maxUnavailable}, and away or about to go already: ${others.join(', ')}`;
    },
  },
  {
    name: 'last_copy_of_a_vbucket',
    verbs: away,
    approvable: true,
    objection: (asking) =>
      (asking.evidence.lastCopies ?? 0) > 0 && !isSwap(asking)
        ? `${asking.evidence.lastCopies} vBuckets have no copy on another healthy node, and would not answer while it is away`
        : undefined,
  },
  {
    name: 'other_copies_may_go',
    verbs: away,
    objection: (asking) => {
      const topology = asking.observed.cluster?.topology;
      // Who is out, or waits to be taken in, holds nothing that counts as a copy.
      const other = goesBeside(asking, (record) => {
        const standing = topology && nodeOf(topology, record)?.standing;
        return topology === undefined || standing === 'active' || standing === 'failed';
      });
      return other && `${other} may go at any moment, and may hold the only other copy of a vBucket`;
    },
  },
  {
    name: 'health_is_yellow',
    verbs: away,
    approvable: true,
    objection: (asking) => {
      const topology = asking.observed.cluster?.topology;
      if (topology === undefined || isOut(asking) || isSwap(asking)) return undefined;
      return callsForRebalance(topology) ? 'a rebalance is due first' : undefined;
    },
  },
];

/** Whether it is known not to be part of the cluster: then its going takes nothing away. */
function isOut({ evidence, observed, record }: Asking): boolean {
  const topology = observed.cluster?.topology;
  return evidence.standing === 'fresh' && topology !== undefined && nodeOf(topology, record) === undefined;
}

/** Whether it comes to another version by a swap: a rebalance that takes another one in takes it out before its process stops. */
function isSwap({ verb, ledger, record }: Asking): boolean {
  return verb === 'upgrade' && isSwapped(ledger, record);
}

/** Who else is away. Beside a swap those are not who come in by the same rebalance: no node less serves for it. */
function othersAway(asking: Asking): readonly string[] {
  const { away: gone, record, ledger, observed } = asking;
  if (isOut(asking)) return [];
  const nodes = observed.cluster?.topology?.nodes ?? [];
  const comesIn = (name: string): boolean => {
    const address = ledger.members[name]?.address;
    return nodes.some(({ host, standing, healthy }) => host === address && standing === 'added' && healthy);
  };
  const swaps = isSwap(asking);
  return [...gone].filter((name) => name !== record.name && !(swaps && comesIn(name))).toSorted();
}

/**
 * What cannot be read opens nothing, but for one that is known not to be part of the cluster: the leader does not see it,
 * and its database does not run or was never part of it.
 */
function unknownObjection({ evidence, observed, record, member, verb }: Asking): string | undefined {
  const topology = observed.cluster?.topology;
  const out = topology !== undefined && nodeOf(topology, record) === undefined;
  if (evidence.standing === 'fresh')
    return out || verb !== 'leave' ? undefined : 'the leader has yet to see that it is out';
  if (evidence.standing === undefined) {
    const down = member.process.phase === 'stopped' || member.process.phase === 'backoff';
    return out && (down || !record.joinedOnce) ? undefined : 'what it holds is not known; its pilot will read it again';
  }
  const { shards, lastCopies, moving, liveVoters, quorum } = evidence;
  const known = [shards, lastCopies, moving, liveVoters, quorum].every((field) => field !== undefined);
  return known && evidence.nodeId !== '' ? undefined : 'what it holds is not known; its pilot will read it again';
}

function isPartOfOne(standing: Standing | undefined): boolean {
  return standing !== undefined && standing !== 'fresh';
}

/** How many nodes answer: this one and the leader do not learn of another's end at the same time, and the fewer counts. */
function answering({ evidence, observed }: Asking): number {
  const nodes = observed.cluster?.topology?.nodes;
  const seen = nodes?.filter(({ standing, healthy }) => standing === 'active' && healthy).length ?? Infinity;
  return Math.min(evidence.liveVoters ?? 0, seen);
}

/** How many others answer as yet, and may go at any moment. */
function stillAnswering({ record, ledger, away: gone, observed }: Asking): number {
  const topology = observed.cluster?.topology;
  return [...gone].filter((name) => {
    const other = ledger.members[name];
    if (other === undefined || name === record.name) return false;
    // Without a leader's word it may be one of those that the evidence counts.
    if (topology === undefined) return other.joinedOnce;
    const node = nodeOf(topology, other);
    return node?.standing === 'active' && node.healthy;
  }).length;
}

/** What the whole cluster waits for, or what went wrong with it. */
export function clusterHolds(ledger: Ledger, observed: Observation, now: Now): readonly Hold[] {
  const topology = observed.cluster?.topology;
  if (topology === undefined) return [];
  const holds: Hold[] = [...askHolds(ledger, observed)];
  const add = (name: HoldName, message: string): void => void holds.push({ name, member: '', message });
  if (!hasQuorum(topology)) add('quorum_is_lost', quorumWords(topology));
  const due = callsForRebalance(topology) || leavingMembers(ledger).some((record) => nodeOf(topology, record));
  if (topology.rebalancing) return holds;
  if (due && topology.rebalanceError !== '')
    add('rebalance_has_failed', `it is tried again: ${topology.rebalanceError}`);
  const waits = due ? waitedFor(ledger, observed, { topology, eject: [], now }) : undefined;
  if (waits !== undefined) add('rebalance_waits_for_a_node', waits);
  return holds;
}

function quorumWords({ nodes }: Topology): string {
  const active = nodes.filter(({ standing }) => standing === 'active');
  const live = active.filter(({ healthy }) => healthy).length;
  return `${live} of ${active.length} active nodes answer; nothing is changed before more than half of them do`;
}
