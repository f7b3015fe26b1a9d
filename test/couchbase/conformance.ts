/**
 * How Couchbase's cluster manager behaves over REST, as it was observed on 7.6.8. The suite is told where its nodes are, so
 * that it can be held against real ones as well as against the simulator. It needs three that are not initialised.
 */
import { expect } from 'chai';
import { waitFor } from '../support/wait.ts';
import {
  administrator,
  call,
  otpOf,
  rebalance,
  rebalanced,
  topology,
  type BucketView,
  type Pool,
  type Task,
} from './calls.ts';

export interface Target {
  readonly hosts: readonly string[];
  /** What only a simulator can do. */
  readonly simulated?: {
    start(host: string): Promise<void>;
    stop(host: string): Promise<void>;
    fault(host: string, body: Record<string, unknown>): Promise<unknown>;
  };
  close(): Promise<void>;
}

interface Nodes {
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly target: Target;
}

/** The suite. `make` is called once, before everything. */
export function couchbaseConformance(title: string, make: () => Promise<Target>): void {
  describe(`the cluster manager of Couchbase: ${title}`, function () {
    this.timeout(600_000);
    // Each step builds on the one before.
    this.bail(true);
    const at: { target?: Target } = {};
    const nodes = (): Nodes => {
      const [a = '', b = '', c = ''] = at.target!.hosts;
      return { a, b, c, target: at.target! };
    };
    before(async () => {
      at.target = await make();
    });
    after(() => at.target?.close());
    setsUp(nodes);
    refusesToAdd(nodes);
    adds(nodes);
    comparesAndSets(nodes);
    failsOver(nodes);
    ejects(nodes);
    survivesFaults(nodes);
  });
}

type Of = () => Nodes;

async function poolOf(host: string): Promise<Pool> {
  return (await call(host, '/pools/default')).json as Pool;
}

/** Does it while a rebalance that it begins stands still, where that can be had: a real one takes longer than a few calls. */
async function held({ simulated, hosts }: Target, work: () => Promise<void>): Promise<void> {
  const hold = (holdRebalance: boolean): Promise<unknown> =>
    Promise.all(hosts.map(async (host) => simulated?.fault(host, { holdRebalance })));
  await hold(true);
  await work().finally(() => hold(false));
}

const nobody = { account: undefined };

function setsUp(nodes: Of): void {
  it('needs no credentials before it is initialised, and has no pool', async () => {
    const { a } = nodes();
    const pools = await call(a, '/pools', undefined, nobody);
    expect(pools.status).to.equal(200);
    expect(pools.json).to.deep.include({ pools: [], uuid: [] });
    const none = await call(a, '/pools/default');
    expect([none.status, none.text]).to.deep.equal([404, '"unknown pool"']);
  });

  it('takes paths, and refuses any other key', async () => {
    const { a } = nodes();
    expect((await call(a, '/nodes/self/controller/settings', { bogus: 'x' })).status).to.equal(400);
  });

  it('renames to what can be resolved', async () => {
    const { a } = nodes();
    const refused = await call(a, '/node/controller/rename', { hostname: 'no-such-host.invalid' });
    expect(refused.json).to.deep.equal(['Unable to resolve IPv4 address for "no-such-host.invalid": nxdomain']);
    const said = await call(a, '/node/controller/rename', { hostname: a });
    expect([said.status, said.text]).to.deep.equal([200, '']);
  });

  it('takes the services of a first node', async () => {
    const { a } = nodes();
    const unknown = await call(a, '/node/controller/setupServices', { services: 'bogus' });
    expect([unknown.status, unknown.text]).to.deep.equal([
      400,
      '{"errors":{"services":"Unknown services: [\\"bogus\\"]"}}',
    ]);
    expect((await call(a, '/node/controller/setupServices', { services: 'n1ql' })).text).to.contain(
      'cannot setup first cluster node without kv service',
    );
  });

  it('is initialised once', async () => {
    const { a } = nodes();
    const init = {
      hostname: a,
      ...administrator,
      port: 'SAME',
      services: 'kv,n1ql',
      memoryQuota: 256,
      clusterName: 'c',
    };
    const short = await call(a, '/clusterInit', { ...init, password: 'short' });
    expect(short.text).to.equal('{"errors":{"password":"The password must be at least 6 characters long."}}');
    expect((await call(a, '/clusterInit', { ...init, bogus: 'x' })).status).to.equal(400);
    const said = await call(a, '/clusterInit', init);
    expect([said.status, said.text]).to.deep.equal([200, `{"newBaseUri":"http://${a}:8091/"}`]);
    expect((await call(a, '/clusterInit', init, nobody)).status).to.equal(401);
    expect((await call(a, '/clusterInit', init)).status).to.equal(400);
    const bare = await call(a, '/pools', undefined, nobody);
    expect([bare.status, bare.text]).to.deep.equal([401, '']);
    expect((await call(a, '/pools/default')).status).to.equal(200);
    expect((await call(a, '/node/controller/setupServices', { services: 'kv' })).text).to.contain(
      'cannot change node services after cluster is provisioned',
    );
  });
}

function refusesToAdd(nodes: Of): void {
  const add = async (hostname: string, more = {}) => {
    const said = await call(nodes().a, '/controller/addNode', { hostname, user: 'x', password: 'y', ...more });
    return [said.status, said.text] as const;
  };

  it('adds over https alone, and only who is there', async () => {
    const { a, b } = nodes();
    expect(await add(`http://${b}`)).to.deep.equal([
      400,
      '["http is prohibited due to security reasons, please use https"]',
    ]);
    expect((await add(`${b}:8091`))[1]).to.contain('Prepare join failed. Failed to establish TLS connection to');
    expect((await add(a))[1]).to.contain('Joining node to itself is not allowed.');
    expect((await add(b, { services: 'bogus' }))[0]).to.equal(400);
  });
}

function adds(nodes: Of): void {
  it('adds a node as inactiveAdded, and it takes the credentials of the cluster', async () => {
    const { a, b } = nodes();
    const params = { hostname: b, user: 'any', password: 'any', services: 'kv,n1ql' };
    const said = await call(a, '/controller/addNode', params);
    expect([said.status, said.text]).to.deep.equal([200, JSON.stringify({ otpNode: otpOf(b) })]);
    await waitFor(async () => (await topology(a))[b] === 'inactiveAdded healthy', `${b} to be healthy`);
    expect((await call(b, '/pools/default')).status).to.equal(200);
    const again = await call(a, '/controller/addNode', params);
    expect(again.text).to.contain('Node is already part of cluster.');
    expect((await poolOf(a)).balanced).to.equal(false);
  });

  it('makes a bucket that has a copy of each vBucket on two nodes after a rebalance', async () => {
    const { a, b } = nodes();
    const bad = await call(a, '/pools/default/buckets', { name: 'b', ramQuota: 10 });
    expect(bad.status).to.equal(400);
    expect(bad.json).to.have.nested.property('errors.ramQuota');
    const made = await call(a, '/pools/default/buckets', { name: 'b', ramQuota: 128, replicaNumber: 1 });
    expect(made.status).to.equal(202);
    await waitFor(async () => {
      const { nodes: on } = (await call(a, '/pools/default/buckets/b')).json as BucketView;
      return on.length > 0 && on.every(({ status }) => status === 'healthy');
    }, 'the bucket to be healthy');
    expect((await rebalance(a, [a, b])).json).to.have.property('rebalance_id');
    expect(await rebalanced(a)).to.equal(undefined);
    expect(await topology(a)).to.deep.equal({ [a]: 'active healthy', [b]: 'active healthy' });
    const { vBucketServerMap } = (await call(a, '/pools/default/buckets/b')).json as BucketView;
    const rows = vBucketServerMap.vBucketMap;
    expect(rows).to.have.length(1024);
    expect(rows.every((row) => row.length === 2 && row[0] !== row[1] && !row.includes(-1))).to.equal(true);
  });
}

function comparesAndSets(nodes: Of): void {
  it('refuses a rebalance of any other topology than its own', async () => {
    const { a, b } = nodes();
    expect((await rebalance(a, [a])).text).to.equal('{"mismatch":1}');
    expect((await rebalance(a, [a, b, '127.0.0.99'])).text).to.equal('{"mismatch":1}');
    expect((await rebalance(a, [a, b], ['127.0.0.99'])).text).to.equal('{"mismatch":1}');
    expect((await rebalance(a, [])).text).to.equal('{"empty_known_nodes":1}');
    expect((await rebalance(a, [a, b], [a, b])).status).to.equal(400);
  });

  it('drops a second rebalance without a word, and refuses to add meanwhile', async () => {
    const { a, b, c, target } = nodes();
    await call(a, '/controller/addNode', { hostname: c, user: 'any', password: 'any', services: 'kv' });
    await held(target, async () => {
      expect((await rebalance(a, [a, b, c])).json).to.have.property('rebalance_id');
      const second = await rebalance(a, [a, b, c]);
      expect([second.status, second.text]).to.deep.equal([200, '']);
      const add = await call(a, '/controller/addNode', { hostname: '127.0.0.99', user: 'x', password: 'y' });
      expect(add.json).to.deep.equal(['Node addition is disallowed while rebalance is in progress']);
      const task = ((await call(a, '/pools/default/tasks')).json as Task[])[0];
      expect(task).to.include({ type: 'rebalance', subtype: 'rebalance', status: 'running' });
    });
    expect(await rebalanced(a)).to.equal(undefined);
    expect((await rebalance(a, [a, b, c])).json).to.have.property('rebalance_id');
    expect(await rebalanced(a)).to.equal(undefined);
    const stop = await call(a, '/controller/stopRebalance', {});
    expect(stop.status).to.equal(200);
  });
}

function failsOver(nodes: Of): void {
  it('names what is wrong with a failover', async () => {
    const { a, b } = nodes();
    expect((await call(a, '/controller/failOver', { otpNode: otpOf('127.0.0.99') })).text).to.equal(
      'Unknown server given.',
    );
    expect((await call(a, '/controller/ejectNode', { otpNode: otpOf(b) })).text).to.equal(
      'Cannot remove active server.\n',
    );
    const recovery = await call(a, '/controller/setRecoveryType', { otpNode: otpOf(b), recoveryType: 'delta' });
    expect([recovery.status, recovery.text]).to.deep.equal([
      400,
      `{"otpNode":"invalid node name or node can't be used for delta recovery"}`,
    ]);
  });

  it('hands a node over gracefully and takes it back by delta recovery', async () => {
    const { a, b, c, target } = nodes();
    await held(target, async () => {
      const said = await call(a, '/controller/startGracefulFailover', { otpNode: otpOf(c) });
      expect([said.status, said.text]).to.deep.equal([200, '']);
      const other = await call(a, '/controller/startGracefulFailover', { otpNode: otpOf(b) });
      expect([other.status, other.text]).to.deep.equal([503, 'Rebalance running.']);
    });
    expect(await rebalanced(a)).to.equal(undefined);
    expect((await topology(a))[c]).to.equal('inactiveFailed healthy');
    expect((await call(a, '/controller/failOver', { otpNode: otpOf(c) })).text).to.equal('Inactive server given.');
    const back = await call(a, '/controller/setRecoveryType', { otpNode: otpOf(c), recoveryType: 'delta' });
    expect([back.status, back.text]).to.deep.equal([200, '[]']);
    const node = (await poolOf(a)).nodes.find((one) => one.otpNode === otpOf(c));
    expect(node).to.include({ clusterMembership: 'inactiveAdded', recoveryType: 'delta' });
    await rebalance(a, [a, b, c]);
    expect(await rebalanced(a)).to.equal(undefined);
    expect((await topology(a))[c]).to.equal('active healthy');
  });

  it('ejects a failed node in the next rebalance though nobody lists it', async () => {
    const { a, b, c } = nodes();
    expect((await call(a, '/controller/failOver', { otpNode: otpOf(c) })).status).to.equal(200);
    expect((await topology(a))[c]).to.contain('inactiveFailed');
    await rebalance(a, [a, b, c]);
    expect(await rebalanced(a)).to.equal(undefined);
    expect(Object.keys(await topology(a)).toSorted()).to.deep.equal([a, b]);
    await waitFor(async () => (await call(c, '/pools/default')).text === '"unknown pool"', `${c} to be as new`);
  });
}

function ejects(nodes: Of): void {
  it('may eject its own orchestrator, which is as new after a while', async () => {
    const { a, b } = nodes();
    expect((await rebalance(a, [a, b], [a])).status).to.equal(200);
    await waitFor(async () => !(a in (await topology(b))), `${a} to be gone`);
    expect(await rebalanced(b)).to.equal(undefined);
    const gone = await waitFor(async () => {
      const said = await call(a, '/pools/default');
      return said.status === 404 && said;
    }, `${a} to be as new`);
    expect(gone.text).to.equal('"unknown pool"');
    expect((await call(b, '/controller/failOver', { otpNode: otpOf(b) })).text).to.equal(
      'Last active node cannot be failed over.',
    );
    expect((await rebalance(b, [b], [b])).status).to.equal(400);
  });
}

function survivesFaults(nodes: Of): void {
  it('ends a rebalance with an error message where a node dies, and does it when the node is back', async function () {
    const { a, b, target } = nodes();
    if (target.simulated === undefined) return this.skip();
    await call(b, '/controller/addNode', { hostname: a, user: 'any', password: 'any', services: 'kv' });
    await target.simulated.fault(b, { failRebalanceAt: 40 });
    await rebalance(b, [a, b]);
    expect(await rebalanced(b)).to.contain('Rebalance failed. See logs for detailed reason.');
    expect((await poolOf(b)).balanced).to.equal(false);
    await rebalance(b, [a, b]);
    expect(await rebalanced(b)).to.equal(undefined);
  });

  it('changes nothing without a majority', async function () {
    const { a, b, target } = nodes();
    if (target.simulated === undefined) return this.skip();
    await target.simulated.stop(a);
    await waitFor(async () => (await topology(b))[a] === 'active unhealthy', `${a} to be missed`);
    expect((await poolOf(b)).balanced).to.equal(true);
    const said = await rebalance(b, [a, b]);
    expect([said.status, said.text]).to.deep.equal([503, 'Service is temporarily unavailable']);
    const over = await call(b, '/controller/failOver', { otpNode: otpOf(a) });
    expect([over.status, over.text]).to.deep.equal([504, 'Cannot safely perform a failover at the moment']);
    expect((await call(b, '/pools/default', { memoryQuota: 300 })).status).to.equal(500);
    await target.simulated.start(a);
    await waitFor(async () => (await topology(b))[a] === 'active healthy', `${a} to be back`);
  });

  it('does what it was told though its answer is lost', async function () {
    const { a, b, target } = nodes();
    if (target.simulated === undefined) return this.skip();
    await target.simulated.fault(b, { dropReply: '/pools/default/buckets' });
    const lost = call(b, '/pools/default/buckets', { name: 'late', ramQuota: 128, replicaNumber: 0 });
    expect(
      await lost.then(
        () => 'answered',
        () => 'lost',
      ),
    ).to.equal('lost');
    expect((await call(a, '/pools/default/buckets/late')).status).to.equal(200);
  });

  it('lets a node that was failed over unsafely believe that it is active', async function () {
    const { a, b, target } = nodes();
    if (target.simulated === undefined) return this.skip();
    await target.simulated.stop(a);
    await waitFor(async () => (await topology(b))[a] === 'active unhealthy', `${a} to be missed`);
    const said = await call(b, '/controller/failOver', { otpNode: otpOf(a), allowUnsafe: 'true' });
    expect(said.status).to.equal(200);
    expect(Object.keys(await topology(b))).to.deep.equal([b]);
    await target.simulated.start(a);
    expect((await topology(a))[a]).to.contain('active');
    expect(Object.keys(await topology(b))).to.deep.equal([b]);
  });
}
