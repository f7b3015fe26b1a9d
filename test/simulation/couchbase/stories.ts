/** The stories of Couchbase that people need to understand, as those of stories.ts are told. */
import { pool } from '../../support/model.ts';
import type { Stage } from '../stage.ts';
import type { Story } from '../stories.ts';
import { couchbaseOf } from './spec.ts';

const pools = (members: number) => [pool('node', members, ['data'])];
const scene = (members: number, autoFailoverSeconds = 0) => ({
  spec: couchbaseOf(pools(members), 1, autoFailoverSeconds),
});

/** How many rebalances were begun since the cluster was made. */
const rebalances = (stage: Stage): number => stage.simulation.couchbase.truth?.rebalances ?? 0;

export const couchbaseStories: readonly Story[] = [
  {
    name: '16-couchbase-scale-down',
    title: 'Couchbase: two of five members leave in one rebalance',
    lesson:
      'Both ask to leave and are held while they are nodes of the cluster. One rebalance takes both out; only then is each permitted to stop.',
    scene: scene(5),
    play: async (stage) => {
      const before = rebalances(stage);
      stage.want('scales down to 3', { nodePools: pools(3) });
      await stage.settled();
      stage.say('narrator', `rebalances: ${rebalances(stage) - before}`);
    },
  },
  {
    name: '17-couchbase-disk-is-lost',
    title: 'Couchbase: a node is lost with its disk',
    lesson:
      'Its database starts as new. The others have all that it held, so it is failed over, forgotten, added as new, and filled by one rebalance.',
    scene: scene(3),
    play: async (stage) => {
      const { couchbase, host, machine } = stage.simulation;
      const victim = 'demo-node-1';
      stage.say('fault', `the disk of ${victim} is lost`);
      machine.crash(victim);
      couchbase.loseDisk(victim, host.places.get(victim)?.disk.files);
      await stage.when('it is failed over', () =>
        Object.values(couchbase.truth?.nodes ?? {}).some(({ membership }) => membership === 'inactiveFailed'),
      );
      await stage.settled();
    },
  },
  {
    name: '18-couchbase-rebalance-fails',
    title: 'Couchbase: a rebalance fails half-way, and is taken up again',
    lesson:
      'The failure is a hold that says so. The topology is another one than before, so the next order is judged anew, and does the rest.',
    scene: scene(4),
    play: async (stage) => {
      for (const { life } of stage.simulation.couchbase.nodes.members.values())
        if (life !== undefined) life.node.faults.failRebalanceAt = 50;
      stage.say('fault', 'the next rebalance will fail at 50 %');
      const before = rebalances(stage);
      stage.want('scales down to 3', { nodePools: pools(3) });
      await stage.settled();
      stage.say('narrator', `rebalances: ${rebalances(stage) - before}`);
    },
  },
];
