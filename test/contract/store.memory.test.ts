import { MemoryStore } from '../../server/store/memory.ts';
import { storeContract } from './store.contract.ts';

describe('the store in memory', () => {
  storeContract(async () => new MemoryStore());
});
