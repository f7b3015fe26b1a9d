/** Scale-down on a real cluster: nothing is lost, and the control shows that something could have been. */
import { expect } from 'chai';
import { demo, manifest, RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const documents = 300;

describe('scale-down of a real cluster with single-copy shards', () => {
  const navigator = new RealNavigator();

  before(async () => {
    await navigator.start();
    await navigator.apply(manifest(4));
    await navigator.ready(4);
    await navigator.fill('solo', documents);
  });
  after(() => navigator.end());

  it('takes two members away at once and keeps every document', async () => {
    await navigator.holding(['demo-node-0', 'demo-node-1', 'demo-node-2', 'demo-node-3']);
    await navigator.holdRecoveries(true);
    await navigator.apply(manifest(2));
    await waitFor(
      async () => (await navigator.settings()).exclude === 'demo-node-2,demo-node-3',
      'one union of both exclusions',
    );
    for (const member of ['demo-node-2', 'demo-node-3']) {
      await waitFor(
        async () => (await navigator.holds(member)).includes('data_node_still_has_shards'),
        `${member} held`,
      );
    }
    expect(navigator.alive(['demo-node-2', 'demo-node-3'])).to.equal(2);
    await navigator.holdRecoveries(false);
    await navigator.ready(2);
    expect(await navigator.count('solo')).to.equal(documents);
    expect(await navigator.settings()).to.include({ exclude: '', enable: 'all', quorum: '2' });
    const { permits } = await permitsOf(navigator);
    expect(
      permits.filter((permit) => permit.verb === 'VERB_LEAVE' && permit.state === 'PERMIT_STATE_COMPLETED'),
    ).to.have.length(2);
  });

  it('goes back up, and a scale-down that is called off leaves nothing behind', async () => {
    await navigator.apply(manifest(3));
    await navigator.ready(3);
    await navigator.holding(['demo-node-2']);
    const life = navigator.database('demo-node-2');
    await navigator.holdRecoveries(true);
    await navigator.apply(manifest(2));
    await waitFor(async () => (await navigator.settings()).exclude === 'demo-node-2', 'the exclusion');
    await navigator.apply(manifest(3));
    await navigator.holdRecoveries(false);
    await navigator.ready(3);
    expect(await navigator.settings()).to.include({ exclude: '', enable: 'all' });
    expect(navigator.database('demo-node-2')).to.deep.equal(life);
    expect(await navigator.count('solo')).to.equal(documents);
  });

  it('loses documents where the same member is stopped without a drain: the control', async () => {
    const victim = (await navigator.members()).find((each) => (each.shards ?? 0n) > 0n && each.name !== 'demo-node-0');
    if (victim === undefined) throw new Error('no member holds a shard');
    await navigator.killServer();
    process.kill(navigator.pilot(victim.name).pid, 'SIGKILL');
    process.kill(navigator.database(victim.name).pid, 'SIGTERM');
    await waitFor(() => navigator.alive([victim.name]) === 0, 'the end of the database');
    await waitFor(
      async () => ((await navigator.ask('GET', '/_cluster/health')) as { status: string }).status === 'red',
      'red',
    );
    const answer = (await navigator.ask('GET', '/solo/_count')) as { count: number };
    expect(answer.count).to.be.lessThan(documents);
  });
});

async function permitsOf(navigator: RealNavigator) {
  return { permits: await navigator.client.listPermits(demo, true) };
}
