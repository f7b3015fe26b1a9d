/** Who counts as there when a node of Couchbase is to go, and whose turn it is beside a leader that leaves. */
import { expect } from 'chai';
import type { Evidence, Verb } from '../../../server/model/permit.ts';
import { defaultTiming } from '../../../server/model/timing.ts';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { objections } from '../../../server/reconcile/holds.ts';
import { takeTurns } from '../../../server/reconcile/turns.ts';
import { asking, evidence, request } from '../../support/model.ts';
import { couchbaseLedger, couchbaseRecord, member, node, now, observed, topologyOf } from './couchbase.scene.ts';

const inside = { standing: 'active', shards: 5, lastCopies: 0, moving: 0, liveVoters: 3, quorum: 2 } as const;

function proofOf(name: string, change: Partial<Evidence> = {}): Evidence {
  return { ...evidence(name), ...inside, ...change };
}

describe('the majority without a node of Couchbase', () => {
  const plain = couchbaseLedger(3);
  const ledger = { ...plain, spec: { ...plain.spec, maxUnavailable: 2 } };

  function holdsOf(
    verb: Verb,
    third: Parameters<typeof node>[1],
    change: { leaderless?: boolean; away?: string[] } = {},
  ) {
    const { cluster, ...blind } = observed(topologyOf([node(0), node(1, third), node(2)]));
    const view = change.leaderless === true || cluster === undefined ? blind : { ...blind, cluster };
    const scene = { ledger, record: couchbaseRecord(2), member: member(2, 'active'), observed: view };
    const one = asking(verb, { ...scene, evidence: proofOf('demo-node-2'), away: new Set(change.away) });
    return objections(one).map(({ name }) => name);
  }

  it('is counted by what the node and the leader see, and the fewer count', () => {
    expect(holdsOf('restart', {})).to.deep.equal([]);
    expect(holdsOf('restart', { healthy: false })).to.include('quorum_would_be_lost');
  });

  it('is without those that are away where nobody leads, because the evidence may still count them', () => {
    expect(holdsOf('stop', {}, { leaderless: true })).to.deep.equal([]);
    expect(holdsOf('stop', {}, { leaderless: true, away: ['demo-node-1'] })).to.deep.equal(['quorum_would_be_lost']);
  });
});

describe('a leader of Couchbase that is to leave', () => {
  const leadership = { term: 1, leader: 'demo-node-2', incarnation: 'life-of-demo-node-2' };
  const asks = (ordinal: number, verb: Verb) => {
    const name = `demo-node-${ordinal}`;
    const asked = request(name, verb, { evidence: proofOf(name) });
    return { ...member(ordinal, 'active'), request: asked, asking: asked.id };
  };

  it('takes no room of those that roll as long as it is part of the cluster: one of them is to lead', () => {
    const members = [asks(0, 'restart'), asks(1, 'restart'), asks(2, 'leave')];
    const view = observed(topologyOf([node(0), node(1), node(2)]), members);
    const { next, ledger } = takeTurns(couchbaseLedger(2, 3, { leadership }), view, now, defaultTiming);
    expect(next.map(({ asking: { record } }) => record.name)).to.deep.equal(['demo-node-2', 'demo-node-1']);
    expect(ledger.permits.find(({ state }) => state === 'granted')?.member).to.equal('demo-node-1');
  });

  it('gives way, as any other one, to one that is out already and that nothing holds', () => {
    const proof = evidence('demo-node-1');
    const fresh: Evidence = { ...proof, standing: 'fresh', excluded: false };
    const asked = request('demo-node-1', 'restart', { evidence: fresh });
    const out = { ...member(1, 'fresh'), request: asked, asking: asked.id };
    const view = observed(topologyOf([node(0), node(2)]), [member(0, 'active'), out, asks(2, 'leave')]);
    const { next } = takeTurns(couchbaseLedger(2, 3), view, now, defaultTiming);
    expect(next.map(({ asking: { record } }) => record.name)).to.deep.equal(['demo-node-2', 'demo-node-1']);
  });

  it('takes out itself in the rebalance that takes in its only heir', () => {
    const two = topologyOf([node(0, { standing: 'added' }), node(2)], { balanced: false });
    const ledger = couchbaseLedger(1, 1, { leadership });
    const both = { ...ledger, members: { ...ledger.members, 'demo-node-2': couchbaseRecord(2) } };
    const view = observed(two, [member(0, 'added'), asks(2, 'leave')]);
    const { next } = takeTurns(both, view, now, defaultTiming);
    expect(topologyOrder({ ledger: both, next }, view, now)).to.deep.include({
      rebalance: true,
      eject: ['ns_1@10.0.0.2'],
    });
  });
});
