/** The stories that people need to understand, each played on the simulator in calm weather. `npm run golden` tells them. */
import type { Scene, Stage } from './stage.ts';
import { setPaused, versionsOf } from './person.ts';
import { approve, deny } from '../../server/coordination/rulings.ts';

export interface Story {
  /** Its file in test/golden. */
  readonly name: string;
  readonly title: string;
  /** What to look at. */
  readonly lesson: string;
  readonly scene: Scene;
  readonly play: (stage: Stage) => Promise<void>;
}

const person = { who: 'anna', why: 'it is night, nobody searches', wallMs: 0 };
const two = 'demo-node-2';

/** A drain of the last member is under way. */
async function drains(stage: Stage): Promise<void> {
  stage.scale(2, 'scales down to 2');
  await stage.when('the drain has begun', () => stage.simulation.elasticsearch.excluded.includes(two));
}

export const stories: readonly Story[] = [
  {
    name: '01-scale-down',
    title: 'Scale-down of an index without replicas',
    lesson:
      'The member that goes is excluded, its shards move away, and only when it proves that it holds none is it permitted to leave.',
    scene: { replicas: 0, shards: 4 },
    play: async (stage) => {
      stage.scale(2, 'scales down to 2');
      await stage.settled();
    },
  },
  {
    name: '02-cancelled-scale-down',
    title: 'A scale-down that is called off half-way',
    lesson: 'The exclusion is lifted as soon as nobody wants the member to go; nothing was stopped.',
    scene: { replicas: 0, shards: 4 },
    play: async (stage) => {
      await drains(stage);
      await stage.seconds(1);
      stage.scale(3, 'changes their mind');
      await stage.settled();
    },
  },
  {
    name: '03-rolling-upgrade',
    title: 'A rolling upgrade',
    lesson:
      'One member at a time: allocation restricted, permit, stop, start, joined, green, next. The leader goes last and hands over first.',
    scene: {},
    play: async (stage) => {
      stage.want('upgrades', { version: versionsOf.elasticsearch[1] });
      await stage.settled();
    },
  },
  {
    name: '04-leader-killed-in-mid-drain',
    title: 'The leading pilot is killed while a member drains',
    lesson:
      'Its database runs on. Another pilot leads in the next term once the lease has run out, and the drain goes on.',
    scene: { replicas: 0, shards: 6 },
    play: async (stage) => {
      await drains(stage);
      stage.say('fault', 'the leading pilot is killed');
      stage.leader().kill();
      await stage.settled();
    },
  },
  {
    name: '05-server-fails-over',
    title: 'The server is killed while a member drains, and another one takes over',
    lesson:
      'What was decided is in the ledger. The new server first waits as long as the last leader may believe that it leads.',
    scene: { replicas: 0, shards: 6 },
    play: async (stage) => {
      await drains(stage);
      stage.killServer();
      await stage.seconds(3);
      stage.startServer();
      await stage.settled();
    },
  },
  {
    name: '06-node-is-drained',
    title: 'A machine is drained: the pilot gets SIGTERM',
    lesson: 'The pilot asks and keeps serving. Granted, it stops cleanly and keeps its data; it has not left.',
    scene: {},
    play: async (stage) => {
      const pilot = stage.pilot(two);
      stage.say('fault', `${two} is sent SIGTERM, with 60 s of grace`);
      pilot.terminated = true;
      pilot.terminate(60_000);
      await stage.when('it is gone', () => pilot.ended);
      await stage.settled();
    },
  },
  {
    name: '07-node-is-drained-without-a-server',
    title: 'A machine is drained while the server is away',
    lesson:
      'Nobody answers, so the database serves until the grace has nearly ended. Then it is stopped in order, and never pretends to have left.',
    scene: {},
    play: async (stage) => {
      stage.killServer();
      await stage.seconds(2);
      const pilot = stage.pilot(two);
      stage.say('fault', `${two} is sent SIGTERM, with 30 s of grace`);
      pilot.terminated = true;
      pilot.terminate(30_000);
      await stage.when('it is gone', () => pilot.ended);
      stage.startServer();
      await stage.settled();
    },
  },
  {
    name: '08-pilot-cut-off-in-mid-drain',
    title: 'The member that drains loses the server',
    lesson:
      'Its database runs on and its shards move on, but nobody takes silence for "drained": it leaves when it is heard again.',
    scene: { replicas: 0, shards: 6 },
    play: async (stage) => {
      await drains(stage);
      const { network } = stage.simulation;
      stage.say('fault', `${two} reaches no server`);
      network.sever(two);
      await stage.seconds(30);
      stage.say('fault', `${two} reaches the server again`);
      network.severed.delete(two);
      await stage.settled();
    },
  },
  {
    name: '09-pilot-stopped-after-its-grant',
    title: 'A pilot is stopped for a minute just after it was granted a restart',
    lesson:
      'It counts from when it asked, by its own monotonic clock. What was granted is too old when it wakes: it asks again.',
    scene: {},
    play: async (stage) => {
      stage.want('configures', { config: { 'a.setting': 1 } });
      await stage.when('a restart is granted', () => stage.permit(two, 'restart', 'granted') !== undefined);
      const { clock } = stage.pilot(two);
      stage.say('fault', `the pilot of ${two} is stopped (SIGSTOP)`);
      clock.freeze();
      await stage.seconds(60);
      stage.say('fault', `the pilot of ${two} goes on (SIGCONT)`);
      clock.thaw();
      await stage.settled();
    },
  },
  {
    name: '10-server-away-for-an-hour',
    title: 'The server is away for an hour, and a database crashes meanwhile',
    lesson:
      'Databases run on, a crashed one is started again by its pilot, nothing destructive happens. Back again, the server restarts nothing.',
    scene: {},
    play: async (stage) => {
      stage.killServer();
      await stage.seconds(1_200);
      stage.say('fault', 'the database of demo-node-1 crashes');
      stage.simulation.machine.crash('demo-node-1');
      await stage.seconds(2_400);
      stage.startServer();
      await stage.settled();
    },
  },
  {
    name: '11-paused-in-mid-upgrade',
    title: 'A person pauses in the middle of an upgrade',
    lesson: 'The member that is under way comes back; the next one waits until a person resumes.',
    scene: {},
    play: async (stage) => {
      stage.want('upgrades', { version: versionsOf.elasticsearch[1] });
      await stage.when('the first goes', () => stage.permit(two, 'upgrade', 'used') !== undefined);
      const cluster = stage.simulation.cluster();
      if (cluster === undefined) throw new Error('there is no cluster');
      stage.say('person', 'pauses');
      await setPausedOn(stage, true);
      await stage.seconds(60);
      stage.say('person', 'resumes');
      await setPausedOn(stage, false);
      await stage.settled();
    },
  },
  {
    name: '12-denied-and-approved',
    title: 'The only copy of a shard, and a person who decides',
    lesson:
      'With two masters no restart is safe: it is held by name until a person approves just that hold, which is in the ledger with who and why.',
    scene: { members: 2 },
    play: async (stage) => {
      stage.want('configures', { config: { 'a.setting': 1 } });
      for (const member of ['demo-node-1', 'demo-node-0']) {
        await stage.when(`${member} asks`, () => stage.permit(member, 'restart', 'queued') !== undefined);
        await stage.seconds(5);
        if (member === 'demo-node-1') {
          stage.say('person', `anna denies ${member} its restart`);
          await rule(stage, member, 'deny');
          await stage.seconds(5);
        }
        stage.say('person', `anna approves the restart of ${member}`);
        await rule(stage, member, 'approve');
        await stage.when(`${member} is back`, () => stage.permit(member, 'restart', 'completed') !== undefined);
      }
      await stage.settled();
    },
  },
  {
    name: '13-two-servers-believe',
    title: 'Two servers both believe that they lead',
    lesson:
      'One of them loses the race for every change of the ledger. No two members are ever permitted to go at once.',
    scene: {},
    play: async (stage) => {
      stage.say('fault', 'a second server starts while the first one lives');
      stage.startServer();
      await stage.seconds(1);
      for (const member of ['demo-node-0', 'demo-node-1']) stage.simulation.network.cutAll(member, 'cut');
      await stage.seconds(2);
      stage.want('configures', { config: { 'a.setting': 1 } });
      await stage.seconds(60);
      const [first] = stage.simulation.servers;
      if (first !== undefined) stage.simulation.killServer(first);
      await stage.settled();
    },
  },
  {
    name: '14-database-network-splits',
    title: 'The database splits in the middle of a rolling restart',
    lesson:
      'A member that its peers do not see counts as away, whatever its pilot says: the budget is spent, nobody goes until it is back.',
    scene: {},
    play: async (stage) => {
      stage.want('configures', { config: { 'a.setting': 1 } });
      await stage.when('the first is back', () => stage.permit(two, 'restart', 'completed') !== undefined);
      stage.say('fault', 'the database of demo-node-1 does not reach the others');
      stage.simulation.database.split(new Set(['demo-node-1']));
      await stage.seconds(40);
      stage.say('fault', 'the network is whole again');
      stage.simulation.database.rejoin();
      await stage.settled();
    },
  },
  {
    name: '15-disk-of-a-pilot-is-full',
    title: 'The disk of a pilot is full',
    lesson:
      'What it cannot write down it does not obey; it says so, its database runs on, and it obeys when there is room again.',
    scene: {},
    play: async (stage) => {
      const place = stage.simulation.host.places.get(two);
      if (place === undefined) throw new Error('there is no such member');
      stage.say('fault', `the disk of ${two} is full`);
      place.disk.fullUntilMs = Number.POSITIVE_INFINITY;
      stage.want('configures', { config: { 'a.setting': 1 } });
      await stage.seconds(30);
      stage.say('fault', `the disk of ${two} has room again`);
      place.disk.fullUntilMs = 0;
      await stage.settled();
    },
  },
];

async function setPausedOn(stage: Stage, paused: boolean): Promise<void> {
  const cluster = stage.simulation.cluster();
  if (cluster !== undefined) void setPaused(cluster, paused);
  await stage.when('it is written', () => stage.simulation.cluster()?.ledger.paused === paused);
}

/** Rules on the newest permit of a member, with all that it is held by. */
async function rule(stage: Stage, member: string, ruling: 'approve' | 'deny'): Promise<void> {
  const cluster = stage.simulation.cluster();
  const permit = cluster?.ledger.permits.findLast((one) => one.member === member);
  if (cluster === undefined || permit === undefined) throw new Error(`${member} asks for nothing`);
  const holds = (cluster.snapshot?.plan.holds ?? []).filter((hold) => hold.member === member);
  void cluster.change((ledger) =>
    ruling === 'approve' ? approve(ledger, permit.id, person, holds) : deny(ledger, permit.id, person),
  );
  await stage.seconds(1);
}
