/** How a Couchbase cluster comes to another version, and back. */
import { expect } from 'chai';
import type { Topology } from '../../../server/model/couchbase.ts';
import type { Ledger, MemberRecord } from '../../../server/model/ledger.ts';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { spareMembers, surplus, versionObjection } from '../../../server/reconcile/couchbase-swaps.ts';
import { objections, type Weighed } from '../../../server/reconcile/holds.ts';
import { leavingMembers } from '../../../server/reconcile/topology.ts';
import { defaultTiming } from '../../../server/model/timing.ts';
import { plan } from '../../../server/reconcile/plan.ts';
import { asking, evidence, permit, request } from '../../support/model.ts';
import {
  couchbase,
  couchbaseLedger,
  couchbaseRecord,
  member,
  node,
  now,
  observed,
  topologyOf,
} from './couchbase.scene.ts';

const three = [node(0), node(1), node(2)];
const inside = { standing: 'active', shards: 5, lastCopies: 4, moving: 0, liveVoters: 3, quorum: 2 } as const;

/** Wants three of 7.6.9, and has these. */
function wants(records: readonly MemberRecord[], change: Partial<Ledger['spec']> = {}): Ledger {
  const base = couchbaseLedger(3, 0);
  const members = Object.fromEntries(records.map((one) => [one.name, one]));
  return { ...base, members, spec: { ...base.spec, version: '7.6.9', ...change } };
}

const old = [0, 1, 2].map((ordinal) => couchbaseRecord(ordinal));
const spare = couchbaseRecord(3, { version: '7.6.9', spare: true, joinedOnce: false });
const names = (ledger: Ledger): readonly string[] => spareMembers(ledger).map(({ name }) => name);

describe('an upgrade by swaps', () => {
  it('has a spare for as long as anybody is behind', () => {
    expect(names(wants(old))).to.deep.equal(['demo-node-3']);
    expect(names(wants([...old, spare]))).to.deep.equal(['demo-node-3']);
    const done = wants([...old.map((one) => ({ ...one, version: '7.6.9' })), spare]);
    expect(names(done)).to.deep.equal([]);
    expect(leavingMembers(done).map(({ name }) => name)).to.deep.equal(['demo-node-3']);
  });

  it('has as many spares as may be away at once, and no more than are behind', () => {
    expect(names(wants(old, { maxUnavailable: 2 }))).to.deep.equal(['demo-node-3', 'demo-node-4']);
    expect(names(wants(old, { maxUnavailable: 9 }))).to.have.length(3);
  });

  it('has another spare where the manifest asks for the one that there is', () => {
    const { spec, ...rest } = wants([...old, { ...spare, joinedOnce: true }]);
    const nodePools = spec.nodePools.map((pool) => ({ ...pool, replicas: 4 }));
    const grown = { ...rest, spec: { ...spec, nodePools } };
    expect(names(grown)).to.deep.equal(['demo-node-4']);
    const four = [...three, node(3)];
    expect(surplus(grown, topologyOf(four), 'node')).to.equal(0);
    const other = couchbaseRecord(4, { version: '7.6.9', spare: true });
    const whole = { ...grown, members: { ...grown.members, [other.name]: other } };
    expect(surplus(whole, topologyOf([...four, node(4)]), 'node')).to.equal(1);
  });

  it('never gives a name that is in use to a spare', () => {
    const leaver = couchbaseRecord(3, { version: '7.6.8' });
    expect(names(wants([...old, leaver]))).to.deep.equal(['demo-node-4']);
  });

  it('has none in place, nor for members that were never part of the cluster', () => {
    expect(names(wants(old, { couchbase: { ...couchbase, upgrade: 'in_place' } }))).to.deep.equal([]);
    expect(names(wants(old.map((one) => ({ ...one, joinedOnce: false }))))).to.deep.equal([]);
  });

  it('goes back by swaps even where it came in place', () => {
    const back = wants([couchbaseRecord(0), couchbaseRecord(1, { version: '7.6.10' })], {
      couchbase: { ...couchbase, upgrade: 'in_place' },
    });
    expect(names(back)).to.deep.equal(['demo-node-3']);
  });

  const added = topologyOf([...three, node(3, { standing: 'added' })], { balanced: false });
  const ledger = wants([...old, spare]);
  const all = [0, 1, 2].map((ordinal) => member(ordinal, 'active'));
  const joins = member(3, 'added');
  const weighed = (ordinal: number): Weighed => ({
    asking: asking('upgrade', { ledger, record: couchbaseRecord(ordinal) }),
    holds: [{ name: 'node_is_in_the_topology', member: `demo-node-${ordinal}`, message: '' }],
  });

  it('takes one in and one out by one rebalance', () => {
    const order = topologyOrder({ ledger, next: [weighed(2)] }, observed(added, [...all, joins]), now);
    expect(order).to.deep.include({ rebalance: true, eject: ['ns_1@10.0.0.2'] });
  });

  it('takes nobody out before another one can take over', () => {
    const order = topologyOrder({ ledger, next: [weighed(2)] }, observed(topologyOf(three), all), now);
    expect(order).to.deep.include({ rebalance: false, eject: [] });
    const both = topologyOrder({ ledger, next: [weighed(2), weighed(1)] }, observed(added, [...all, joins]), now);
    expect(both?.eject).to.deep.equal(['ns_1@10.0.0.2']);
  });

  it('takes one out where a rebalance that failed has taken the other one in already', () => {
    const half = topologyOf([...three, node(3)], { balanced: false });
    const view = observed(half, [...all, member(3, 'active')]);
    const order = topologyOrder({ ledger, next: [weighed(2)] }, view, now);
    expect(order).to.deep.include({ rebalance: true, eject: ['ns_1@10.0.0.2'] });
    const calm = observed(topologyOf([...three, node(3)]), [...all, member(3, 'active')]);
    expect(topologyOrder({ ledger, next: [weighed(2)] }, calm, now)?.eject).to.deep.equal(['ns_1@10.0.0.2']);
  });

  it('does not take the spare in alone, unless nobody can be taken out for a long time', () => {
    const view = observed(added, [...all, joins]);
    expect(topologyOrder({ ledger, next: [] }, view, now)).to.deep.include({ rebalance: false });
    const watch = { digest: 'd1', sinceMs: now.monotonicMs - 600_000, outcome: '', failures: 0, failedAtMs: 0 };
    expect(topologyOrder({ ledger, next: [] }, { ...view, watch }, now)).to.deep.include({
      rebalance: true,
      eject: [],
    });
  });

  it('does not wait for a swap beside one that leaves, though that was never active: there is no room for both', () => {
    const leaves = couchbaseRecord(4);
    const more = { ...ledger, members: { ...ledger.members, [leaves.name]: leaves } };
    const both = topologyOf([...added.nodes, node(4, { standing: 'added' })], { balanced: false });
    const leaving = { ...weighed(2), asking: asking('leave', { ledger: more, record: leaves }) };
    const view = observed(both, [...all, joins, { ...member(4, 'added'), request: request(leaves.name, 'leave') }]);
    expect(topologyOrder({ ledger: more, next: [leaving] }, view, now)).to.deep.include({
      rebalance: true,
      eject: ['ns_1@10.0.0.4'],
    });
  });

  it('takes the leader out last, and not while it leads and another one could', () => {
    const order = topologyOrder({ ledger, next: [weighed(0)] }, observed(added, [...all, joins]), now);
    expect(order).to.deep.include({ rebalance: false });
    const second = couchbaseRecord(4, { version: '7.6.9', spare: true, joinedOnce: false });
    const more = wants([...old, spare, second], { maxUnavailable: 2 });
    const both = topologyOf([...added.nodes, node(4, { standing: 'added' })], { balanced: false });
    const view = observed(both, [...all, joins, member(4, 'added')]);
    const next = [weighed(0), weighed(1)];
    expect(topologyOrder({ ledger: more, next }, view, now)).to.deep.include({
      rebalance: true,
      eject: ['ns_1@10.0.0.1'],
    });
  });

  it('adds nobody who still runs the version of before', () => {
    const out = topologyOf([node(0), node(1), node(3)]);
    const members = [all[0]!, all[1]!, member(2, 'fresh'), member(3, 'active')];
    expect(topologyOrder({ ledger, next: [] }, observed(out, members), now)?.add).to.deep.equal([]);
    const next = wants([old[0]!, old[1]!, couchbaseRecord(2, { version: '7.6.9' }), spare]);
    const hosts = topologyOrder({ ledger: next, next: [] }, observed(out, members), now)?.add.map(({ host }) => host);
    expect(hosts).to.deep.equal(['10.0.0.2']);
  });

  function holdsOf(change: Parameters<typeof asking>[1]): readonly string[] {
    const { shards: _s, lastCopies: _l, ...bare } = evidence('demo-node-2');
    const base = { ledger, record: couchbaseRecord(2), member: member(2, 'active') };
    const proof = { ...bare, ...inside, ...change?.evidence };
    return objections(asking('upgrade', { ...base, ...change, evidence: proof })).map(({ name }) => name);
  }

  it('holds a member by nothing but the rebalance, though others are about to come in', () => {
    const view = observed(added, [...all, joins]);
    expect(holdsOf({ observed: view, away: new Set(['demo-node-3']) })).to.deep.equal(['node_is_in_the_topology']);
    expect(holdsOf({ observed: view, away: new Set(['demo-node-1']) })).to.include('budget_is_spent');
    const other = couchbaseRecord(0, { pool: 'other', joinedOnce: false, address: '10.0.0.9' });
    const more = wants([...old, spare, other]);
    const wider = topologyOf([...added.nodes, node(9, { standing: 'added' })], { balanced: false });
    const away = new Set(['demo-node-3', other.name]);
    expect(holdsOf({ ledger: more, observed: observed(wider, all), away })).to.deep.equal(['node_is_in_the_topology']);
  });

  it('does not wait for one that comes back, is added and holds no copy yet, but for any other one that may go', () => {
    const permits = [permit('demo-node-3', 'upgrade', { state: 'used' })];
    const held = (topology: Topology): readonly string[] =>
      holdsOf({ ledger: { ...ledger, permits }, observed: observed(topology, [...all, joins]) });
    expect(held(added)).to.not.include('other_copies_may_go');
    for (const standing of ['active', 'failed'] as const) {
      const topology = topologyOf([...three, node(3, { standing })], { balanced: false });
      expect(held(topology)).to.include('other_copies_may_go');
    }
  });

  it('lets a member go on once it is out by its own word and the leader sees it no more', () => {
    const out = observed(topologyOf([node(0), node(1), node(3)]), [...all, joins]);
    const fresh = { ...evidence('demo-node-2'), standing: 'fresh' as const };
    const is = { member: member(2, 'fresh'), evidence: fresh, away: new Set(['demo-node-2', 'demo-node-1']) };
    expect(holdsOf({ ...is, observed: out })).to.deep.equal([]);
    expect(holdsOf({ ...is, observed: observed(added, [...all, joins]) })).to.include('node_is_in_the_topology');
  });
});

describe('a leader that is to be swapped', () => {
  it('hands over first', () => {
    const done = [1, 2, 3].map((ordinal) =>
      couchbaseRecord(ordinal, { version: '7.6.9', ...(ordinal === 3 && { spare: true }) }),
    );
    const ledger = wants([couchbaseRecord(0), ...done]);
    const added = topologyOf([node(0), node(1, { standing: 'added' }), node(2), node(3)], { balanced: false });
    const proof = { ...evidence('demo-node-0'), ...inside };
    const asks = {
      ...member(0, 'active'),
      request: request('demo-node-0', 'upgrade', { evidence: proof }),
      asking: 'ask-1',
    };
    const view = observed(added, [asks, member(1, 'added'), member(2, 'active'), member(3, 'active')]);
    const next = plan({ ledger, revision: 1, observed: view, now, timing: defaultTiming });
    expect(next.ledger.leadership.leader).to.equal('');
  });
});

describe('another version of a Couchbase cluster', () => {
  const spec = (version: string) => ({ ...wants(old).spec, version });
  const view = observed(topologyOf(three));

  it('is taken from everybody at once, and a third one only when all run one', () => {
    expect(versionObjection(couchbaseLedger(3), spec('7.6.9'), view)).to.equal(undefined);
    const mixed = wants([old[0]!, couchbaseRecord(1, { version: '7.6.9' })]);
    expect(versionObjection(mixed, spec('7.6.10'), view)).to.contain('a third version');
    expect(versionObjection(mixed, spec('7.6.8'), view)).to.equal(undefined);
  });

  it('may be an older one as long as the database still works like it, and not where that is not known', () => {
    const ahead = wants([old[0]!, couchbaseRecord(1, { version: '7.7.0' })], { version: '7.7.0' });
    expect(versionObjection(ahead, spec('7.6.8'), view)).to.equal(undefined);
    const over = observed(topologyOf(three, { compatibility: '7.7' }));
    expect(versionObjection(ahead, spec('7.6.8'), over)).to.contain('takes no node of 7.6.8');
    expect(versionObjection(ahead, spec('7.6.8'), observed(topologyOf(three, { compatibility: '' })))).to.contain(
      'not known',
    );
    expect(versionObjection(ahead, spec('7.6.8'), undefined)).to.contain('not known');
  });
});
