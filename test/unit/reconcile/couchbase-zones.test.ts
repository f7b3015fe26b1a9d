/** Members of Couchbase and the server groups of their zones. */
import { expect } from 'chai';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { couchbaseLedger, member, node, now, observed, topologyOf } from './couchbase.scene.ts';

describe('the zones of a Couchbase cluster', () => {
  it('have the founder moved while it is alone, and each other one added to its own', () => {
    const base = couchbaseLedger(3);
    const zones = ['a', 'b'];
    const ledger = {
      ...base,
      spec: { ...base.spec, nodePools: base.spec.nodePools.map((one) => ({ ...one, zones })) },
    };
    const members = [member(0, 'active'), member(1, 'fresh'), member(2, 'fresh')];
    const alone = topologyOrder({ ledger, next: [] }, observed(topologyOf([node(0)]), members), now);
    expect(alone).to.deep.include({ add: [], rebalance: false, move: [{ otp: 'ns_1@10.0.0.0', group: 'a' }] });
    const placed = observed(topologyOf([node(0, { group: 'a' })]), members);
    const groups = topologyOrder({ ledger, next: [] }, placed, now)?.add.map(({ group }) => group);
    expect(groups).to.deep.equal(['b', 'a']);
  });
});
