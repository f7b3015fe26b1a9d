/** Settings that wait for each other: the quorum, who may leave on it, and what a pause does not hold up. */
import { expect } from 'chai';
import type { Ledger } from '../../../server/model/ledger.ts';
import type { ClusterObservation, Observation } from '../../../server/model/observation.ts';
import type { Plan } from '../../../server/model/plan.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { plan } from '../../../server/reconcile/plan.ts';
import {
  clusterSeen,
  clusterSpec,
  evidence,
  ledgerOf,
  observation,
  pool,
  record,
  request,
  seen,
} from '../../support/model.ts';

const members = [0, 1].map((ordinal) => record(ordinal));
const leaver = members[1]!.name;
const now = { monotonicMs: 100_000, wallMs: 0 };

function planned(ledger: Ledger, cluster: Partial<ClusterObservation>, change: Partial<Observation> = {}): Plan {
  const names = Object.keys(ledger.members);
  const drained = evidence(leaver, { liveVoters: names.length, quorum: 1, excluded: true, shards: 0 });
  const asks = seen(leaver, { request: request(leaver, 'leave', { evidence: drained }), asking: 'ask-1' });
  const all = names.map((name) => (name === leaver && !ledger.paused ? asks : seen(name)));
  const runtime = new Map(names.map((name) => [name, { name, version: '6.8.23', alive: true }]));
  const observed = observation(all, { cluster: clusterSeen({ nodes: names, ...cluster }), runtime, ...change });
  return plan({ ledger, revision: 1, observed, now, timing });
}

function orderIn({ actions }: Plan) {
  return actions.flatMap((action) => (action.kind === 'say_order' ? [action.order] : []))[0];
}

describe('the settings', () => {
  it('let a voter leave only once the leader has confirmed the quorum without it, whatever the evidence says', () => {
    const ledger = ledgerOf(members, { spec: clusterSpec([pool('node', 1)]) });
    const first = planned(ledger, { quorum: 1, excluded: [leaver], appliedOrder: 'an order that asks for two' });
    expect(first.ledger.permits.map(({ state }) => state)).to.deep.equal(['queued']);
    expect(first.holds.map(({ name }) => name)).to.include('quorum_setting_is_not_lowered');
    const order = orderIn(first);
    expect(order?.quorum).to.equal(1);
    const second = planned(first.ledger, { quorum: 1, excluded: [leaver], appliedOrder: order?.id ?? '' });
    expect(second.ledger.permits.map(({ state }) => state)).to.deep.equal(['granted']);
    expect(orderIn(second)?.id, 'the permit changes nothing of the order').to.equal(order?.id);
  });

  it('are not in force by what was said of the same order before another one was told, or by another server', () => {
    const ledger = ledgerOf(members, { spec: clusterSpec([pool('node', 1)]) });
    const first = planned(ledger, { quorum: 1, excluded: [leaver] });
    const told = orderIn(first)!;
    const said = { quorum: 1, excluded: [leaver], appliedOrder: told.id };
    const after = (before: Observation['told']): Plan => planned(first.ledger, said, { told: before });
    expect(after(told).ledger.permits.map(({ state }) => state)).to.deep.equal(['granted']);
    for (const before of [
      { id: 'of two', content: 'quorum 2' },
      { id: 'another-life', content: '' },
    ]) {
      const again = after(before);
      expect(again.ledger.permits.map(({ state }) => state)).to.deep.equal(['queued']);
      expect(orderIn(again)?.content).to.equal(told.content);
      expect(orderIn(again)?.id).to.not.equal(told.id);
    }
  });

  it('no longer exclude who is gone, whose name a late write has put back, and leave alone what was never a member', () => {
    const ledger = ledgerOf(members);
    const back = ['demo-extra-0', 'demo-else', 'other-node-3'];
    const order = orderIn(planned(ledger, { quorum: 2, excluded: back }));
    expect(order?.owned).to.deep.equal(['demo-extra-0', ...members.map(({ name }) => name)]);
    expect(order?.excluded).to.deep.equal([]);
  });

  it('raise the quorum even in a pause, and change nothing else', () => {
    const three = [...members, record(2)];
    const ledger = ledgerOf(three, { paused: true });
    const raised = orderIn(
      planned(ledger, { quorum: 1, excluded: ['demo-node-2', 'stranger'], allocation: 'primaries' }),
    );
    expect(raised).to.deep.include({ quorum: 2, excluded: ['demo-node-2'], allocation: 'primaries' });
    expect(orderIn(planned(ledger, { quorum: 2 })), 'enough').to.equal(undefined);
    expect(orderIn(planned(ledger, { quorum: 3 })), 'too many').to.equal(undefined);
  });
});
