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
  /** Whether the vBucket has a replica. */
  replica?: boolean;
  /** For so long its pilot is stopped while the database answers. */
  asleepMs?: number;
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
  if (path === '/pools') return { pools: [{ name: 'default' }], implementationVersion: '7.6.7-0000-enterprise' };
  if (path === '/pools/default/tasks')
    return [{ type: 'rebalance', status: scene.running ? 'running' : 'notRunning', statusIsStale: false }];
  if (path === '/pools/default/buckets') {
    const serverList = ['10.0.0.1:11210', '10.0.0.2:11210', '10.0.0.3:11210'];
    return [
      {
        name: 'b',
        replicaNumber: 1,
        vBucketServerMap: { serverList, vBucketMap: [[0, scene.replica === false ? -1 : 1]] },
      },
    ];
  }
  const third = scene.thirdIsUp ? {} : { status: 'unhealthy' };
  const nodes = [node(1, { thisNode: true, clusterMembership: scene.membership }), node(2, {}), node(3, third)];
  return { nodes, balanced: true, rebalanceStatus: scene.running ? 'running' : 'none' };
}

interface Stop {
  /** Once it has ended; with why the process must run on, where it must. */
  readonly end: () => { readonly objection: string | undefined } | undefined;
  readonly pass: (ms: number) => Promise<void>;
}

/** A restart that was permitted, in a scene. */
function stopIn(scene: Scene, approvedHolds: readonly string[] = []): Stop {
  const time = new VirtualTime();
  const clock = new ActorClock(time, 1, 0);
  const ground: Ground = {
    carry: async ({ method, path }): Promise<Answer> => {
      if (method === 'POST') return { status: scene.status, text: '' };
      const text = JSON.stringify(answerIn(scene, path));
      if (scene.asleepMs !== undefined && path === '/pools/default/buckets') {
        clock.freeze();
        await new Promise<void>((resolve) => time.after(scene.asleepMs ?? 0, resolve));
        clock.thaw();
      }
      return { status: 200, text };
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
  let end: { objection: string | undefined } | undefined;
  void engine.beforeStop({ verb: 'restart', approvedHolds }).then((objection) => (end = { objection }));
  const pass = async (ms: number): Promise<void> => {
    await settled();
    await time.run(time.nowMs + ms, () => true);
  };
  return { end: () => end, pass };
}

const mayStop = { objection: undefined };

describe('before a node of Couchbase is stopped', () => {
  it('its graceful failover is waited for', async () => {
    const scene: Scene = { membership: 'active', running: false, thirdIsUp: true, status: 200 };
    const { end, pass } = stopIn(scene);
    await pass(0);
    scene.running = true;
    await pass(5_000);
    expect(end()).to.equal(undefined);
    Object.assign(scene, { running: false, membership: 'inactiveFailed', thirdIsUp: false });
    await pass(5_000);
    expect(end()).to.deep.equal(mayStop);
  });

  for (const status of [200, 503]) {
    it(`and where that fails, until the others can do without it (${status})`, async () => {
      const scene: Scene = { membership: 'active', running: false, thirdIsUp: true, status };
      const { end, pass } = stopIn(scene);
      await pass(0);
      scene.running = true;
      await pass(2_000);
      Object.assign(scene, { running: false, thirdIsUp: false });
      await pass(60_000);
      expect(end()).to.equal(undefined);
      scene.thirdIsUp = true;
      await pass(5_000);
      expect(end()).to.deep.equal(mayStop);
    });
  }

  it('nothing is done on what its pilot read before it was stopped for a while', async () => {
    const scene: Scene = { membership: 'active', running: false, thirdIsUp: true, status: 400, asleepMs: 60_000 };
    const { end, pass } = stopIn(scene);
    await pass(125_000);
    expect(end()).to.equal(undefined);
    delete scene.asleepMs;
    await pass(70_000);
    expect(end()).to.deep.equal(mayStop);
  });

  it('nothing is waited for that the database refuses, where the others can do without it', async () => {
    const { end, pass } = stopIn({ membership: 'active', running: false, thirdIsUp: true, status: 400 });
    await pass(0);
    expect(end()).to.deep.equal(mayStop);
  });

  const harms: readonly (readonly [string, Partial<Scene>, RegExp])[] = [
    ['quorum_would_be_lost', { thirdIsUp: false }, /without it 1 nodes answer and 2 must/],
    ['last_copy_of_a_vbucket', { replica: false }, /1 vBuckets have no copy on another healthy node/],
    ['', { running: true }, /a rebalance is running/],
  ];
  for (const [hold, harm, words] of harms) {
    it(`it runs on after all where its stop would do harm by then (${hold || 'rebalance'})`, async () => {
      const { end, pass } = stopIn({ membership: 'active', running: false, thirdIsUp: true, status: 400, ...harm });
      await pass(299_000);
      expect(end()).to.equal(undefined);
      await pass(2_000);
      expect(end()?.objection).to.match(words);
    });
    if (hold === '') continue;
    it(`and not where a person has taken that upon themselves (${hold})`, async () => {
      const scene: Scene = { membership: 'active', running: false, thirdIsUp: true, status: 400, ...harm };
      const { end, pass } = stopIn(scene, [hold]);
      await pass(0);
      expect(end()).to.deep.equal(mayStop);
    });
  }
});
