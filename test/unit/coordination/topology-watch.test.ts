/** What is remembered of a topology, and when a failed rebalance is tried again. */
import { expect } from 'chai';
import { watchTopology } from '../../../server/coordination/topology-watch.ts';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { couchbaseLedger, member, node, now, observed, topologyOf } from '../reconcile/couchbase.scene.ts';

const nodes = [node(0), node(1), node(2)];
const failed = (outcome: string, digest: string) =>
  topologyOf(nodes, { outcome, digest, rebalanceError: 'Rebalance failed.', balanced: false });

describe('the watch on a topology', () => {
  it('knows since when it is as it is', () => {
    const first = watchTopology(undefined, topologyOf(nodes), 10);
    expect(watchTopology(first, topologyOf(nodes), 20).sinceMs).to.equal(10);
    expect(watchTopology(first, topologyOf(nodes, { digest: 'd2' }), 20).sinceMs).to.equal(20);
  });

  it('counts each failure once, and forgets them after a success', () => {
    const one = watchTopology(undefined, failed('r1', 'a'), 10);
    expect(one).to.include({ failures: 1, failedAtMs: 10 });
    expect(watchTopology(one, failed('r1', 'b'), 20)).to.include({ failures: 1, failedAtMs: 10 });
    const running = watchTopology(one, topologyOf(nodes, { rebalancing: true, outcome: '' }), 25);
    expect(running).to.include({ failures: 1 });
    const two = watchTopology(running, failed('r2', 'c'), 30);
    expect(two).to.include({ failures: 2, failedAtMs: 30 });
    expect(watchTopology(two, topologyOf(nodes, { outcome: 'r3' }), 40)).to.include({ failures: 0 });
  });
});

describe('a rebalance that has failed', () => {
  const tried = (failures: number, agoMs: number): boolean | undefined => {
    const watch = { digest: 'd1', sinceMs: 0, outcome: 'r', failures, failedAtMs: now.monotonicMs - agoMs };
    const view = observed(failed('r', 'd1'), undefined, { watch });
    return topologyOrder({ ledger: couchbaseLedger(3), next: [] }, view, now)?.rebalance;
  };

  it('is tried again after a pause that grows, up to five minutes', () => {
    expect([tried(1, 4_999), tried(1, 5_000)]).to.deep.equal([false, true]);
    expect([tried(2, 9_999), tried(2, 10_000)]).to.deep.equal([false, true]);
    expect([tried(40, 299_999), tried(40, 300_000)]).to.deep.equal([false, true]);
  });
});

describe('a rebalance that is due', () => {
  it('waits for a member that starts, and no longer than ten minutes in one topology', () => {
    const starting = {
      ...member(2, undefined),
      process: { ...member(2, 'active').process, phase: 'starting' as const },
    };
    const members = [member(0, 'active'), member(1, 'added'), starting];
    const topology = topologyOf([node(0), node(1, { standing: 'added' })], { balanced: false });
    const at = (agoMs: number): boolean | undefined => {
      const watch = { digest: 'd1', sinceMs: now.monotonicMs - agoMs, outcome: '', failures: 0, failedAtMs: 0 };
      const view = observed(topology, members, { watch });
      return topologyOrder({ ledger: couchbaseLedger(3), next: [] }, view, now)?.rebalance;
    };
    expect([at(599_999), at(600_000)]).to.deep.equal([false, true]);
  });
});
