import { expect } from 'chai';
import { Loop } from '../../server/loop.ts';
import { clusterKey } from '../../server/model/cluster.ts';
import { defaultTiming as timing } from '../../server/model/timing.ts';
import type { Runtime } from '../../server/runtime/runtime.ts';
import { MemoryStore } from '../../server/store/memory.ts';
import { createLogger } from '../../shared/log.ts';
import { systemRandom } from '../../shared/random.ts';
import { MemoryRecorder } from '../fakes/recorder.ts';
import { clusterSpec, ledgerOf, pool, record } from '../support/model.ts';
import { waitFor } from '../support/wait.ts';

const nothing = (): Promise<void> => Promise.resolve();
const runtime: Runtime = {
  prepare: nothing,
  observe: async () => [],
  addresses: async () => new Map(),
  // It never ends, so that the clusters stay as they are.
  create: () => new Promise(() => undefined),
  replace: nothing,
  remove: nothing,
  onChange: () => undefined,
  close: nothing,
};

describe('a server that starts', () => {
  it('has each cluster wait for the pilots of all of them', async () => {
    const store = new MemoryStore();
    const members = { one: [record(0), record(1), record(2)], two: [record(0), record(1)] };
    for (const [name, records] of Object.entries(members)) {
      const spec = clusterSpec([pool('node', records.length)], { id: { namespace: 'default', name } });
      await store.compareAndSwap(clusterKey(spec.id), 0, { ...ledgerOf(records), spec });
    }
    const clock = { monotonicMs: () => 0, wallMs: () => 0, after: () => ({ cancel: () => undefined }) };
    const log = createLogger('test', 'silent');
    const recorder = new MemoryRecorder();
    const ports = {
      clock,
      random: systemRandom,
      store,
      runtime,
      log,
      timing,
      record: recorder,
      publish: () => undefined,
    };
    const loop = new Loop(ports);
    await loop.open();
    for (const cluster of loop.list()) {
      const snapshot = await waitFor(() => cluster.snapshot, 'its first pass');
      expect(snapshot.observed.pilotsAtStart, cluster.key).to.equal(5);
    }
    await loop.close();
  });
});
