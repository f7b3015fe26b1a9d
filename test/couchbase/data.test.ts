/** Loss is a fact that the simulator shows: what a careful operator keeps, and what a careless one loses. */
import { expect } from 'chai';
import { waitFor } from '../support/wait.ts';
import { administrator, call, otpOf, rebalance, rebalanced, topology } from './calls.ts';
import { countItems, keys, putItems, SimulatedNodes } from './nodes.ts';

describe('the data of a simulated Couchbase', () => {
  const nodes = new SimulatedNodes('127.88.2', 3, 10);
  const [a = '', b = '', c = ''] = nodes.hosts;
  const count = 600;
  const whole = { items: count, lost: 0 };

  before(async () => {
    await Promise.all(nodes.hosts.map((host) => nodes.start(host)));
    await call(a, '/clusterInit', { hostname: a, ...administrator, port: 'SAME', services: 'kv' });
    for (const host of [b, c]) await call(a, '/controller/addNode', { hostname: host, user: 'x', password: 'y' });
    await rebalance(a, nodes.hosts);
    expect(await rebalanced(a)).to.equal(undefined);
    for (const [name, replicaNumber] of [
      ['safe', 1],
      ['lone', 0],
    ] as const) {
      await call(a, '/pools/default/buckets', { name, ramQuota: 128, replicaNumber });
      await putItems(a, name, keys(count));
    }
  });
  after(() => nodes.end());

  it('survives SIGKILL to a node', async () => {
    await nodes.stop(b);
    await nodes.start(b);
    await waitFor(async () => (await topology(a))[b] === 'active healthy', `${b} to be healthy`);
    expect(await countItems(a, 'safe')).to.deep.equal(whole);
    expect(await countItems(a, 'lone')).to.deep.equal(whole);
  });

  it('moves away from a node that is ejected by a rebalance, also while it is written to', async () => {
    await rebalance(a, nodes.hosts, [c]);
    await putItems(a, 'lone', keys(count * 2).slice(count));
    expect(await rebalanced(a)).to.equal(undefined);
    expect(await countItems(a, 'safe')).to.deep.equal(whole);
    expect(await countItems(a, 'lone')).to.deep.equal({ items: count * 2, lost: 0 });
  });

  it('is lost where a node is failed over that has its only copy: the control', async () => {
    await nodes.stop(b);
    await waitFor(async () => (await topology(a))[b] === 'active unhealthy', `${b} to be missed`);
    await call(a, '/controller/failOver', { otpNode: otpOf(b), allowUnsafe: 'true' });
    expect(await countItems(a, 'safe')).to.deep.equal(whole);
    const { items, lost } = await countItems(a, 'lone');
    expect(items).to.be.lessThan(count * 2);
    expect(lost).to.equal(512);
  });
});
