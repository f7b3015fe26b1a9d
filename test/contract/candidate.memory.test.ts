import { expect } from 'chai';
import { MemoryLease } from '../../server/store/memory-lease.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { waitFor } from '../support/wait.ts';
import { candidateContract, run } from './candidate.contract.ts';

describe('servers on a lease in memory', () => {
  candidateContract(async () => {
    const lease = new MemoryLease();
    return () => lease;
  });

  it('one that cannot renew says so at its time, goes on trying, and leaves within its limit', async () => {
    const lease = new MemoryLease();
    let isAway = false;
    const away = async (): Promise<never> => Promise.reject(new NavigatorError('unavailable', 'away'));
    const { candidate, told, errors } = run('a', {
      read: () => (isAway ? away() : lease.read()),
      write: (next, version) => (isAway ? away() : lease.write(next, version)),
      close: async () => {},
    });
    await waitFor(() => candidate.term(), 'it to be active', 10_000);
    isAway = true;
    await waitFor(() => told.length === 2, 'it to stop', 10_000);
    expect(told).to.deep.equal([1, undefined]);
    expect(errors).to.include('unavailable');
    isAway = false;
    await waitFor(() => candidate.term() === 1, 'it to be active again: nobody else was', 10_000);
    isAway = true;
    await candidate.leave(300);
    expect(told).to.deep.equal([1, undefined, 1, undefined]);
  });
});
