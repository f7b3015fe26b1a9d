/** What every store must do. Run on each one by the tests beside this file. */
import { expect } from 'chai';
import type { Ledger } from '../../server/model/ledger.ts';
import type { Store, Stored } from '../../server/store/store.ts';
import { NavigatorError } from '../../shared/errors.ts';

/** A ledger that only its `manifest` tells from another. */
export function ledgerOf(manifest: string, generation = 1): Ledger {
  return {
    spec: {
      id: { namespace: 'default', name: 'demo' },
      application: 'elasticsearch',
      version: '5.6.16',
      paused: false,
      plugins: [],
      config: { 'node.attr.rack': 'r1', ['__proto__']: 'a setting of that name' },
      maxUnavailable: 1,
      runAsUser: 1000,
      deletionProtected: false,
      nodePools: [],
    },
    manifest,
    generation,
    paused: false,
    deleting: false,
    leadership: { term: 7, leader: '', incarnation: '' },
    members: {},
    permits: [],
  };
}

/** The code of the NavigatorError that `work` rejects with; anything else fails the test. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof NavigatorError) return error.code;
    throw error;
  }
  throw new Error('it did not fail');
}

function written(answer: Stored | 'conflict'): Stored {
  if (answer === 'conflict') throw new Error('a conflict where there must be none');
  return answer;
}

/** Adds 1 to `generation` of row `key`, `times` times, reading again after each lost race. */
export async function increment(store: Store, key: string, times: number): Promise<void> {
  for (let done = 0; done < times;) {
    const before = await store.read(key);
    const next = ledgerOf('counted', (before?.ledger.generation ?? 0) + 1);
    const answer = await store.compareAndSwap(key, before?.revision ?? 0, next);
    if (answer !== 'conflict') done += 1;
  }
}

/** Holds a kind of store to the contract of server/store/store.ts; `open` gives an empty one each time. */
export function storeContract(open: () => Promise<Store>): void {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(async () => store.close());

  it('an empty store lists nothing and reads nothing', async () => {
    expect(await store.list()).to.deep.equal([]);
    expect(await store.read('default/demo')).to.equal(undefined);
  });

  it('a row is created at revision 0 and begins with revision 1', async () => {
    const row = written(await store.compareAndSwap('default/demo', 0, ledgerOf('a')));
    expect(row).to.deep.equal({ key: 'default/demo', revision: 1, ledger: ledgerOf('a') });
    expect(await store.read('default/demo')).to.deep.equal(row);
  });

  it('a row is created once', async () => {
    await store.compareAndSwap('default/demo', 0, ledgerOf('a'));
    expect(await store.compareAndSwap('default/demo', 0, ledgerOf('b'))).to.equal('conflict');
    expect((await store.read('default/demo'))?.ledger.manifest).to.equal('a');
  });

  it('no row is created at a revision above 0, nor at a nonsensical one', async () => {
    for (const revision of [1, 5, -1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER]) {
      expect(await store.compareAndSwap('default/demo', revision, ledgerOf('a'))).to.equal('conflict');
    }
    expect(await store.list()).to.deep.equal([]);
  });

  it('a write names the revision that it replaces, and each write adds one', async () => {
    await store.compareAndSwap('default/demo', 0, ledgerOf('a'));
    expect(written(await store.compareAndSwap('default/demo', 1, ledgerOf('b'))).revision).to.equal(2);
    for (const stale of [1, 3, -1, 2.5]) {
      expect(await store.compareAndSwap('default/demo', stale, ledgerOf('c'))).to.equal('conflict');
    }
    expect((await store.read('default/demo'))?.ledger.manifest).to.equal('b');
  });

  it('rows do not touch each other', async () => {
    await store.compareAndSwap('a/x', 0, ledgerOf('1'));
    await store.compareAndSwap('b/x', 0, ledgerOf('2'));
    await store.compareAndSwap('b/x', 1, ledgerOf('3'));
    expect((await store.read('a/x'))?.revision).to.equal(1);
  });

  it('rows are listed in the order of their keys', async () => {
    for (const key of ['b/a', 'a-b/c', 'a/z', 'a/b', 'a1/b', 'c/a']) await store.compareAndSwap(key, 0, ledgerOf(key));
    const keys = (await store.list()).map((row) => row.key);
    expect(keys).to.deep.equal(['a-b/c', 'a/b', 'a/z', 'a1/b', 'b/a', 'c/a']);
  });

  it('a row is removed at its revision only', async () => {
    await store.compareAndSwap('default/demo', 0, ledgerOf('a'));
    for (const stale of [0, 2]) expect(await store.remove('default/demo', stale)).to.equal('conflict');
    expect(await store.remove('default/demo', 1)).to.equal('removed');
    expect(await store.read('default/demo')).to.equal(undefined);
    expect(await store.remove('default/demo', 1)).to.equal('conflict');
    expect(written(await store.compareAndSwap('default/demo', 0, ledgerOf('b'))).revision).to.equal(1);
  });

  it('what was written or read cannot be changed from outside', async () => {
    const ledger = { ...ledgerOf('a'), members: {} as Record<string, never> };
    const row = written(await store.compareAndSwap('default/demo', 0, ledger));
    ledger.members['x'] = {} as never;
    (row.ledger as { generation: number }).generation = 99;
    expect((await store.read('default/demo'))?.ledger).to.deep.equal(ledgerOf('a'));
  });

  it('a ledger of a mebibyte is kept whole, whatever its characters', async () => {
    const large = ledgerOf(`${'ü€𝄞\u0000\n"'.repeat(90_000)}end`);
    await store.compareAndSwap('default/demo', 0, large);
    expect((await store.read('default/demo'))?.ledger).to.deep.equal(large);
  });

  it('a ledger above 8 MiB is refused and the row stays as it was', async () => {
    await store.compareAndSwap('default/demo', 0, ledgerOf('a'));
    const huge = ledgerOf('€'.repeat(3 * 1024 * 1024));
    expect(await codeOf(store.compareAndSwap('default/demo', 1, huge))).to.equal('exhausted');
    expect((await store.read('default/demo'))?.revision).to.equal(1);
  });

  it('writers that race lose nothing', async () => {
    await Promise.all([increment(store, 'default/demo', 50), increment(store, 'default/demo', 50)]);
    const row = await store.read('default/demo');
    expect([row?.revision, row?.ledger.generation]).to.deep.equal([100, 100]);
  });
}
