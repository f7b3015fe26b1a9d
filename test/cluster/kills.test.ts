/** SIGKILL of everything in turn, in the middle of a drain of single-copy shards: it goes on, and nothing is lost. */
import { expect } from 'chai';
import { lives } from '../../shared/proc.ts';
import { demo, manifest, RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const documents = 200;
const leaver = 'demo-node-2';

describe('SIGKILL in mid-drain of a real cluster', () => {
  const navigator = new RealNavigator();

  before(async () => {
    await navigator.start();
    await navigator.apply(manifest(3));
    await navigator.ready(3);
    await navigator.fill('solo', documents);
  });
  after(() => navigator.end());

  /** Begins a drain and holds it half-way; the leaver holds shards then. */
  async function drainHalfway(): Promise<void> {
    await navigator.holding([leaver]);
    await navigator.holdRecoveries(true);
    await navigator.apply(manifest(2));
    await waitFor(async () => (await navigator.settings()).exclude === leaver, 'the exclusion');
    await waitFor(async () => (await navigator.holds(leaver)).includes('data_node_still_has_shards'), 'the hold');
  }

  /** Lets the drain end, sees that all is there, and makes the cluster whole again. */
  async function finishAndRestore(): Promise<void> {
    await navigator.holdRecoveries(false);
    await navigator.ready(2);
    expect(await navigator.count('solo')).to.equal(documents);
    expect(await navigator.settings()).to.include({ exclude: '', enable: 'all' });
    await navigator.apply(manifest(3));
    await navigator.ready(3);
    await navigator.holding([leaver]);
  }

  it('survives the server: no process restarts, the term does not fall, no permit is granted twice', async () => {
    await drainHalfway();
    const names = ['demo-node-0', 'demo-node-1', leaver];
    const lives = names.map((name) => [navigator.pilot(name), navigator.database(name)]);
    const { term } = await navigator.cluster();
    await navigator.killServer();
    await navigator.start();
    await waitFor(async () => (await navigator.cluster()).readyMembers === 2 + 1, 'every pilot back');
    expect(names.map((name) => [navigator.pilot(name), navigator.database(name)])).to.deep.equal(lives);
    expect((await navigator.cluster()).term >= term).to.equal(true);
    await finishAndRestore();
    const permits = await navigator.client.listPermits(demo, true);
    const used = permits.filter(({ member, state }) => member === leaver && state === 'PERMIT_STATE_COMPLETED');
    expect(used).to.have.length(1);
  });

  it('survives the server killed again and again while the drain runs', async () => {
    await drainHalfway();
    await navigator.holdRecoveries(false);
    for (let kill = 0; kill < 5; kill++) {
      await navigator.killServer();
      await navigator.start();
    }
    await finishAndRestore();
  });

  it("survives the leader's pilot: another one leads, in a higher term, and the databases run on", async () => {
    await drainHalfway();
    const { leader, term } = await navigator.cluster();
    const database = navigator.database(leader);
    process.kill(navigator.pilot(leader).pid, 'SIGKILL');
    await waitFor(async () => {
      const cluster = await navigator.cluster();
      return cluster.leader !== '' && cluster.term > term;
    }, 'a leader in a higher term');
    expect(navigator.database(leader)).to.deep.equal(database);
    expect(navigator.alive([leader])).to.equal(1);
    await finishAndRestore();
  });

  it('survives the database that leaves: it comes back, is drained to the end and only then goes', async () => {
    await drainHalfway();
    const before = navigator.database(leaver);
    process.kill(before.pid, 'SIGKILL');
    // Its pilot starts it again a second later, so that nobody may count on seeing it away.
    await waitFor(
      () => !lives(before) && navigator.alive([leaver]) === 1 && navigator.database(leaver).pid !== before.pid,
      'its restart',
    );
    await finishAndRestore();
  });

  it('survives a database that stays: the drain waits until it is back', async () => {
    await drainHalfway();
    process.kill(navigator.database('demo-node-1').pid, 'SIGKILL');
    await waitFor(async () => (await navigator.holds('demo-node-1')).includes('member_is_down'), 'the hold');
    expect(navigator.alive([leaver])).to.equal(1);
    await finishAndRestore();
  });
});
