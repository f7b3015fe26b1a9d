/** Members and pools come and go. */
import { itemsPut, type CouchbaseScenario } from './ground.ts';

const query = '{ name: query, replicas: 1, services: [query] }';

export const scalingScenarios: readonly CouchbaseScenario[] = [
  {
    name: 'first-start',
    title: 'three members from nothing, a bucket',
    start: 'nothing',
    rebalances: 1,
    adds: itemsPut,
    play: async (ground) => {
      await ground.want({ replicas: 3 });
      await ground.ready();
      await ground.fill();
    },
  },
  {
    name: 'scale-down',
    title: 'two of three leave',
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ replicas: 1 });
      await ground.ready();
    },
  },
  {
    name: 'scale-up',
    title: 'two are added',
    start: { replicas: 1 },
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ replicas: 3 });
      await ground.ready();
    },
  },
  {
    name: 'pool-added',
    title: 'a pool with the service query is added',
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ pools: [query] });
      await ground.ready();
    },
  },
  {
    name: 'pool-removed',
    title: 'a pool is removed',
    start: { replicas: 3, pools: [query] },
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ pools: [] });
      await ground.ready();
    },
  },
  {
    name: 'one-comes-one-goes',
    title: 'a pool is added, and one member of another leaves, in one manifest',
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ replicas: 2, pools: [query] });
      await ground.ready();
    },
  },
  {
    name: 'more-replicas',
    title: 'a bucket gets a second replica',
    rebalances: 1,
    play: async (ground) => {
      await ground.want({ bucketReplicas: 2 });
      await ground.ready();
    },
  },
];
