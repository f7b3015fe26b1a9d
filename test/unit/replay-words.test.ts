/** An order to the leader of a Couchbase cluster, as `navigator replay` tells of it. */
import { expect } from 'chai';
import type { TopologyOrder } from '../../server/model/couchbase.ts';
import { topologyOrder } from '../../server/reconcile/couchbase-order.ts';
import { orderWords } from '../../replay/words.ts';
import { couchbaseLedger, node, now, observed, topologyOf } from './reconcile/couchbase.scene.ts';

const rows: readonly (readonly [string, Partial<TopologyOrder>])[] = [
  ['term 3: nothing is changed in the topology', {}],
  ['term 3: rebalance, and take out b', { rebalance: true, eject: ['b'] }],
  ['term 3: fail over with force a, b', { failOver: ['a', 'b'], unsafe: true }],
  ['term 3: fail over a, forget b', { failOver: ['a'], discard: ['b'] }],
  ['term 3: add h, take back a', { add: [{ host: 'h', services: [], group: '' }], recover: ['a'] }],
  [
    'term 3: drop the buckets travel, make the buckets smaller other',
    { drop: [{ name: 'travel', uuid: 'u', empty: false }], shrink: ['other'] },
  ],
];

describe('an order to the leader of a Couchbase cluster', () => {
  const calm = topologyOrder({ ledger: couchbaseLedger(3), next: [] }, observed(topologyOf([node(0)])), now);
  const plain = { id: 'o', content: 'c', term: 3, excluded: [], owned: [], allocation: 'all' as const, quorum: 0 };
  for (const [words, change] of rows) {
    it(`is told as: ${words}`, () => {
      expect(orderWords({ ...plain, topology: { ...calm!, ...change } })).to.equal(words);
    });
  }
});
