/** The engine of Couchbase against the simulator of its cluster manager, step by step as a pilot drives it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createCouchbaseEngine } from '../../pilot/engine/couchbase/engine.ts';
import type { Engine } from '../../pilot/engine/engine.ts';
import type { MemberSpec, Settings, TopologyOrder } from '../../pilot/model.ts';
import { systemClock } from '../../shared/clock.ts';
import { systemRandom } from '../../shared/random.ts';
import { administrator, call, rebalanced, topology } from '../couchbase/calls.ts';
import { countRebalances, SimulatedNodes } from '../couchbase/nodes.ts';
import { waitFor } from '../support/wait.ts';

const quotas = { data: 256, index: 256, search: 256, analytics: 1024, eventing: 256 };
const autoFailover = { enabled: true, timeout: 120, maxCount: 1 };
const bucket = { name: 'b', ramQuotaMb: 128, replicas: 1, type: 'couchbase', eviction: '', flush: false };

function specOf(founds: boolean): MemberSpec {
  const plain = { hash: 'h', version: '7.6.8', roles: ['data', 'query'], plugins: [], config: {}, heapBytes: 0 };
  return { ...plain, seeds: [], quorum: 1, couchbase: { founds, memoryQuotas: quotas } };
}

describe('the engine of Couchbase', function () {
  this.timeout(300_000);
  this.bail(true);
  const nodes = new SimulatedNodes('127.88.3', 2, 10);
  const [a = '', b = ''] = nodes.hosts;
  const directory = mkdtempSync(join(tmpdir(), 'navigator-engine-'));
  const credentialsFile = join(directory, 'credentials.json');
  const engines = new Map<string, Engine>();
  const engine = (host: string): Engine => engines.get(host)!;
  const make = (host: string, caFile?: string): Engine => {
    const place = {
      ...{ member: `demo-node-${host}`, cluster: 'demo', address: host, httpPort: 8091, transportPort: 0 },
      ...{ distribution: '/nowhere', directory: join(directory, host), javaHome: '', credentialsFile },
      ...(caFile !== undefined && { caFile }),
    };
    return createCouchbaseEngine(place, { clock: systemClock(), random: systemRandom });
  };
  const judged = async (): Promise<{ readonly judged: string; readonly known: readonly string[] }> => {
    const cluster = await waitFor(() => engine(a).observeCluster(), 'the cluster to be read');
    return { judged: cluster.topology!.digest, known: cluster.topology!.nodes.map(({ otp }) => otp) };
  };
  const order = (basis: { judged: string; known: readonly string[] }, change: Partial<TopologyOrder>): Settings => {
    const none = { add: [], recover: [], failOver: [], rebalance: false, eject: [], buckets: [], autoFailover };
    const plain = { excluded: [], owned: [], allocation: 'all' as const, quorum: 0 };
    return { ...plain, topology: { ...none, ...basis, ...change } };
  };
  const outcome = (settings: Settings): Promise<string> =>
    engine(a)
      .applySettings(settings)
      .then(
        () => 'true',
        (error: unknown) => (error as Error).message,
      );

  before(async () => {
    writeFileSync(credentialsFile, JSON.stringify(administrator), { mode: 0o600 });
    for (const host of nodes.hosts) {
      mkdirSync(join(directory, host));
      engines.set(host, make(host));
    }
  });
  after(async () => {
    await nodes.end();
    rmSync(directory, { recursive: true, force: true });
  });

  it('knows nothing of a database that does not run', async () => {
    await engine(a).settle?.(specOf(true));
    expect(await engine(a).observeNode()).to.equal(undefined);
    expect(await engine(a).observeCluster()).to.equal(undefined);
    expect(await engine(a).readEvidence()).to.equal(undefined);
  });

  it('shows no credential in a command line or an environment, and refuses a file that others can read', async () => {
    const launched = engine(a).launch(specOf(true));
    expect(JSON.stringify(launched)).to.not.contain(administrator.password);
    expect(launched.args).to.deep.equal(['--', '-kernel', 'global_enable_tracing', 'false', '-noinput']);
    chmodSync(credentialsFile, 0o644);
    const refused = await engine(a)
      .prepare(specOf(true))
      .then(
        () => '',
        (error: unknown) => String(error),
      );
    expect(refused).to.contain('can be read by others');
    chmodSync(credentialsFile, 0o600);
    await engine(a).prepare(specOf(true));
    await engine(b).prepare(specOf(false));
  });

  it('makes a cluster of the founder alone, and only once', async () => {
    for (const host of nodes.hosts) await nodes.start(host);
    expect(await engine(b).observeNode()).to.include({ standing: 'fresh', joined: false });
    await engine(b).settle?.(specOf(false));
    expect(await engine(b).observeNode()).to.include({ standing: 'fresh' });
    await engine(a).settle?.(specOf(true));
    await engine(a).settle?.(specOf(true));
    const node = await engine(a).observeNode();
    expect(node).to.include({ standing: 'active', joined: true, version: '7.6.8', shards: 0 });
    expect((await engine(a).readEvidence())?.nodeId).to.equal(node?.nodeId);
  });

  it('adds a node over https, then rebalances, and says that an order is true only when it is', async () => {
    const alone = await judged();
    const add = order(alone, { add: [{ host: b, services: ['data'] }] });
    expect(await outcome(add)).to.contain(`add ${b}`);
    await waitFor(async () => (await topology(a))[b] === 'inactiveAdded healthy', `${b} to be added`);
    expect(await outcome(add)).to.contain('another one than the order was judged on');
    expect((await engine(b).observeNode())?.standing).to.equal('added');
    const both = await judged();
    expect(await outcome(order(both, { rebalance: true }))).to.contain('rebalance');
    expect(await rebalanced(a)).to.equal(undefined);
    await waitFor(async () => (await engine(b).observeNode())?.joined, `${b} to be joined`);
    await waitFor(async () => (await outcome(order(await judged(), {}))) === 'true', 'nothing to be left to do');
  });

  it('never begins a rebalance on another topology, nor into a running one', async () => {
    const before = await countRebalances(a);
    const basis = await judged();
    await call(a, '/controller/rebalance', { knownNodes: basis.known.join(','), ejectedNodes: '' });
    expect(await outcome(order(basis, { rebalance: true }))).to.contain('another one');
    const running = await judged();
    expect(await outcome(order(running, { rebalance: true }))).to.be.oneOf(['true', outcomeOfOther]);
    expect(await rebalanced(a)).to.equal(undefined);
    expect((await countRebalances(a)) - before).to.equal(1);
  });

  it('makes a bucket, lets it grow, and never shrinks it', async () => {
    const want = (ramQuotaMb: number) => ({ buckets: [{ ...bucket, ramQuotaMb }] });
    await outcome(order(await judged(), want(128)));
    await waitFor(async () => (await outcome(order(await judged(), want(128)))) === 'true', 'the bucket');
    await outcome(order(await judged(), want(256)));
    await waitFor(async () => (await outcome(order(await judged(), want(256)))) === 'true', 'the bucket to grow');
    expect(await outcome(order(await judged(), want(100)))).to.equal('true');
    const rows = await waitFor(async () => (await engine(b).readEvidence())?.shards, 'copies to be counted');
    expect(rows).to.equal(1024);
    expect(await engine(b).readEvidence()).to.include({ lastCopies: 0, unassigned: 0, unassignedPrimaries: 0 });
  });

  it('takes a node out, which is fresh again and founds nothing though it is told to', async () => {
    const basis = await judged();
    const out = basis.known.filter((otp) => otp.endsWith(b));
    await outcome(order(basis, { rebalance: true, eject: out }));
    await waitFor(async () => (await engine(b).readEvidence())?.standing === 'fresh', `${b} to be out`);
    await engine(b).settle?.(specOf(false));
    expect(await engine(a).readEvidence()).to.include({ lastCopies: 1024 });
    writeFileSync(join(directory, b, 'couchbase-founded'), b);
    await engine(b).settle?.(specOf(true));
    expect((await engine(b).observeNode())?.standing).to.equal('fresh');
  });

  it('verifies the certificate of its node with the CA that it is given', async () => {
    const right = make(a, nodes.authorityOf(a));
    expect(await right.observeNode()).to.include({ standing: 'active' });
    const wrong = await make(a, nodes.authorityOf(b))
      .observeNode()
      .then(
        () => '',
        (error: unknown) => (error as Error).message,
      );
    expect(wrong).to.contain('certificate');
  });
});

const outcomeOfOther = 'the topology is another one than the order was judged on';
