/** The engine of Couchbase against the simulator of its cluster manager, step by step as a pilot drives it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { createCouchbaseEngine } from '../../pilot/engine/couchbase/engine.ts';
import type { Engine, MayWrite } from '../../pilot/engine/engine.ts';
import type { MemberSpec, Settings, TopologyOrder } from '../../pilot/model.ts';
import { nodePapers } from '../../server/runtime/local/couchbase-papers.ts';
import { systemClock } from '../../shared/clock.ts';
import { systemRandom } from '../../shared/random.ts';
import { administrator, call, rebalanced, topology } from '../couchbase/calls.ts';
import { countRebalances, putItems, SimulatedNodes } from '../couchbase/nodes.ts';
import { waitFor } from '../support/wait.ts';

const quotas = { data: 256, index: 256, search: 256, analytics: 1024, eventing: 256 };
const autoFailover = { enabled: true, timeout: 120, maxCount: 1 };
const bucket = { name: 'b', ramQuotaMb: 128, replicas: 1, type: 'couchbase', eviction: '', flush: false };

function specOf(founds: boolean): MemberSpec {
  const plain = { hash: 'h', version: '7.6.8', roles: ['data', 'query'], plugins: [], config: {}, heapBytes: 0 };
  return { ...plain, seeds: [], quorum: 1, couchbase: { founds, memoryQuotas: quotas, stale: false } };
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
  const make = (host: string, caFile?: string, certificateDirectory?: string): Engine => {
    const place = {
      ...{ member: `demo-node-${host}`, cluster: 'demo', address: host, httpPort: 8091, transportPort: 0 },
      ...{ distribution: '/nowhere', directory: join(directory, host), javaHome: '', credentialsFile },
      secretsDirectory: directory,
      ...(caFile !== undefined && { caFile }),
      ...(certificateDirectory !== undefined && { certificateDirectory }),
    };
    return createCouchbaseEngine(place, { clock: systemClock(), random: systemRandom });
  };
  const judged = async (): Promise<{ readonly judged: string; readonly known: readonly string[] }> => {
    const cluster = await waitFor(() => engine(a).observeCluster(), 'the cluster to be read');
    return { judged: cluster.topology!.digest, known: cluster.topology!.nodes.map(({ otp }) => otp) };
  };
  const order = (basis: { judged: string; known: readonly string[] }, change: Partial<TopologyOrder>): Settings => {
    const none = {
      ...{ add: [], recover: [], failOver: [], unsafe: false, discard: [], move: [], rebalance: false, eject: [] },
      ...{ buckets: [], drop: [], shrink: [], memoryQuotas: {}, autoFailover },
      ...{ users: [], groups: [], dropUsers: [], dropGroups: [] },
    };
    const plain = { excluded: [], owned: [], allocation: 'all' as const, quorum: 0 };
    return { ...plain, topology: { ...none, ...basis, ...change } };
  };
  const outcome = (settings: Settings, mayWrite?: MayWrite): Promise<string> =>
    engine(a)
      .applySettings(settings, mayWrite)
      .then(
        () => 'true',
        (error: unknown) => (error as Error).message,
      );

  const bucketState = async (name = 'b') =>
    (await engine(a).observeCluster())?.topology?.buckets.find((one) => one.name === name);

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
    // As Kubernetes mounts a Secret: its group reads it.
    mkdirSync(join(directory, '..data'));
    chmodSync(credentialsFile, 0o640);
    await engine(a).prepare(specOf(true));
    rmSync(join(directory, '..data'), { recursive: true });
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
    const add = order(alone, { add: [{ host: b, services: ['data'], group: '' }] });
    expect(await outcome(add, () => false)).to.contain(`add ${b}`);
    const refused = async () => (await outcome(add, () => false)).includes('no longer leads');
    await waitFor(refused, 'the step to be refused');
    expect(await topology(a)).to.not.have.property(b);
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

  it('makes a bucket, lets it grow, and shrinks it only where that is let', async () => {
    const want = (ramQuotaMb: number) => ({ buckets: [{ ...bucket, ramQuotaMb }] });
    await outcome(order(await judged(), want(128)));
    await waitFor(async () => (await outcome(order(await judged(), want(128)))) === 'true', 'the bucket');
    await outcome(order(await judged(), want(256)));
    await waitFor(async () => (await outcome(order(await judged(), want(256)))) === 'true', 'the bucket to grow');
    expect(await outcome(order(await judged(), want(100)))).to.equal('true');
    const smaller = { ...want(128), shrink: ['b'] };
    await outcome(order(await judged(), smaller));
    await waitFor(async () => (await outcome(order(await judged(), smaller))) === 'true', 'the bucket to shrink');
    expect((await bucketState())?.ramQuotaMb).to.equal(128);
    await outcome(order(await judged(), want(256)));
    await waitFor(async () => (await outcome(order(await judged(), want(256)))) === 'true', 'the bucket to grow again');
    const rows = await waitFor(async () => (await engine(b).readEvidence())?.shards, 'copies to be counted');
    expect(rows).to.equal(1024);
    expect(await engine(b).readEvidence()).to.include({ lastCopies: 0, unassigned: 0, unassignedPrimaries: 0 });
  });

  it('drops a bucket by its uuid alone, and one that was empty only while it is', async () => {
    const gone = { name: 'old', ramQuota: 128, replicaNumber: 0 };
    await call(a, '/pools/default/buckets', gone);
    await putItems(a, 'old', ['one']);
    const { uuid } = await waitFor(async () => {
      const there = await bucketState('old');
      return (there?.items ?? 0) > 0 && there;
    }, 'an item');
    const drop = async (one: { uuid: string; empty: boolean }): Promise<string> =>
      outcome(order(await judged(), { buckets: [{ ...bucket, ramQuotaMb: 256 }], drop: [{ name: 'old', ...one }] }));
    // What was begun before may be under way for a moment.
    const isLeft = async (one: { uuid: string; empty: boolean }): Promise<boolean> => (await drop(one)) === 'true';
    await waitFor(() => isLeft({ uuid: 'another', empty: false }), 'a bucket of another uuid to be left');
    await waitFor(() => isLeft({ uuid, empty: true }), 'a bucket that is not empty any more to be left');
    expect(await bucketState('old')).to.not.equal(undefined);
    expect(await drop({ uuid, empty: false })).to.contain('drop bucket old');
    await waitFor(async () => (await bucketState('old')) === undefined, 'the bucket to be gone');
  });

  it('makes a user of a secret, removes it, and leaves alone whom nobody names', async () => {
    await call(a, '/settings/rbac/users/local/hand', { roles: 'admin', password: 'by-hand' }, { method: 'PUT' });
    writeFileSync(join(directory, 'app.json'), JSON.stringify({ password: 'first-one' }), { mode: 0o600 });
    const user = { name: 'app', roles: ['ro_admin', 'bucket_admin[b]'], groups: ['g'], secretName: 'app' };
    const access = { users: [user], groups: [{ name: 'g', roles: ['bucket_full_access[b]'] }] };
    const settled = async (change: Partial<TopologyOrder>): Promise<unknown> =>
      waitFor(async () => (await outcome(order(await judged(), change))) === 'true', 'nothing to be left to do');
    const status = async (password: string): Promise<number> =>
      (await call(a, '/whoami', undefined, { account: { username: 'app', password } })).status;
    await settled(access);
    expect(await status('first-one')).to.equal(200);
    writeFileSync(join(directory, 'app.json'), JSON.stringify({ password: 'second-one' }));
    await settled(access);
    expect([await status('first-one'), await status('second-one')]).to.deep.equal([401, 200]);
    await settled({ dropUsers: ['app'], dropGroups: ['g'] });
    const { text } = await call(a, '/settings/rbac/users');
    expect(text).to.contain('"hand"').and.not.contain('"app"');
    expect((await call(a, '/settings/rbac/groups')).text).to.equal('[]');
  });

  it('is let in with either password while one is rotated, and says which', async () => {
    const next = { username: 'Administrator', password: 'another-password', id: 'r1' };
    const keep = (content: object): void => writeFileSync(credentialsFile, JSON.stringify(content));
    keep({ ...administrator, next });
    const told = async (): Promise<string | undefined> => (await engine(a).observeCluster())?.topology?.administrator;
    expect(await told()).to.equal('');
    await outcome(order(await judged(), {}));
    await waitFor(async () => (await told()) === 'r1', 'the next password to be taken');
    expect(await engine(b).observeNode()).to.include({ joined: true });
    keep({ username: next.username, password: next.password, last: administrator });
    expect(await told()).to.equal('');
    keep({ ...administrator, last: next });
    expect(await engine(a).observeNode(), 'that of before is tried last').to.include({ joined: true });
    await call(a, '/settings/web', { ...administrator, port: 'SAME' }, { account: next });
    keep(administrator);
  });

  it('puts nodes into server groups', async () => {
    const basis = await judged();
    const otp = basis.known.find((name) => name.endsWith(a)) ?? '';
    await outcome(order(basis, { move: [{ otp, group: 'east' }] }));
    const groupOf = async (host: string): Promise<string | undefined> =>
      (await engine(a).observeCluster())?.topology?.nodes.find((node) => node.host === host)?.group;
    await waitFor(async () => (await groupOf(a)) === 'east', 'the node to be moved');
    expect(await groupOf(b)).to.equal('Group 1');
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

  it('adds it again into a group, fails it over with force where nobody else is left, and resets it', async () => {
    const alone = await judged();
    await outcome(order(alone, { add: [{ host: b, services: ['data'], group: 'west' }] }));
    await waitFor(async () => (await topology(a))[b] === 'inactiveAdded healthy', `${b} to be added`);
    await outcome(order(await judged(), { rebalance: true }));
    expect(await rebalanced(a)).to.equal(undefined);
    for (const [host, other] of [
      [a, b],
      [b, a],
    ] as const)
      await nodes.fault(host, { cut: [other] });
    await waitFor(async () => (await topology(a))[b] === 'active unhealthy', `${b} to be missed`);
    const basis = await judged();
    const lost = basis.known.filter((otp) => otp.endsWith(b));
    await outcome(order(basis, { failOver: lost, unsafe: true }));
    await waitFor(async () => (await topology(a))[b] === undefined, `${b} to be gone`);
    for (const host of nodes.hosts) await nodes.fault(host, { cut: [] });
    expect((await engine(b).observeNode())?.standing).to.equal('active');
    await engine(b).wipe?.();
    await waitFor(async () => (await engine(b).observeNode())?.standing === 'fresh', `${b} to be as new`);
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

  it('has its node show the certificate that it is given, and another one when that is renewed', async () => {
    const own = join(directory, a);
    const nowMs = systemClock().wallMs();
    const papers = (atMs: number) => nodePapers(directory, { namespace: 'default', name: 'demo' }, a, atMs);
    const { caFile, directory: certificateDirectory } = await papers(nowMs - 80 * 24 * 3_600_000);
    // The inbox of a simulated node is beside its data, which here is not the engine's own.
    rmSync(join(own, 'data'), { recursive: true, force: true });
    symlinkSync(nodes.directoryOf(a), join(own, 'data'));
    const secured = make(a, caFile, certificateDirectory);
    await secured.settle?.(specOf(false));
    expect(await secured.observeNode()).to.include({ standing: 'active' });
    const shown = await shownBy(a);
    await secured.settle?.(specOf(false));
    expect(await shownBy(a)).to.equal(shown);
    await papers(nowMs);
    await secured.settle?.(specOf(false));
    expect(await shownBy(a)).to.not.equal(shown);
    expect(await secured.observeNode()).to.include({ standing: 'active' });
  });
});

/** The fingerprint of the certificate that a node shows. */
function shownBy(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 18091, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const outcomeOfOther = 'the topology is another one than the order was judged on';
