/**
 * A process that writes to a store: `count <file> <times>`, or `endless <file>`, a line for every acknowledged write; or that makes
 * new ones, at moments that several of it share: `open <file> <count> <wall ms of the first>`.
 */
import { writeSync } from 'node:fs';
import { sleep, systemClock } from '../../shared/clock.ts';
import { SqliteStore } from '../../server/store/sqlite.ts';
import { increment, ledgerOf } from './store.contract.ts';

const [mode = '', file = '', times = '0', first = '0'] = process.argv.slice(2);
const clock = systemClock();
const betweenMs = 20;
if (mode === 'open') {
  for (let made = 0; made < Number(times); made++) {
    await sleep(clock, Math.max(0, Number(first) + made * betweenMs - clock.wallMs()));
    await SqliteStore.open(`${file}-${made}`).close();
  }
  process.exit(0);
}
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
