/** Pilots that are stopped, frozen and told to go, on a real cluster. */
import { expect } from 'chai';
import { lives } from '../../shared/proc.ts';
import { demo, manifest, RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const documents = 100;
const leaver = 'demo-node-2';

describe('signals to the pilots of a real cluster', () => {
  const navigator = new RealNavigator();

  before(async () => {
    await navigator.start();
    await navigator.apply(manifest(3));
    await navigator.ready(3);
    await navigator.fill('solo', documents);
  });
  after(() => navigator.end());

  const permits = () => navigator.client.listPermits(demo, true);

  it('SIGTERM asks first: what only this member holds is moved away, then it stops, and comes back', async () => {
    const pilot = navigator.pilot(leaver);
    const database = navigator.database(leaver);
    process.kill(pilot.pid, 'SIGTERM');
    await waitFor(
      async () => (await permits()).some(({ member, verb }) => member === leaver && verb === 'VERB_STOP'),
      'the asking',
    );
    process.kill(pilot.pid, 'SIGTERM');
    await waitFor(() => !lives(pilot), 'the end of the pilot');
    expect(lives(database)).to.equal(false);
    const stop = (await permits()).find(({ member, verb }) => member === leaver && verb === 'VERB_STOP');
    expect(['PERMIT_STATE_USED', 'PERMIT_STATE_COMPLETED']).to.include(stop?.state);
    expect(await navigator.count('solo'), 'all documents, with the member away').to.equal(documents);
    await navigator.ready(3);
    expect(await navigator.settings()).to.include({ exclude: '', enable: 'all' });
  });

  it('a pilot that was frozen with a granted permit asks again when it goes on, and finds what has changed under it', async () => {
    await navigator.holding([leaver]);
    await navigator.holdRecoveries(true);
    await navigator.apply(manifest(2));
    const asked = await waitFor(
      async () => (await permits()).find(({ verb, state }) => verb === 'VERB_LEAVE' && state === 'PERMIT_STATE_QUEUED'),
      'the asking',
    );
    const ruling = { permit: asked.id, who: 'test', why: 'to hold it until the pilot is frozen' };
    await navigator.client.rule(demo, 'deny', ruling);
    await navigator.holdRecoveries(false);
    await waitFor(
      async () => (await navigator.holds(leaver)).join() === 'denied_by_a_person',
      'the denial alone to hold it',
    );
    const pilot = navigator.pilot(leaver);
    process.kill(pilot.pid, 'SIGSTOP');
    await navigator.client.rule(demo, 'approve', ruling);
    await waitFor(async () => (await stateOf(asked.id)) === 'PERMIT_STATE_GRANTED', 'the grant');
    await waitFor(async () => (await stateOf(asked.id)) === 'PERMIT_STATE_EXPIRED', 'its expiry');
    expect(navigator.alive([leaver])).to.equal(1);
    await moveOnto(leaver);
    process.kill(pilot.pid, 'SIGCONT');
    await waitFor(
      async () => (await navigator.holds(leaver)).includes('data_node_still_has_shards'),
      'what it holds now to hold it',
    );
    expect(navigator.alive([leaver])).to.equal(1);
    await navigator.holdRecoveries(false);
    await navigator.ready(2);
    const leaves = (await permits()).filter(({ member, verb }) => member === leaver && verb === 'VERB_LEAVE');
    expect(leaves.map(({ state }) => state)).to.include('PERMIT_STATE_COMPLETED');
    expect(leaves.find(({ state }) => state === 'PERMIT_STATE_COMPLETED')?.id).to.not.equal(asked.id);
    expect(await navigator.count('solo')).to.equal(documents);
  });

  /** A hand from outside lifts the exclusion where no pilot leads for a moment, and keeps a shard there. */
  async function moveOnto(member: string): Promise<void> {
    const leading = (await navigator.cluster()).leader;
    const leader = navigator.pilot(leading);
    process.kill(leader.pid, 'SIGSTOP');
    const persistent = { 'cluster.routing.allocation.exclude._name': null };
    await navigator.ask('PUT', '/_cluster/settings', { persistent });
    await waitFor(async () => {
      const shards = (await navigator.ask('GET', '/_cat/shards/solo?format=json')) as Record<string, string>[];
      if (shards.some(({ node, state }) => node === member && state === 'STARTED')) return true;
      const [one] = shards.filter(({ state }) => state === 'STARTED');
      const move = { index: 'solo', shard: Number(one?.['shard']), from_node: one?.['node'], to_node: member };
      await navigator.ask('POST', '/_cluster/reroute', { commands: [{ move }] }).catch(() => undefined);
      return false;
    }, 'a shard on it');
    await navigator.holdRecoveries(true);
    process.kill(leader.pid, 'SIGCONT');
  }

  async function stateOf(id: string): Promise<string | undefined> {
    return (await permits()).find((permit) => permit.id === id)?.state;
  }
});
