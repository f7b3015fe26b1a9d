/** What a node of Couchbase waits for before it is stopped by permit, where the graceful failover that goes before takes its time. */
import { expect } from 'chai';
import { createCouchbaseEngine } from '../../pilot/engine/couchbase/engine.ts';
import type { Ground } from '../../pilot/engine/couchbase/ground.ts';
import type { Answer } from '../../pilot/engine/exchange.ts';
import { SeededRandom } from '../simulation/random.ts';
import { ActorClock, settled, VirtualTime } from '../simulation/time.ts';

interface Scene {
  membership: 'active' | 'inactiveFailed';
  running: boolean;
  /** Whether the third node answers. */
  thirdIsUp: boolean;
  /** What the graceful failover is answered with. */
  status: number;
}

const node = (at: number, change: Record<string, unknown>): unknown => ({
  otpNode: `ns_1@10.0.0.${at}`,
  hostname: `10.0.0.${at}:8091`,
  status: 'healthy',
  clusterMembership: 'active',
  services: ['kv'],
  ...change,
});

/** This node is the first of three, and has the active copy of one vBucket, with a replica on the second. */
function answerIn(scene: Scene, path: string): unknown {
  if (path === '/pools/default/tasks')
    return [{ type: 'rebalance', status: scene.running ? 'running' : 'notRunning', statusIsStale: false }];
  if (path === '/pools/default/buckets') {
    const serverList = ['10.0.0.1:11210', '10.0.0.2:11210', '10.0.0.3:11210'];
    return [{ name: 'b', replicaNumber: 1, vBucketServerMap: { serverList, vBucketMap: [[0, 1]] } }];
  }
  const third = scene.thirdIsUp ? {} : { status: 'unhealthy' };
  const nodes = [node(1, { thisNode: true, clusterMembership: scene.membership }), node(2, {}), node(3, third)];
  return { nodes, balanced: true, rebalanceStatus: scene.running ? 'running' : 'none' };
}

/** A stop that was permitted, in a scene; `ended` once the process may be stopped. */
function stopIn(scene: Scene): { readonly ended: () => boolean; readonly pass: (ms: number) => Promise<void> } {
  const time = new VirtualTime();
  const clock = new ActorClock(time, 1, 0);
  const ground: Ground = {
    carry: async ({ method, path }): Promise<Answer> => {
      if (method === 'POST') return { status: scene.status, text: '' };
      return { status: 200, text: JSON.stringify(answerIn(scene, path)) };
    },
    credentials: () => ({ username: 'a', password: 'b' }),
    password: () => '',
    makeDirectories: async () => undefined,
    read: () => undefined,
    write: async () => undefined,
  };
  const place = {
    ...{ member: 'm', cluster: 'c', address: '10.0.0.1', httpPort: 8091, transportPort: 0 },
    ...{ distribution: '/', directory: '/', javaHome: '', credentialsFile: '/none' },
  };
  const engine = createCouchbaseEngine(place, { clock, random: new SeededRandom(1), ground });
  let ended = false;
  void engine.beforeStop('restart').then(() => (ended = true));
  const pass = async (ms: number): Promise<void> => {
    await settled();
    await time.run(time.nowMs + ms, () => true);
  };
  return { ended: () => ended, pass };
}

describe('before a node of Couchbase is stopped', () => {
  it('its graceful failover is waited for', async () => {
    const scene: Scene = { membership: 'active', running: false, thirdIsUp: true, status: 200 };
    const { ended, pass } = stopIn(scene);
    await pass(0);
    scene.running = true;
    await pass(5_000);
    expect(ended()).to.equal(false);
    Object.assign(scene, { running: false, membership: 'inactiveFailed', thirdIsUp: false });
    await pass(5_000);
    expect(ended()).to.equal(true);
  });

  for (const status of [200, 503]) {
    it(`and where that fails, until the others can do without it (${status})`, async () => {
      const scene: Scene = { membership: 'active', running: false, thirdIsUp: true, status };
      const { ended, pass } = stopIn(scene);
      await pass(0);
      scene.running = true;
      await pass(2_000);
      Object.assign(scene, { running: false, thirdIsUp: false });
      await pass(60_000);
      expect(ended()).to.equal(false);
      scene.thirdIsUp = true;
      await pass(5_000);
      expect(ended()).to.equal(true);
    });
  }

  it('nothing is waited for that the database refuses', async () => {
    const { ended, pass } = stopIn({ membership: 'active', running: false, thirdIsUp: false, status: 400 });
    await pass(100);
    expect(ended()).to.equal(true);
  });
});
