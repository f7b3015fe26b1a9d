/** What every place for a lease must do. Run on each one by the tests that know it. */
import { expect } from 'chai';
import type { LeaseRecord } from '../../server/model/lease.ts';
import type { LeaseStore } from '../../server/store/lease.ts';

export interface OpenLease {
  readonly store: LeaseStore;
  /** Takes the record away, as a person may do it. */
  remove(): Promise<void>;
}

const lease = (holder: string, term = 1): { holder: string; term: number; ttlMs: number } => ({
  holder,
  term,
  ttlMs: 15_000,
});

function written(answer: LeaseRecord | 'conflict'): LeaseRecord {
  if (answer === 'conflict') throw new Error('a conflict where there must be none');
  return answer;
}

/** Holds a place for a lease to the contract of server/store/lease.ts; `open` gives an empty one each time. */
export function leaseContract(open: () => Promise<OpenLease>): void {
  let place: OpenLease;
  let store: LeaseStore;
  beforeEach(async () => {
    place = await open();
    ({ store } = place);
  });
  afterEach(async () => store.close());

  it('where there is none, none is read', async () => {
    expect(await store.read()).to.equal(undefined);
  });

  it('what is written is read, with the version that it was given', async () => {
    const record = written(await store.write(lease('a', 7), undefined));
    expect(record).to.deep.equal({ ...lease('a', 7), version: record.version });
    expect(await store.read()).to.deep.equal(record);
  });

  it('it is created once', async () => {
    await store.write(lease('a'), undefined);
    expect(await store.write(lease('b'), undefined)).to.equal('conflict');
    expect((await store.read())?.holder).to.equal('a');
  });

  it('a write names the version that it replaces, and gives another one', async () => {
    const first = written(await store.write(lease('a'), undefined));
    const second = written(await store.write(lease('a'), first.version));
    expect(second.version).to.not.equal(first.version);
    expect(await store.write(lease('b', 2), first.version)).to.equal('conflict');
    expect(written(await store.write(lease('b', 2), second.version))).to.include(lease('b', 2));
  });

  it('a lease that was given up is nobody’s, and keeps its term', async () => {
    const first = written(await store.write(lease('a', 3), undefined));
    expect(written(await store.write(lease('', 3), first.version))).to.include(lease('', 3));
    expect(await store.read()).to.include(lease('', 3));
  });

  it('one that was taken away cannot be renewed, and the next one has another version', async () => {
    const first = written(await store.write(lease('a'), undefined));
    await place.remove();
    expect(await store.write(lease('a'), first.version)).to.equal('conflict');
    expect(await store.read()).to.equal(undefined);
    const next = written(await store.write(lease('b', 2), undefined));
    expect(next.version).to.not.equal(first.version);
    expect(await store.write(lease('a'), first.version)).to.equal('conflict');
  });

  it('of many that want it at once, one gets it', async () => {
    const first = written(await store.write(lease(''), undefined));
    const names = Array.from({ length: 10 }, (_, at) => `server-${at}`);
    const answers = await Promise.all(names.map(async (name) => store.write(lease(name, 2), first.version)));
    const winners = answers.filter((answer) => answer !== 'conflict');
    expect(winners).to.have.length(1);
    expect((await store.read())?.holder).to.equal(winners[0]?.holder);
  });
}
