/** A process that writes to a store: `count <file> <times>`, or `endless <file>`, a line for every acknowledged write. */
import { writeSync } from 'node:fs';
import { SqliteStore } from '../../server/store/sqlite.ts';
import { increment, ledgerOf } from './store.contract.ts';

const [mode = '', file = '', times = '0'] = process.argv.slice(2);
const store = SqliteStore.open(file);
writeSync(1, 'open\n');
if (mode === 'count') {
  await increment(store, 'default/demo', Number(times));
} else {
  const padding = 'x'.repeat(10_000);
  for (let revision = 0; ; revision += 1) {
    const answer = await store.compareAndSwap('default/demo', revision, ledgerOf(padding, revision + 1));
    if (answer === 'conflict') throw new Error('nobody else writes, and yet there is a conflict');
    writeSync(1, `${answer.revision}\n`);
  }
}
await store.close();
