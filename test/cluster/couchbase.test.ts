/**
 * The life of a Couchbase cluster under a real server and real pilots, on the simulator of its cluster manager: no item and no
 * vBucket is lost, and no rebalance is done that was not needed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { topology, type Account } from '../couchbase/calls.ts';
import { countItems, countRebalances, keys, putItems } from '../couchbase/nodes.ts';
import { askPeer } from '../couchbase/simulator/peers.ts';
import { couchbaseHome, couchbaseManifest } from '../support/couchbase.ts';
import { RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const items = 300;

describe('a Couchbase cluster, on the simulator', () => {
  const navigator = new RealNavigator(['--couchbase-home', couchbaseHome(5)]);
  const addressOf = async (member: string): Promise<string> => {
    const found = (await navigator.members()).find(({ name }) => name === member);
    if (found === undefined) throw new Error(`no member ${member}`);
    return found.address;
  };
  /** Membership and status of every node, as one of them sees it. */
  const standing = (host: string): Promise<Record<string, string>> => {
    const file = join(navigator.directory, 'credentials/default/demo.json');
    return topology(host, JSON.parse(readFileSync(file, 'utf8')) as Account);
  };
  const first = () => addressOf('demo-node-0');
  /** Nothing is lost, and no more than `rebalances` were begun since `before`. */
  const expectWhole = async (before: number, rebalances: number): Promise<void> => {
    const host = await first();
    expect(await countItems(host, 'travel')).to.deep.equal({ items, lost: 0 });
    expect((await countRebalances(host)) - before).to.equal(rebalances);
  };
  const rebalancing = (): Promise<unknown> =>
    waitFor(
      async () => (await navigator.cluster()).doing.some((line) => line.startsWith('rebalancing')),
      'a rebalance',
    );

  before(() => navigator.start());
  after(() => navigator.end());

  it('is founded by one member, joined by the others in one rebalance, and has its bucket', async () => {
    await navigator.apply(couchbaseManifest(3));
    await navigator.ready(3);
    await putItems(await first(), 'travel', keys(items));
    await expectWhole(0, 1);
  });

  it('takes two members out in one rebalance, and keeps every item', async () => {
    const before = await countRebalances(await first());
    await navigator.apply(couchbaseManifest(1));
    await navigator.ready(1);
    await expectWhole(before, 1);
  });

  it('adds two members in one rebalance', async () => {
    const before = await countRebalances(await first());
    await navigator.apply(couchbaseManifest(3));
    await navigator.ready(3);
    await expectWhole(before, 1);
  });

  it('starts a killed database again where it was, without a rebalance', async () => {
    const before = await countRebalances(await first());
    const killed = navigator.database('demo-node-1');
    process.kill(killed.pid, 'SIGKILL');
    await waitFor(() => navigator.alive(['demo-node-1']) === 0, 'the end of the database');
    await waitFor(() => navigator.database('demo-node-1').pid !== killed.pid, 'another process');
    await navigator.ready(3);
    await expectWhole(before, 0);
  });

  it('takes a failed rebalance up again, and tells its error', async () => {
    const before = await countRebalances(await first());
    for (const { address } of await navigator.members()) await askPeer(address, 'fault', { failRebalanceAt: 30 });
    await navigator.apply(couchbaseManifest(2));
    const hold = await waitFor(async () => {
      const { holds } = await navigator.cluster();
      return holds.find(({ name }) => name === 'rebalance_has_failed');
    }, 'the failure to be told');
    expect(hold.message).to.contain('Rebalance failed. See logs for detailed reason.');
    await navigator.ready(2);
    await expectWhole(before, 2);
    // Only one of them was the orchestrator.
    for (const { address } of await navigator.members()) await askPeer(address, 'fault', { failRebalanceAt: null });
  });

  it('goes on after the leader and the server were killed in the middle of a rebalance, and begins none twice', async () => {
    const before = await countRebalances(await first());
    await navigator.apply(couchbaseManifest(3));
    await rebalancing();
    const { leader } = await navigator.cluster();
    process.kill(navigator.pilot(leader).pid, 'SIGKILL');
    await navigator.killServer();
    await navigator.start();
    await navigator.ready(3);
    await expectWhole(before, 1);
  });

  it('takes a node back by delta recovery that the database has failed over itself', async () => {
    const before = await countRebalances(await first());
    const [here = '', there = '', lone = ''] = await Promise.all(
      ['demo-node-0', 'demo-node-1', 'demo-node-2'].map(addressOf),
    );
    for (const host of [here, there]) await askPeer(host, 'fault', { cut: [lone] });
    await askPeer(lone, 'fault', { cut: [here, there] });
    await waitFor(async () => (await standing(here))[lone]?.startsWith('inactiveFailed'), 'an auto-failover');
    for (const host of [here, there, lone]) await askPeer(host, 'fault', { cut: [] });
    await navigator.ready(3);
    await expectWhole(before, 1);
  });

  it('upgrades in place, one at a time: graceful failover, another version on the same data, delta recovery', async () => {
    const before = await countRebalances(await first());
    await navigator.apply(couchbaseManifest(3, { version: '7.6.9' }));
    await navigator.ready(3, '7.6.9');
    await expectWhole(before, 3);
  });

  it('does not take the last data node away', async () => {
    const refused = await navigator.apply(couchbaseManifest(0)).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(refused).to.contain('at least one member with the service data');
  });
});
