/** What breaks, and is mended. */
import { cpSync, renameSync, rmSync } from 'node:fs';
import { waitFor } from '../../support/wait.ts';
import { itemsPut, type CouchbaseGround, type CouchbaseScenario, type Start } from './ground.ts';

const all = ['demo-node-0', 'demo-node-1', 'demo-node-2'] as const;

/** A pilot that has seen crashes waits before it starts the database again: longer than the usual cluster waits. */
const patient: Start = { replicas: 3, failoverSeconds: 120 };

async function onAll(ground: CouchbaseGround, fault: Record<string, unknown>): Promise<void> {
  for (const { name } of await ground.navigator.members()) await ground.fault(name, fault);
}

const processes: readonly CouchbaseScenario[] = [
  {
    name: 'database-killed',
    title: 'SIGKILL to a database',
    start: patient,
    rebalances: 0,
    away: 1,
    play: async (ground) => {
      await ground.killDatabase('demo-node-1');
      await ground.ready();
    },
  },
  {
    name: 'all-databases-killed',
    title: 'SIGKILL to all databases at once',
    start: patient,
    rebalances: 0,
    away: 3,
    play: async (ground) => {
      await Promise.all(all.map((member) => ground.killDatabase(member)));
      await ground.ready();
    },
  },
  {
    name: 'pilot-killed',
    title: 'SIGKILL to a pilot',
    rebalances: 0,
    play: async (ground) => {
      const killed = ground.navigator.pilot('demo-node-2');
      process.kill(killed.pid, 'SIGKILL');
      await waitFor(() => ground.navigator.pilot('demo-node-2').pid !== killed.pid, 'another pilot');
      await ground.ready();
    },
  },
  {
    name: 'database-killed-without-server',
    title: 'SIGKILL to a database while the server is away',
    start: patient,
    rebalances: 0,
    away: 1,
    play: async (ground) => {
      await ground.navigator.killServer();
      await ground.killDatabase('demo-node-1');
      await ground.navigator.start();
      await ground.ready();
    },
  },
  {
    name: 'leader-and-server-killed',
    title: "SIGKILL to the leader's pilot and to the server in the middle of a rebalance",
    start: { replicas: 2 },
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ replicas: 3 });
      await ground.rebalancing();
      const { leader } = await ground.cluster();
      process.kill(ground.navigator.pilot(leader).pid, 'SIGKILL');
      await ground.navigator.killServer();
      await ground.navigator.start();
      await ground.ready();
    },
  },
];

const rebalances: readonly CouchbaseScenario[] = [
  {
    name: 'rebalance-fails',
    title: 'a rebalance fails at 30 %, and is taken up again',
    rebalances: 2,
    play: async (ground) => {
      await onAll(ground, { failRebalanceAt: 30 });
      await ground.want({ replicas: 2 });
      const message = await ground.held('rebalance_has_failed');
      if (!message.includes('Rebalance failed. See logs for detailed reason.')) throw new Error(message);
      await ground.ready();
      // Only one of them was the orchestrator.
      await onAll(ground, { failRebalanceAt: null });
    },
  },
  {
    name: 'answer-to-rebalance-lost',
    title: 'a rebalance begins, and its answer is lost',
    rebalances: 1,
    play: async (ground) => {
      await onAll(ground, { dropReply: '/controller/rebalance' });
      await ground.want({ replicas: 2 });
      await ground.ready();
      await onAll(ground, { dropReply: null });
    },
  },
  {
    name: 'answer-to-join-lost',
    title: 'a node is added, and the answer is lost',
    start: { replicas: 2 },
    rebalances: 1,
    play: async (ground) => {
      await onAll(ground, { dropReply: '/controller/addNode' });
      await ground.want({ replicas: 3 });
      await ground.ready();
      await onAll(ground, { dropReply: null });
    },
  },
  {
    name: 'slow-answers',
    title: 'every answer of the database takes 100 ms, and a member leaves',
    rebalances: 1,
    play: async (ground) => {
      await onAll(ground, { slowMs: 100 * ground.scale });
      await ground.want({ replicas: 2 });
      await ground.ready();
      await onAll(ground, { slowMs: 0 });
    },
  },
];

const networks: readonly CouchbaseScenario[] = [
  {
    name: 'cut-for-a-moment',
    title: 'a node is cut off for less than the database waits',
    rebalances: 0,
    away: 1,
    play: async (ground) => {
      const [here, lone] = [await ground.addressOf('demo-node-0'), await ground.addressOf('demo-node-2')];
      await ground.cutOff('demo-node-2', ['demo-node-0', 'demo-node-1']);
      await waitFor(async () => (await ground.standing(here))[lone] === 'active unhealthy', 'it to be missed');
      await ground.heal();
      await ground.ready();
    },
  },
  {
    name: 'failed-over-by-itself',
    title: 'a node is cut off, failed over by the database, and comes back',
    rebalances: 1,
    away: 1,
    play: async (ground) => {
      const [here, lone] = [await ground.addressOf('demo-node-0'), await ground.addressOf('demo-node-2')];
      await ground.cutOff('demo-node-2', ['demo-node-0', 'demo-node-1']);
      await waitFor(async () => (await ground.standing(here))[lone]?.startsWith('inactiveFailed'), 'an auto-failover');
      await waitFor(async () => !(await ground.isReady()), 'the server to hear of it');
      await ground.heal();
      await ground.ready();
    },
  },
];

const zones: readonly CouchbaseScenario[] = [
  {
    name: 'zone-lost',
    title: 'four members in two zones, of which one is cut off: every vBucket has a copy in the other',
    start: 'nothing',
    rebalances: 1,
    away: 4,
    adds: itemsPut,
    isLast: true,
    play: async (ground) => {
      await ground.want({ replicas: 4, zones: '[east, west]' });
      await ground.ready();
      await ground.fill();
      const groupOf = await ground.groups();
      const alone = (await ground.copies()).filter((row) => new Set(row.map((host) => groupOf[host])).size < 2);
      if (alone.length > 0) throw new Error(`${alone.length} vBuckets have both copies in one zone`);
      await ground.cutOff('demo-node-1', ['demo-node-0', 'demo-node-2'], ['demo-node-3']);
      await ground.held('quorum_is_lost');
      await ground.heal();
      await ground.ready();
    },
  },
];

const disks: readonly CouchbaseScenario[] = [
  {
    name: 'disk-lost',
    title: 'a member loses its disk, and every vBucket has another copy',
    rebalances: 1,
    away: 1,
    play: async (ground) => {
      const data = ground.dataOf('demo-node-2');
      await ground.killBoth('demo-node-2', () => rmSync(data, { recursive: true, force: true }));
      await waitFor(
        async () => (await ground.cluster()).doing.some((line) => line.includes('rebalancing')),
        'a rebalance',
      );
      await ground.ready();
    },
  },
  {
    name: 'disk-lost-without-copies',
    title: 'a member loses its disk with the only copies: nothing is done, and the disk comes back',
    start: { replicas: 3, bucketReplicas: 0 },
    rebalances: 0,
    away: 1,
    isLast: true,
    play: async (ground) => {
      const data = ground.dataOf('demo-node-2');
      await ground.killBoth('demo-node-2', () => renameSync(data, `${data}.old`));
      await ground.held('failover_would_lose_vbuckets');
      await ground.killBoth('demo-node-2', () => {
        rmSync(data, { recursive: true, force: true });
        cpSync(`${data}.old`, data, { recursive: true });
      });
      await ground.ready();
    },
  },
];

export const faultScenarios: readonly CouchbaseScenario[] = [
  ...processes,
  ...rebalances,
  ...networks,
  ...zones,
  ...disks,
];
