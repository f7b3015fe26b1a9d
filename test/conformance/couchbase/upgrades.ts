/** Other versions, and back. */
import { waitFor } from '../../support/wait.ts';
import type { CouchbaseGround, CouchbaseScenario } from './ground.ts';

const inPlace = ['updateStrategy: { type: InPlace }'];

async function upgrade(ground: CouchbaseGround): Promise<void> {
  await ground.want({ version: ground.nextVersion() });
  await ground.ready();
}

export const upgradeScenarios: readonly CouchbaseScenario[] = [
  {
    name: 'upgrade-by-swap',
    title: 'three are upgraded by swaps, to the next patch',
    rebalances: 4,
    play: upgrade,
  },
  {
    name: 'upgrade-by-two-swaps',
    title: 'three are upgraded by swaps of two at once',
    start: { replicas: 3, lines: ['updateStrategy: { maxUnavailable: 2 }'] },
    rebalances: 3,
    play: upgrade,
  },
  {
    name: 'upgrade-of-one-by-swap',
    title: 'a cluster of one member is upgraded by swaps',
    start: { replicas: 1 },
    rebalances: 2,
    play: upgrade,
  },
  {
    name: 'upgrade-in-place',
    title: 'three are upgraded in place, to the next patch',
    start: { replicas: 3, lines: inPlace },
    rebalances: 3,
    away: 1,
    play: upgrade,
  },
  {
    name: 'upgrade-with-faults',
    title: "an upgrade by swaps, with SIGKILL to the leader's pilot, the server and a database on its way",
    rebalances: 5,
    away: 1,
    play: async (ground) => {
      await ground.want({ version: ground.nextVersion() });
      await ground.rebalancing();
      const { leader } = await ground.cluster();
      process.kill(ground.navigator.pilot(leader).pid, 'SIGKILL');
      await ground.navigator.killServer();
      await ground.navigator.start();
      await ground.rebalancing();
      await ground.killDatabase('demo-node-0');
      await ground.ready();
    },
  },
  {
    name: 'upgrade-rolled-back',
    title: 'an upgrade to another minor is called off after its first swap',
    rebalances: 2,
    isLast: true,
    play: async (ground) => {
      const before = ground.version;
      await ground.want({ version: '7.7.0' });
      await ground.rebalancing();
      await ground.want({ version: before });
      await ground.ready();
    },
  },
  {
    name: 'no-way-back',
    title: 'after an upgrade to another minor, the way back is refused',
    rebalances: 4,
    isLast: true,
    play: async (ground) => {
      const before = ground.version;
      await ground.want({ version: '7.7.0' });
      await ground.ready();
      await waitFor(
        async () => (await ground.ask('/pools/default')).text.includes(`${7 * 65_536 + 7}`),
        'the new mode',
      );
      await ground.want({ version: before }).then(
        () => {
          throw new Error('it goes back');
        },
        (error: unknown) => {
          if (!String(error).includes('takes no node of')) throw error;
        },
      );
    },
  },
];
