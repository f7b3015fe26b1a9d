/** What the leader of a Couchbase cluster is ordered to do, and what holds its members. */
import { expect } from 'chai';
import type { Topology, TopologyOrder } from '../../../server/model/couchbase.ts';
import type { Ledger } from '../../../server/model/ledger.ts';
import type { MemberObservation } from '../../../server/model/observation.ts';
import type { Evidence, Verb } from '../../../server/model/permit.ts';
import { clusterHolds } from '../../../server/reconcile/couchbase-holds.ts';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { founds, noteFounder } from '../../../server/reconcile/founding.ts';
import { objections, type Weighed } from '../../../server/reconcile/holds.ts';
import { asking, evidence, permit } from '../../support/model.ts';
import { couchbaseLedger, couchbaseRecord, member, node, now, observed, topologyOf } from './couchbase.scene.ts';

interface Case {
  readonly title: string;
  readonly ledger?: Ledger;
  readonly topology: Topology;
  readonly members?: readonly MemberObservation[];
  /** Ordinals whose asking to leave nothing holds but the rebalance. */
  readonly free?: readonly number[];
  readonly expects: Partial<TopologyOrder>;
}

const three = [node(0), node(1), node(2)];
const active = [member(0, 'active'), member(1, 'active'), member(2, 'active')];
const nothing = { add: [], recover: [], failOver: [], discard: [], unsafe: false, rebalance: false, eject: [] };
const cases: readonly Case[] = [
  { title: 'nothing where all is well', topology: topologyOf(three), expects: nothing },
  {
    title: 'to add every member that is fresh, all in one order',
    topology: topologyOf([node(0)]),
    members: [member(0, 'active'), member(1, 'fresh'), member(2, 'fresh')],
    expects: {
      ...nothing,
      add: [
        { host: '10.0.0.1', services: ['data'], group: '' },
        { host: '10.0.0.2', services: ['data'], group: '' },
      ],
    },
  },
  {
    title: 'one rebalance of exactly the nodes that there are, once all are added',
    topology: topologyOf([node(0), node(1, { standing: 'added' }), node(2, { standing: 'added' })], {
      balanced: false,
    }),
    members: [member(0, 'active'), member(1, 'added'), member(2, 'added')],
    expects: { ...nothing, rebalance: true, known: ['ns_1@10.0.0.0', 'ns_1@10.0.0.1', 'ns_1@10.0.0.2'] },
  },
  {
    title: 'no rebalance while another member is still starting',
    topology: topologyOf([node(0), node(1, { standing: 'added' })], { balanced: false }),
    members: [member(0, 'active'), member(1, 'added'), { ...member(2, undefined), process: starting() }],
    expects: nothing,
  },
  {
    title: 'no rebalance while a wanted member runs and has yet to say that it is as new',
    ledger: couchbaseLedger(3, 4),
    topology: topologyOf([node(0), node(1), node(3)]),
    members: [member(0, 'active'), member(1, 'active'), withoutNode(member(2, 'active')), member(3, 'active')],
    free: [3],
    expects: nothing,
  },
  {
    title: 'nothing while a rebalance is running',
    topology: topologyOf([node(0), node(1)], { rebalancing: true, balanced: false }),
    members: [member(0, 'active'), member(1, 'active'), member(2, 'fresh')],
    expects: nothing,
  },
  {
    title: 'nothing without a quorum',
    topology: topologyOf([node(0), node(1, { healthy: false }), node(2, { healthy: false })], { balanced: false }),
    expects: nothing,
  },
  {
    title: 'no rebalance with a node that does not answer',
    topology: topologyOf([node(0), node(1), node(2, { healthy: false })], { balanced: false }),
    expects: nothing,
  },
  {
    title: 'to take all out that leave, in one rebalance',
    ledger: couchbaseLedger(1),
    topology: topologyOf(three),
    free: [1, 2],
    expects: { ...nothing, rebalance: true, eject: ['ns_1@10.0.0.1', 'ns_1@10.0.0.2'] },
  },
  {
    title: 'no one out before all that leave have asked',
    ledger: couchbaseLedger(1),
    topology: topologyOf(three),
    members: active,
    free: [1],
    expects: nothing,
  },
  {
    title: 'not to take the leader itself out',
    ledger: couchbaseLedger(2, 3, { leadership: { term: 1, leader: 'demo-node-2', incarnation: 'x' } }),
    topology: topologyOf(three),
    free: [2],
    expects: nothing,
  },
  {
    title: 'to take the others out without the leader, where nobody can take over before',
    ledger: couchbaseLedger(1, 3, { leadership: { term: 1, leader: 'demo-node-2', incarnation: 'x' } }),
    topology: topologyOf(three),
    members: [{ ...member(0, 'active'), request: fakeRequest('demo-node-0', 'upgrade') }, ...active.slice(1)],
    free: [1, 2],
    expects: { ...nothing, rebalance: true, eject: ['ns_1@10.0.0.1'] },
  },
  {
    title: 'to let a node go that was added while its member left, and does not answer',
    topology: topologyOf([...three, node(7, { standing: 'added', healthy: false })], { balanced: false }),
    expects: { ...nothing, rebalance: true, eject: ['ns_1@10.0.0.7'] },
  },
  {
    title: 'to fail it over where a rebalance has made it active before',
    topology: topologyOf([...three, node(7, { healthy: false })], { balanced: false }),
    expects: { ...nothing, failOver: ['ns_1@10.0.0.7'] },
  },
  {
    title: 'not to let go what was added and answers',
    topology: topologyOf([...three, node(7, { standing: 'added' })], { balanced: false }),
    expects: { ...nothing, rebalance: true, eject: [] },
  },
  {
    title: 'to recover a failed node that is back with its data',
    topology: topologyOf([node(0), node(1), node(2, { standing: 'failed' })], { balanced: false }),
    members: [member(0, 'active'), member(1, 'active'), member(2, 'failed')],
    expects: { ...nothing, recover: ['ns_1@10.0.0.2'] },
  },
  {
    title: 'no rebalance that would throw out a failed node which is expected back',
    topology: topologyOf([node(0), node(1), node(2, { standing: 'failed', healthy: false })], { balanced: false }),
    members: [member(0, 'active'), member(1, 'active'), member(2, undefined)],
    expects: nothing,
  },
  {
    title: 'to fail a node over whose disk is as new, where nothing would be lost',
    topology: topologyOf([node(0), node(1), node(2, { healthy: false })]),
    members: [member(0, 'active'), member(1, 'active'), member(2, 'fresh')],
    expects: { ...nothing, failOver: ['ns_1@10.0.0.2'] },
  },
  {
    title: 'no failover that would lose a vBucket',
    topology: topologyOf([node(0), node(1), node(2, { healthy: false, lastCopies: 3 })]),
    members: [member(0, 'active'), member(1, 'active'), member(2, 'fresh')],
    expects: nothing,
  },
  {
    title: 'to forget a failed node whose member is as new, which is then added again by one rebalance',
    topology: topologyOf([node(0), node(1), node(2, { standing: 'failed', healthy: false })], { balanced: false }),
    members: [member(0, 'active'), member(1, 'active'), member(2, 'fresh')],
    expects: { ...nothing, discard: ['ns_1@10.0.0.2'] },
  },
  {
    title: 'nothing while it is paused',
    ledger: couchbaseLedger(1, 3, { paused: true }),
    topology: topologyOf(three, { balanced: false }),
    free: [1, 2],
    expects: nothing,
  },
  {
    title: 'nothing while everything is being stopped',
    ledger: couchbaseLedger(3, 3, { stopping: { who: 'a test', why: 'a test' } }),
    topology: topologyOf(three, { balanced: false }),
    expects: nothing,
  },
];

/** Its process runs, and its database does not answer. */
function withoutNode({ node: _node, ...rest }: MemberObservation): MemberObservation {
  return rest;
}

function starting(): MemberObservation['process'] {
  return { ...member(0, 'active').process, phase: 'starting' };
}

function weighed(ledger: Ledger, ordinal: number): Weighed {
  const one = asking('leave', { ledger, record: couchbaseRecord(ordinal) });
  return { asking: one, holds: [{ name: 'node_is_in_the_topology', member: one.record.name, message: '' }] };
}

describe('the leader of a Couchbase cluster is ordered', () => {
  for (const row of cases) {
    it(row.title, () => {
      const ledger = row.ledger ?? couchbaseLedger(3);
      const free = row.free ?? [];
      const members = (row.members ?? active).map((one) => {
        const asks = free.some((ordinal) => one.member === `demo-node-${ordinal}`);
        return asks ? { ...one, request: asking('leave').member.request ?? fakeRequest(one.member) } : one;
      });
      const next = free.map((ordinal) => weighed(ledger, ordinal));
      const order = topologyOrder({ ledger, next }, observed(row.topology, members), now);
      expect(order).to.deep.include({ judged: 'd1', ...row.expects });
    });
  }

  it('nothing while the journal cannot be written', () => {
    const view = { ...observed(topologyOf(three, { balanced: false })), unrecordable: 'full' };
    expect(topologyOrder({ ledger: couchbaseLedger(3), next: [] }, view, now)).to.deep.include(nothing);
  });

  it('nothing where the topology is not known', () => {
    const { cluster: _cluster, ...blind } = observed(topologyOf(three));
    expect(topologyOrder({ ledger: couchbaseLedger(3), next: [] }, blind, now)).to.equal(undefined);
  });
});

function fakeRequest(name: string, verb: Verb = 'leave'): NonNullable<MemberObservation['request']> {
  return { id: 'r', verb, evidence: evidence(name), reason: '', sequence: 1, receivedAtMs: 0 };
}

interface HoldCase {
  readonly title: string;
  readonly verb: Verb;
  readonly topology: Topology;
  readonly evidence: Partial<Evidence>;
  readonly holds: readonly string[];
  /** Members beside it that hold a permit and may go at any moment. */
  readonly going?: readonly string[];
  /** The leader is not known, or cannot read the topology. */
  readonly leaderless?: boolean;
}

const inside = { standing: 'active', shards: 5, lastCopies: 0, moving: 0, liveVoters: 3, quorum: 2 } as const;

const holdCases: readonly HoldCase[] = [
  {
    title: 'does not leave while it is one of the nodes',
    verb: 'leave',
    topology: topologyOf(three),
    evidence: inside,
    holds: ['node_is_in_the_topology'],
  },
  {
    title: 'leaves once it is out by its own word and the leader sees it no more',
    verb: 'leave',
    topology: topologyOf([node(0), node(1)]),
    evidence: { standing: 'fresh', nodeId: '' },
    holds: [],
  },
  {
    title: 'does not leave on its own word alone',
    verb: 'leave',
    topology: topologyOf(three),
    evidence: { standing: 'fresh', nodeId: '' },
    holds: ['evidence_is_unknown', 'node_is_in_the_topology'],
  },
  {
    title: 'does not leave with a view of then',
    verb: 'leave',
    topology: topologyOf([node(0), node(1)]),
    evidence: inside,
    holds: ['node_is_stale'],
  },
  {
    title: 'does not leave as the last data node',
    verb: 'leave',
    topology: topologyOf([node(2)]),
    evidence: inside,
    holds: ['last_data_node', 'node_is_in_the_topology'],
  },
  {
    title: 'leaves as the last data node where another one is added, which takes over in the same rebalance',
    verb: 'leave',
    topology: topologyOf([node(0, { standing: 'added' }), node(2)], { balanced: false }),
    evidence: inside,
    holds: ['node_is_in_the_topology'],
  },
  {
    title: 'does not leave to one that is added and does not answer',
    verb: 'leave',
    topology: topologyOf([node(0, { standing: 'added', healthy: false }), node(2)], { balanced: false }),
    evidence: inside,
    holds: ['last_data_node', 'node_is_in_the_topology'],
  },
  {
    title: 'does not leave without a quorum',
    verb: 'leave',
    topology: topologyOf([node(0), node(1, { healthy: false }), node(2, { healthy: false })]),
    evidence: inside,
    holds: ['quorum_is_lost', 'node_is_in_the_topology'],
  },
  { title: 'restarts where all is well', verb: 'restart', topology: topologyOf(three), evidence: inside, holds: [] },
  {
    title: 'does not restart while a rebalance runs or is due',
    verb: 'restart',
    topology: topologyOf(three, { rebalancing: true, balanced: false }),
    evidence: { ...inside, moving: 1 },
    holds: ['rebalance_is_running', 'health_is_yellow'],
  },
  {
    title: 'does not restart with the last copy of a vBucket',
    verb: 'restart',
    topology: topologyOf(three),
    evidence: { ...inside, lastCopies: 2 },
    holds: ['last_copy_of_a_vbucket'],
  },
  {
    title: 'does not restart where the quorum would be lost',
    verb: 'restart',
    topology: topologyOf(three),
    evidence: { ...inside, liveVoters: 2 },
    holds: ['quorum_would_be_lost'],
  },
  {
    title: 'does not restart while another one may go that the quorum needs, and that may have the other copies',
    verb: 'restart',
    topology: topologyOf(three),
    evidence: inside,
    going: ['demo-node-1'],
    holds: ['quorum_would_be_lost', 'other_copies_may_go'],
  },
  {
    title: 'does not leave as long as it says that it was added, also where nobody leads',
    verb: 'leave',
    topology: topologyOf(three),
    evidence: { ...inside, standing: 'added' },
    leaderless: true,
    holds: ['node_is_in_the_topology'],
  },
];

describe('a member of a Couchbase cluster', () => {
  for (const row of holdCases) {
    it(row.title, () => {
      const going = row.going ?? [];
      const permits = going.map((other) => permit(other, 'restart', { state: 'used' }));
      const plain = couchbaseLedger(row.verb === 'leave' ? 2 : 3, 3, { permits });
      const ledger = { ...plain, spec: { ...plain.spec, maxUnavailable: 2 } };
      const name = 'demo-node-2';
      const { cluster, ...blind } = observed(row.topology);
      const { shards: _s, lastCopies: _l, unassigned: _u, moving: _m, ...bare } = evidence(name);
      const one = asking(row.verb, {
        ledger,
        record: couchbaseRecord(2, { joinedOnce: row.leaderless !== true }),
        member: member(2, row.evidence.standing),
        evidence: { ...bare, ...row.evidence },
        observed: row.leaderless === true || cluster === undefined ? blind : { ...blind, cluster },
        away: new Set(going),
      });
      expect(objections(one).map((hold) => hold.name)).to.deep.equal(row.holds);
    });
  }
});

const clusterCases: readonly (readonly [string, Topology, readonly MemberObservation[], number])[] = [
  [
    'quorum_is_lost demo: 1 of 3 active nodes answer',
    topologyOf([node(0), node(1, { healthy: false }), node(2, { healthy: false })]),
    active,
    3,
  ],
  [
    'rebalance_waits_for_a_node demo: 10.0.0.1 does not answer',
    topologyOf([node(0), node(1, { healthy: false }), node(2)], { balanced: false }),
    active,
    3,
  ],
  [
    'failover_would_lose_vbuckets demo-node-2: its disk is as new, and 3 vBuckets have no other copy',
    topologyOf([node(0), node(1), node(2, { healthy: false, lastCopies: 3 })]),
    [member(0, 'active'), member(1, 'active'), member(2, 'fresh')],
    3,
  ],
];

describe('a Couchbase cluster', () => {
  for (const [words, topology, members, wanted] of clusterCases) {
    it(`says ${words}`, () => {
      const holds = clusterHolds(couchbaseLedger(wanted), observed(topology, members), now);
      const said = holds.map(({ name, member: who, message }) => `${name} ${who || 'demo'}: ${message}`);
      expect(
        said.some((line) => line.startsWith(words)),
        said.join('; '),
      ).to.equal(true);
    });
  }

  it('has one founder, written once and kept', () => {
    const { founder: _none, ...before } = couchbaseLedger(3);
    const after = noteFounder(before);
    expect(after.founder).to.equal('demo-node-0');
    expect(noteFounder(after)).to.equal(after);
    const fresh = { ...after, members: { 'demo-node-0': couchbaseRecord(0, { joinedOnce: false }) } };
    expect(founds(fresh, couchbaseRecord(0))).to.equal(true);
    expect(founds(fresh, couchbaseRecord(1))).to.equal(false);
    expect(founds(after, couchbaseRecord(0))).to.equal(false);
  });

  it('tells the error of its last rebalance, which is due again, whether or not it calls itself balanced', () => {
    const failed = { rebalanceError: 'Rebalance failed.', balanced: true };
    const holds = clusterHolds(couchbaseLedger(3), observed(topologyOf(three, failed)), now);
    const words = holds.map(({ name, message }) => `${name}: ${message}`);
    expect(words).to.deep.equal(['rebalance_has_failed: it is tried again: Rebalance failed.']);
    const order = topologyOrder({ ledger: couchbaseLedger(3), next: [] }, observed(topologyOf(three, failed)), now);
    expect(order?.rebalance).to.equal(true);
    expect(clusterHolds(couchbaseLedger(3), observed(topologyOf(three)), now)).to.deep.equal([]);
  });
});
