/** What only a person lets happen to a Couchbase cluster: permits that the server asks for itself. */
import { expect } from 'chai';
import { approve, deny } from '../../../server/coordination/rulings.ts';
import type { BucketState, Topology } from '../../../server/model/couchbase.ts';
import type { Ledger } from '../../../server/model/ledger.ts';
import type { Observation } from '../../../server/model/observation.ts';
import type { Permit } from '../../../server/model/permit.ts';
import { defaultTiming } from '../../../server/model/timing.ts';
import {
  approvedFailovers,
  askDoing,
  askHolds,
  bucketOrder,
  noteAsks,
} from '../../../server/reconcile/couchbase-asks.ts';
import { topologyOrder } from '../../../server/reconcile/couchbase-order.ts';
import { noteStale } from '../../../server/reconcile/couchbase-stale.ts';
import { awayMembers } from '../../../server/reconcile/budget.ts';
import { elect } from '../../../server/coordination/elections.ts';
import { couchbase, couchbaseLedger, member, node, now, observed, topologyOf } from './couchbase.scene.ts';

const person = { who: 'ann', why: 'a test', wallMs: 0 };
const noted = (ledger: Ledger, view: Observation): Ledger => noteAsks(ledger, view, now, defaultTiming);
const approved = (ledger: Ledger, id: string, view: Observation): Ledger =>
  noted(approve(ledger, id, person, askHolds(ledger, view)), view);
const states = ({ permits }: Ledger): readonly string[] =>
  permits.map(({ member: who, state }: Permit) => `${who} ${state}`);

const alone = topologyOf([node(0), node(1, { healthy: false }), node(2, { healthy: false })]);
const lonely = observed(alone, [member(0, 'active'), member(1, undefined), member(2, undefined)]);

describe('a majority that is lost for good', () => {
  it('is asked for, a permit for each node that does not answer', () => {
    const ledger = noted(couchbaseLedger(3), lonely);
    expect(states(ledger)).to.deep.equal(['demo-node-1 queued', 'demo-node-2 queued']);
    expect(noted(ledger, lonely)).to.equal(ledger);
    expect(askHolds(ledger, lonely).map(({ name, member: who }) => `${name} ${who}`)).to.deep.equal([
      'node_is_lost demo-node-1',
      'node_is_lost demo-node-2',
    ]);
    expect(askDoing(ledger)).to.have.length(2);
    expect(topologyOrder({ ledger, next: [] }, lonely, now)).to.deep.include({ failOver: [], unsafe: false });
  });

  it('is failed over with force once so many are approved that those who are left have one, all at once', () => {
    const five = topologyOf([node(0), node(1), ...[2, 3, 4].map((ordinal) => node(ordinal, { healthy: false }))]);
    const view = observed(
      five,
      [0, 1].map((ordinal) => member(ordinal, 'active')),
    );
    let ledger = noted(couchbaseLedger(5, 5), view);
    const [first = '', second = ''] = ledger.permits.map(({ id }) => id);
    ledger = approved(ledger, first, view);
    expect(approvedFailovers(ledger, five)).to.deep.equal([]);
    ledger = approved(ledger, second, view);
    const order = topologyOrder({ ledger, next: [] }, view, now);
    expect(order).to.deep.include({ failOver: ['ns_1@10.0.0.2', 'ns_1@10.0.0.3'], unsafe: true, rebalance: false });
  });

  it('is not begun in a pause, nor while the journal cannot be written, though it is approved', () => {
    const before = noted(couchbaseLedger(3), lonely);
    const id = before.permits[0]?.id ?? '';
    const paused = approved({ ...before, paused: true }, id, lonely);
    expect(states(paused)).to.deep.equal(['demo-node-1 queued', 'demo-node-2 queued']);
    const full = approved(before, id, { ...lonely, unrecordable: 'the disk is full' });
    expect(states(full)).to.deep.equal(states(paused));
    expect(states(noted({ ...paused, paused: false }, lonely))[0]).to.equal('demo-node-1 used');
  });

  it('asks anew, and forgets what was approved, where others are dead than the person was shown', () => {
    const before = noted(couchbaseLedger(3), lonely);
    const ids = before.permits.map(({ id }) => id);
    const ledger = approved(before, ids[0] ?? '', lonely);
    expect(ledger.members['demo-node-1']?.cast).to.equal('id-of-demo-node-1');
    const back = observed(topologyOf([node(0), node(1), node(2, { healthy: false })]));
    const after = noted(ledger, back);
    expect(states(after)).to.deep.equal(['demo-node-1 expired', 'demo-node-2 withdrawn']);
    expect(after.members['demo-node-1']?.cast).to.equal(undefined);
    const again = noted(after, lonely);
    expect(states(again).toSorted()).to.deep.equal(['demo-node-1 queued', 'demo-node-2 queued']);
  });

  it('is over once the nodes are gone, and what comes back of them neither leads nor counts', () => {
    let ledger = noted(couchbaseLedger(3), lonely);
    for (const { id } of ledger.permits) ledger = approved(ledger, id, lonely);
    const left = topologyOf([node(0)]);
    const view = observed(left);
    ledger = noted(ledger, view);
    expect(states(ledger)).to.deep.equal(['demo-node-1 completed', 'demo-node-2 completed']);
    const stale = noteStale(ledger, view, now);
    expect(Object.values(stale.members).map(({ cast }) => cast)).to.deep.equal([
      undefined,
      'id-of-demo-node-1',
      'id-of-demo-node-2',
    ]);
    expect([...awayMembers(stale, view)]).to.deep.equal(['demo-node-1', 'demo-node-2']);
    const headless = { ...stale, leadership: { term: 1, leader: '', incarnation: '' } };
    const late = { now: { monotonicMs: 9e9, wallMs: 0 }, timing: defaultTiming };
    const dead = { ...view, members: new Map([...view.members].filter(([name]) => name !== 'demo-node-0')) };
    expect(elect(headless, view, late, new Map()).leader).to.equal('demo-node-0');
    expect(elect(headless, dead, late, new Map()).leader).to.equal('');
  });

  it('is refused by a person, and then left alone', () => {
    const ledger = noted(couchbaseLedger(3), lonely);
    const denied = noted(deny(ledger, ledger.permits[0]?.id ?? '', person), lonely);
    expect(states(denied)).to.deep.equal(['demo-node-1 denied', 'demo-node-2 queued']);
    expect(askDoing(denied)).to.have.length(1);
  });
});

describe('the leader of a cluster without a majority', () => {
  const view = observed(
    alone,
    [0, 1, 2].map((ordinal) => {
      const { node: seen, ...rest } = member(ordinal, 'active');
      return seen === undefined || ordinal === 1 ? rest : { ...rest, node: { ...seen, joined: false } };
    }),
  );
  const late = { now: { monotonicMs: 9e9, wallMs: 0 }, timing: defaultTiming };

  it('stays, or is one whose node answers', () => {
    const ledger = couchbaseLedger(3);
    expect(elect(ledger, view, late, new Map())).to.equal(ledger.leadership);
    const other = { ...ledger, leadership: { term: 1, leader: 'demo-node-1', incarnation: 'life-of-demo-node-1' } };
    const without = elect(other, view, late, new Map());
    expect(without.leader).to.equal('');
    expect(elect({ ...other, leadership: without }, view, late, new Map()).leader).to.equal('demo-node-0');
  });
});

describe('a node that was taken out while it was away', () => {
  const without = topologyOf([node(0), node(1)]);
  const watch = { digest: 'd1', sinceMs: now.monotonicMs - 30_000, outcome: '', failures: 0, failedAtMs: 0 };
  const cast = (view: Observation): string | undefined =>
    noteStale(couchbaseLedger(3), view, now).members['demo-node-2']?.cast;

  it('is stale once the cluster has been without it for a while, and not right after', () => {
    expect(cast(observed(without, undefined, { watch }))).to.equal('id-of-demo-node-2');
    expect(cast(observed(without, undefined, { watch: { ...watch, sinceMs: now.monotonicMs - 1 } }))).to.equal(
      undefined,
    );
    expect(cast(observed(topologyOf([node(0), node(1), node(2)]), undefined, { watch }))).to.equal(undefined);
  });

  it('is none right after it was added, when the leader has yet to see it in its topology', () => {
    const since = (standsSinceMs: number): string | undefined => {
      const added = { ...member(2, 'added'), standsSinceMs };
      return cast(observed(without, [member(0, 'active'), member(1, 'active'), added], { watch }));
    };
    expect(since(now.monotonicMs - 29_999)).to.equal(undefined);
    expect(since(now.monotonicMs - 30_000)).to.equal('id-of-demo-node-2');
  });

  it('is none any more once it is as new', () => {
    const ledger = noteStale(couchbaseLedger(3), observed(without, undefined, { watch }), now);
    const members = [member(0, 'active'), member(1, 'active'), member(2, 'fresh')];
    expect(noteStale(ledger, observed(without, members), now).members['demo-node-2']?.cast).to.equal(undefined);
  });

  it('is none any more once the cluster has it again and hears it, and stays one as long as it does not', () => {
    const ledger = noteStale(couchbaseLedger(3), observed(without, undefined, { watch }), now);
    const after = (third: Parameters<typeof node>[1]): string | undefined => {
      const view = observed(topologyOf([node(0), node(1), node(2, third)]));
      return noteStale(ledger, view, now).members['demo-node-2']?.cast;
    };
    expect(after({})).to.equal(undefined);
    expect(after({ healthy: false })).to.equal('id-of-demo-node-2');
    expect(after({ standing: 'failed' })).to.equal('id-of-demo-node-2');
  });
});

const travel: BucketState = {
  ...{ name: 'travel', uuid: 'u1', items: 5, ramQuotaMb: 256, replicas: 1, eviction: 'valueOnly' },
};
const wanted = { name: 'travel', ramQuotaMb: 256, replicas: 1, type: 'couchbase', flush: false };

interface BucketCase {
  readonly title: string;
  readonly there: readonly BucketState[];
  readonly wants: readonly (typeof wanted & { readonly eviction?: string })[];
  readonly owned?: readonly string[];
  readonly holds: readonly string[];
  /** Before and after a person approves everything. */
  readonly drop?: readonly [number, number];
  readonly shrink?: readonly [number, number];
}

const bucketCases: readonly BucketCase[] = [
  { title: 'stays as it is', there: [travel], wants: [wanted], holds: [] },
  { title: 'grows without a permit', there: [travel], wants: [{ ...wanted, ramQuotaMb: 512, replicas: 2 }], holds: [] },
  {
    title: 'goes by a permit where it holds anything',
    there: [travel],
    wants: [],
    owned: ['travel'],
    holds: ['bucket_would_go'],
    drop: [0, 1],
  },
  {
    title: 'goes by a permit where it is not known what it holds',
    there: [{ name: 'travel', uuid: 'u1', ramQuotaMb: 256, replicas: 1, eviction: '' }],
    wants: [],
    owned: ['travel'],
    holds: ['bucket_would_go'],
    drop: [0, 1],
  },
  {
    title: 'goes where it is empty',
    there: [{ ...travel, items: 0 }],
    wants: [],
    owned: ['travel'],
    holds: [],
    drop: [1, 1],
  },
  {
    title: 'stays where no manifest has ever named it',
    there: [{ ...travel, items: 0 }],
    wants: [],
    holds: [],
    drop: [0, 0],
  },
  {
    title: 'gets less memory by a permit',
    there: [travel],
    wants: [{ ...wanted, ramQuotaMb: 128 }],
    holds: ['bucket_would_shrink'],
    shrink: [0, 1],
  },
  {
    title: 'gets fewer replicas by a permit',
    there: [travel],
    wants: [{ ...wanted, replicas: 0 }],
    holds: ['bucket_would_shrink'],
    shrink: [0, 1],
  },
  {
    title: 'is restarted for another eviction by a permit',
    there: [travel],
    wants: [{ ...wanted, eviction: 'fullEviction' }],
    holds: ['bucket_would_shrink'],
    shrink: [0, 1],
  },
  {
    title: 'shrinks where it is empty',
    there: [{ ...travel, items: 0 }],
    wants: [{ ...wanted, ramQuotaMb: 128 }],
    holds: [],
    shrink: [1, 1],
  },
];

describe('a bucket', () => {
  const calm = (there: readonly BucketState[]): Topology => topologyOf([node(0), node(1), node(2)], { buckets: there });
  const ledgerOf = ({ wants, owned = [] }: BucketCase): Ledger => {
    const base = couchbaseLedger(3);
    return { ...base, ownedBuckets: owned, spec: { ...base.spec, couchbase: { ...couchbase, buckets: wants } } };
  };

  for (const row of bucketCases) {
    it(row.title, () => {
      const topology = calm(row.there);
      const view = observed(topology);
      let ledger = noted(ledgerOf(row), view);
      expect(askHolds(ledger, view).map(({ name }) => name)).to.deep.equal(row.holds);
      const before = bucketOrder(ledger, topology);
      for (const { id } of ledger.permits) ledger = approved(ledger, id, view);
      const after = bucketOrder(ledger, topology);
      expect([before.drop.length, after.drop.length]).to.deep.equal(row.drop ?? [0, 0]);
      expect([before.shrink.length, after.shrink.length]).to.deep.equal(row.shrink ?? [0, 0]);
    });
  }

  it('is owned once a manifest has named it, until it is gone', () => {
    const base = couchbaseLedger(3);
    const named = { ...base, spec: { ...base.spec, couchbase: { ...couchbase, buckets: [wanted] } } };
    const owned = noted(named, observed(calm([travel])));
    expect(owned.ownedBuckets).to.deep.equal(['travel']);
    const unnamed = noted({ ...owned, spec: base.spec }, observed(calm([travel])));
    expect(unnamed.ownedBuckets).to.deep.equal(['travel']);
    expect(noted(unnamed, observed(calm([]))).ownedBuckets).to.deep.equal([]);
  });

  it('of the same name that was made since needs a permit of its own', () => {
    const row = bucketCases.find(({ drop }) => drop?.[1] === 1 && drop[0] === 0);
    const view = observed(calm([travel]));
    let ledger = noted(ledgerOf(row!), view);
    ledger = approved(ledger, ledger.permits[0]?.id ?? '', view);
    const other = calm([{ ...travel, uuid: 'u2' }]);
    expect(bucketOrder(ledger, other).drop).to.deep.equal([]);
    expect(askHolds(noted(ledger, observed(other)), observed(other))).to.have.length(1);
  });
});
