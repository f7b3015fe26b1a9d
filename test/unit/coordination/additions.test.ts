/** A node of Couchbase does not leave while a leader may still be adding it. */
import { expect } from 'chai';
import { Additions } from '../../../server/coordination/additions.ts';
import type { SettingsOrder } from '../../../server/model/plan.ts';
import { objections } from '../../../server/reconcile/holds.ts';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { asking, clusterSeen, evidence, permit } from '../../support/model.ts';
import {
  couchbaseLedger,
  couchbaseRecord,
  member,
  node,
  now,
  observed,
  topologyOf,
} from '../reconcile/couchbase.scene.ts';

const host = '10.0.0.2';
const at = (monotonicMs: number) => ({ monotonicMs, wallMs: 0 });

function order(term: number, ...hosts: readonly string[]): SettingsOrder {
  const empty = topologyOrder({ ledger: couchbaseLedger(3), next: [] }, observed(topologyOf([node(0)])), now)!;
  const add = hosts.map((one) => ({ host: one, services: ['data'], group: '' }));
  const settings = { excluded: [], owned: [], allocation: 'all', quorum: 0 } as const;
  return { id: 'order-1', content: 'c', term, ...settings, topology: { ...empty, add } };
}

function told(term: number): Additions {
  const additions = new Additions();
  additions.heard(clusterSeen({ term, appliedOrder: 'order-0' }), 'order-0');
  additions.ordered(order(term, host), at(1_000));
  return additions;
}

describe('what a leader may still be adding', () => {
  it('is not known before it has confirmed an order of this server', () => {
    const additions = new Additions();
    expect(additions.pending(0)).to.equal(undefined);
    additions.heard(clusterSeen({ appliedOrder: 'of-another-server' }), 'this-life');
    expect(additions.pending(0)).to.equal(undefined);
    additions.heard(clusterSeen({ appliedOrder: 'this-life' }), 'this-life');
    expect(additions.pending(0)).to.deep.equal([]);
  });

  it('is over once the same leader has confirmed a later order, or one sees it', () => {
    for (const said of [
      clusterSeen({ term: 3, appliedOrder: 'order-2' }),
      clusterSeen({ term: 4, topology: topologyOf([node(0), node(2)]) }),
    ]) {
      const additions = told(3);
      expect(additions.pending(1_000)).to.deep.equal([host]);
      additions.heard(said, 'order-2');
      expect(additions.pending(1_000)).to.deep.equal([]);
    }
  });

  it('goes on though another one leads by now, and not for ever', () => {
    const additions = told(3);
    additions.heard(clusterSeen({ term: 4, appliedOrder: 'order-2' }), 'order-2');
    expect(additions.pending(1_000)).to.deep.equal([host]);
    expect(additions.pending(200_000)).to.deep.equal([]);
  });
});

describe('a member that has just been out', () => {
  const record = couchbaseRecord(2);
  const two = topologyOf([node(0), node(1)]);
  const leave = (adding: readonly string[] | undefined, deleting = false) => {
    const { shards: _s, lastCopies: _l, unassigned: _u, moving: _m, ...bare } = evidence(record.name);
    const { adding: _known, ...seen } = observed(two);
    return objections(
      asking('leave', {
        ledger: couchbaseLedger(2, 3, { deleting }),
        record,
        member: member(2, 'fresh'),
        evidence: { ...bare, standing: 'fresh', nodeId: '' },
        observed: { ...seen, ...(adding && { adding }) },
      }),
    ).map(({ name }) => name);
  };

  it('leaves where nobody adds it', () => expect(leave([])).to.deep.equal([]));
  it('stays as long as that is not known', () => expect(leave(undefined)).to.deep.equal(['node_is_in_the_topology']));
  it('stays while it may be being added', () =>
    expect(leave([record.address])).to.deep.equal(['node_is_in_the_topology']));
  it('leaves in any case where the cluster is deleted', () => expect(leave(undefined, true)).to.deep.equal([]));

  it('is not added where it is wanted again and its permit to leave is in use', () => {
    const members = [member(0, 'active'), member(1, 'active'), member(2, 'fresh')];
    const addedWith = (permits: readonly ReturnType<typeof permit>[]) =>
      topologyOrder({ ledger: couchbaseLedger(3, 3, { permits }), next: [] }, observed(two, members), now)?.add;
    expect(addedWith([])).to.have.length(1);
    expect(addedWith([permit(record.name, 'leave', { state: 'used' })])).to.deep.equal([]);
  });
});
