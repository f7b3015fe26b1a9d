/** Servers that want one lease, on a place for it that is real or not. */
import { expect } from 'chai';
import { Candidate } from '../../server/candidate.ts';
import type { TenureTiming } from '../../server/coordination/tenure.ts';
import type { LeaseStore } from '../../server/store/lease.ts';
import { systemClock } from '../../shared/clock.ts';
import type { NavigatorError } from '../../shared/errors.ts';
import { waitFor } from '../support/wait.ts';

const clock = systemClock(true);

/** Short, in whole seconds as a Lease of Kubernetes has them. */
export const timing: TenureTiming = { ttlMs: 2_000, renewEveryMs: 200, driftMax: 0.01 };

/** A server, and what it has told. */
export interface Running {
  readonly candidate: Candidate;
  readonly told: (number | undefined)[];
  readonly errors: string[];
}

export function run(me: string, store: LeaseStore): Running {
  const told: (number | undefined)[] = [];
  const errors: string[] = [];
  const watch = {
    changed: (term: number | undefined): void => void told.push(term),
    failed: (error: NavigatorError): void => void errors.push(error.code),
  };
  const candidate = new Candidate(me, { store, clock, timing }, watch);
  candidate.start();
  return { candidate, told, errors };
}

/** `open` gives another access to the same lease each time; the first one of a test has none. */
export function candidateContract(fresh: () => Promise<() => LeaseStore>): void {
  let open: () => LeaseStore;
  const opened: LeaseStore[] = [];
  const running: Running[] = [];
  const start = (me: string): Running => {
    const store = open();
    opened.push(store);
    running.push(run(me, store));
    return running.at(-1)!;
  };
  beforeEach(async () => {
    open = await fresh();
  });
  afterEach(async () => {
    for (const { candidate } of running.splice(0)) candidate.stop();
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  it('one of two becomes active, in term 1, and stays so', async () => {
    const both = [start('a'), start('b')];
    const first = await waitFor(() => both.find(({ candidate }) => candidate.term() === 1), 'one to be active', 10_000);
    const other = both.find((one) => one !== first)!;
    const since = clock.monotonicMs();
    await waitFor(() => clock.monotonicMs() - since > 1.5 * timing.ttlMs, 'some TTLs to pass');
    expect([first.told, other.told]).to.deep.equal([[1], []]);
  });

  it('after one that dies the other one takes over, no sooner than the TTL', async () => {
    const a = start('a');
    await waitFor(() => a.candidate.term(), 'the first to be active', 10_000);
    const b = start('b');
    const since = clock.monotonicMs();
    a.candidate.stop();
    await waitFor(() => b.candidate.term() === 2, 'the other one', 10_000);
    // It was renewed at most one period before.
    expect(clock.monotonicMs() - since).to.be.within(timing.ttlMs - 2 * timing.renewEveryMs, 3 * timing.ttlMs);
  });

  it('after one that leaves the other one takes over at its next look', async () => {
    const a = start('a');
    await waitFor(() => a.candidate.term(), 'the first to be active', 10_000);
    const b = start('b');
    await a.candidate.leave(5_000);
    expect([a.told, a.candidate.term()]).to.deep.equal([[1, undefined], undefined]);
    const since = clock.monotonicMs();
    await waitFor(() => b.candidate.term() === 2, 'the other one', 10_000);
    expect(clock.monotonicMs() - since).to.be.below(timing.ttlMs);
  });
}
