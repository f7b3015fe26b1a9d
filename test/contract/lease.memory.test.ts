import { MemoryLease } from '../../server/store/memory-lease.ts';
import { leaseContract } from './lease.contract.ts';

describe('the lease in memory', () => {
  leaseContract(async () => {
    const store = new MemoryLease();
    return { store, remove: async () => store.delete() };
  });
});
