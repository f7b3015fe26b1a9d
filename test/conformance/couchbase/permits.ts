/** What only a person lets happen. */
import { waitFor } from '../../support/wait.ts';
import { askPeer } from '../../couchbase/simulator/peers.ts';
import type { CouchbaseGround, CouchbaseScenario } from './ground.ts';

const travel = '{ name: travel, ramQuota: 128Mi, replicas: 1 }';
const scratch = '{ name: scratch, ramQuota: 128Mi, replicas: 1 }';

async function bucketOf(ground: CouchbaseGround, name: string) {
  return (await ground.buckets()).find((bucket) => bucket.name === name);
}

function gone(ground: CouchbaseGround, name: string): Promise<unknown> {
  return waitFor(async () => (await bucketOf(ground, name)) === undefined, `bucket ${name} to be gone`);
}

const nodes: readonly CouchbaseScenario[] = [
  {
    name: 'unsafe-failover',
    title: 'two of three are lost, failed over by a permit, come back stale, are reset by permits and added',
    start: { replicas: 3, bucketReplicas: 2 },
    // Who is left makes new copies at once, whether or not the others ever come back.
    rebalances: 2,
    away: 3,
    isLast: true,
    play: async (ground) => {
      const hosts = (await ground.navigator.members()).map(({ address }) => address);
      for (const host of hosts) await askPeer(host, 'fault', { cut: hosts.filter((other) => other !== host) });
      await ground.held('node_is_lost');
      // Whoever leads asks for the others, and another one may come to lead before all is approved.
      await ground.approveUntil('failover-', async () => (await ground.serving()) === 1);
      await ground.heal();
      await ground.approveUntil('wipe-demo', () => ground.isReady());
    },
  },
];

const buckets: readonly CouchbaseScenario[] = [
  {
    name: 'bucket-dropped',
    title: 'a bucket with items leaves the manifest, and goes by a permit',
    start: { replicas: 3, buckets: [travel, scratch] },
    rebalances: 0,
    play: async (ground) => {
      await ground.fill('scratch', 50);
      await ground.want({ buckets: [travel] });
      await ground.held('bucket_would_go');
      if ((await bucketOf(ground, 'scratch')) === undefined) throw new Error('it is gone without a permit');
      await ground.approve('wipe-bucket-scratch');
      await gone(ground, 'scratch');
      await ground.ready();
    },
  },
  {
    name: 'empty-bucket-dropped',
    title: 'an empty bucket leaves the manifest, and goes',
    start: { replicas: 3, buckets: [travel, scratch] },
    rebalances: 0,
    play: async (ground) => {
      await ground.want({ buckets: [travel] });
      await gone(ground, 'scratch');
      await ground.ready();
    },
  },
  {
    name: 'bucket-shrunk',
    title: 'a bucket gets less memory and one replica less, by a permit',
    start: { replicas: 3, buckets: ['{ name: travel, ramQuota: 256Mi, replicas: 2 }'] },
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ buckets: [travel] });
      await ground.held('bucket_would_shrink');
      if ((await bucketOf(ground, 'travel'))?.replicaNumber !== 2) throw new Error('it shrinks without a permit');
      await ground.approve('wipe-bucket-travel');
      await waitFor(async () => (await bucketOf(ground, 'travel'))?.replicaNumber === 1, 'it to shrink');
      await ground.ready();
      const ram = (await bucketOf(ground, 'travel'))?.quota.rawRAM;
      if (ram !== 128 * 2 ** 20) throw new Error(`it has ${ram} bytes of memory`);
    },
  },
  {
    name: 'foreign-bucket',
    title: 'a bucket that somebody made by hand stays, whatever the manifest says',
    start: { replicas: 3, buckets: [travel, scratch] },
    rebalances: 1,
    isLast: true,
    play: async (ground) => {
      await ground.ask('/pools/default/buckets', { name: 'foreign', ramQuota: 128, replicaNumber: 0 });
      await ground.want({ replicas: 2, buckets: [travel] });
      await gone(ground, 'scratch');
      await ground.ready();
      if ((await bucketOf(ground, 'foreign')) === undefined) throw new Error('it is gone');
    },
  },
  {
    name: 'settings-changed',
    title: 'memory quotas, auto-failover and the flush of a bucket change',
    rebalances: 0,
    play: async (ground) => {
      const lines = ['memoryQuotas: { data: 300 }'];
      await ground.want({ lines, buckets: ['{ name: travel, ramQuota: 128Mi, replicas: 1, flush: true }'] });
      await waitFor(async () => (await ground.ask('/pools/default')).text.includes('"memoryQuota":300'), 'the quota');
      await waitFor(async () => (await ground.ask('/pools/default/buckets')).text.includes('doFlush'), 'the flush');
      await ground.ready();
    },
  },
];

export const permitScenarios: readonly CouchbaseScenario[] = [...nodes, ...buckets];
