/** The whole API through grpcurl, with no proto files: what reflection says is what a stranger works with. */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { systemClock, within } from '../../shared/clock.ts';
import { grpcurl, hasGo } from '../support/grpcurl.ts';
import { Scene } from './scene.ts';

const run = promisify(execFile);
const callWithinMs = 30_000;

const services = ['grpc.health.v1.Health', 'navigator.v1.NavigatorService', 'navigator.v1.PilotService'];

function manifest(replicas: number, heap = '512Mi', name = 'demo'): string {
  const limits = { memory: heap };
  const pool = { name: 'node', replicas, roles: ['master', 'data', 'ingest'], resources: { limits } };
  const kind = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'ElasticsearchCluster' };
  return JSON.stringify({ ...kind, metadata: { name }, spec: { version: '5.6.16', nodePools: [pool] } });
}

type Json = Record<string, never>;

describe('grpcurl without proto files', function () {
  this.timeout(600_000);
  let scene: Scene;
  let opened: Scene | undefined;
  let program: string;

  before(async function () {
    if (!hasGo()) {
      console.log('skipped: grpcurl is built by Go, and there is no `go` on the PATH');
      this.skip();
    }
    program = await grpcurl();
    scene = await new Scene().serve();
    opened = scene;
  });
  after(() => opened?.close());

  async function curl(...args: readonly string[]): Promise<string> {
    const { stdout } = await run(program, ['-plaintext', '-unix', ...args], { timeout: callWithinMs });
    return stdout;
  }

  async function call(method: string, request: object = {}): Promise<Json> {
    const name = method.includes('/') ? method : `navigator.v1.NavigatorService/${method}`;
    return JSON.parse(await curl('-d', JSON.stringify(request), scene.socket, name)) as Json;
  }

  const demo = { cluster: 'demo' };
  const person = { ...demo, who: 'ada', why: 'a test' };
  const last = 'demo-node-2';

  it('lists every service', async () => {
    const listed = (await curl(scene.socket, 'list')).trim().split('\n');
    expect(listed).to.include.members(services);
  });

  it('describes every service, every method and every message, and all that these name', async () => {
    const open = [...services];
    const seen = new Set<string>();
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const text = await curl(scene.socket, 'describe', name);
      expect(text, name).to.contain(name);
      open.push(...[...text.matchAll(/\.((?:navigator|grpc|google)\.[\w.]+)/g)].flatMap(([, found]) => found ?? []));
    }
    const own = ['Cluster', 'Member', 'Permit', 'Evidence', 'Hold', 'Verb', 'Event', 'ConnectRequest', 'ApplySettings'];
    expect([...seen]).to.include.members(own.map((name) => `navigator.v1.${name}`));
    expect([...seen]).to.include('google.protobuf.Timestamp');
    expect(seen.size).to.be.greaterThan(50);
  });

  it('knows the fields by the names of the contract', async () => {
    expect(await curl(scene.socket, 'describe', 'navigator.v1.ListClustersRequest')).to.contain('int32 page_size = 1;');
    expect(await call('ListClusters', { page_size: 10 })).to.deep.equal({});
  });

  it('hears that the server and each of its services are healthy', async () => {
    for (const service of ['', 'navigator.v1.NavigatorService', 'navigator.v1.PilotService']) {
      expect(await call('grpc.health.v1.Health/Check', { service })).to.deep.equal({ status: 'SERVING' });
    }
  });

  it('ApplyCluster makes a cluster', async () => {
    const made = await call('ApplyCluster', { manifest: manifest(3) });
    expect(made).to.have.property('outcome', 'created');
    expect(made).to.have.nested.property('cluster.name', 'demo');
    await scene.untilReady();
    scene.database.createIndex('songs', 4, 1, 100);
    await scene.until('the documents to be seen', () => scene.cluster.snapshot?.observed.cluster?.documents === 100);
  });

  it('ListClusters', async () => {
    const { clusters } = await call('ListClusters', { pageSize: 10 });
    expect(clusters).to.have.nested.property('[0].health', 'HEALTH_GREEN');
    expect(clusters).to.have.nested.property('[0].readyMembers', 3);
    expect(clusters).to.have.nested.property('[0].documents', '100');
  });

  it('GetCluster', async () => {
    const found = await call('GetCluster', demo);
    expect(found).to.have.nested.property('cluster.name', 'demo');
    expect(found)
      .to.have.nested.property('cluster.leader')
      .that.matches(/^demo-node-\d$/);
    expect(found).to.have.property('manifest', manifest(3));
  });

  it('ListMembers', async () => {
    const { members } = await call('ListMembers', demo);
    expect(members).to.have.lengthOf(3);
    expect(members).to.have.nested.property('[2].name', last);
    expect(members).to.have.nested.property('[2].desired', 'DESIRED_PHASE_RUNNING');
    expect(members)
      .to.have.nested.property('[2].lastHeartbeat')
      .that.matches(/^\d{4}-\d\d-\d\dT/);
  });

  it('GetLeader, StepDown', async () => {
    const { term } = scene.ledger.leadership;
    expect(await call('GetLeader', demo)).to.deep.equal({ leader: scene.ledger.leadership.leader, term: `${term}` });
    expect(await call('StepDown', demo)).to.deep.equal({});
    await scene.until(
      'the next term',
      () => scene.ledger.leadership.term > term && scene.ledger.leadership.leader !== '',
    );
    await scene.untilReady();
  });

  it('Pause, Resume', async () => {
    expect(await call('Pause', demo)).to.have.nested.property('cluster.paused', true);
    expect(await call('Why', demo)).to.have.nested.property('holds[0].name', 'cluster_is_paused');
    expect(await call('Resume', demo)).to.not.have.nested.property('cluster.paused');
  });

  it('WatchEvents: one event, then no more', async () => {
    const args = [
      '-plaintext',
      '-unix',
      '-d',
      JSON.stringify(demo),
      scene.socket,
      'navigator.v1.NavigatorService/WatchEvents',
    ];
    const child = spawn(program, args);
    const first = new Promise<string>((done) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('\n}')) done(text.slice(0, text.indexOf('\n}') + 2));
      });
    });
    const heard = within(systemClock(), callWithinMs, first, () => new Error('no event came'));
    let text: string | undefined;
    void heard.then((found) => (text = found));
    await scene.until('an event', () => {
      scene.events.publish({ at: 0, cluster: 'default/demo', member: last, kind: 'changed', message: 'hello' });
      return text;
    });
    const { event } = JSON.parse(await heard) as Json;
    expect(event).to.include({ cluster: 'default/demo', kind: 'changed', member: last, message: 'hello' });
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
  });

  it('ListPermits, Why, DenyPermit, ApprovePermit of a member that waits to leave', async () => {
    scene.database.eager = false;
    expect(await call('ApplyCluster', { manifest: manifest(2) })).to.have.property('outcome', 'changed');
    const { id } = await scene.until('the asking', () => scene.permit(last, 'queued'));
    await scene.until('the hold', () => scene.cluster.snapshot?.plan.holds.some(({ member }) => member === last));
    const why = await call('Why', { ...demo, member: last });
    expect(why).to.have.nested.property('holds[0].member', last);
    expect(why).to.have.nested.property('doing[0]').that.contains(last);
    const { permits } = await call('ListPermits', { ...demo, all: true });
    expect(permits).to.have.nested.property('[0].id', id);
    expect(permits).to.have.nested.property('[0].verb', 'VERB_LEAVE');
    const denied = await call('DenyPermit', { ...person, permit: id });
    expect(denied).to.have.nested.property('permit.state', 'PERMIT_STATE_DENIED');
    expect(denied).to.have.nested.property('permit.decidedBy', 'ada');
    const approved = await call('ApprovePermit', { ...person, permit: id });
    expect(approved).to.have.nested.property('permit.state', 'PERMIT_STATE_QUEUED');
    expect(approved).to.have.nested.property('permit.decidedBy', 'ada');
  });

  it('RevokePermit of one that is granted and not used', async () => {
    const pilot = scene.pilot(last);
    pilot.hold((message) => message.kind === 'decision' && message.decision.state === 'granted');
    scene.database.eager = true;
    scene.database.changed();
    const { id } = await scene.until('the grant', () => pilot.holding && scene.permit(last, 'granted'));
    const revoked = await call('RevokePermit', { ...person, permit: id });
    expect(revoked).to.have.nested.property('permit.state', 'PERMIT_STATE_REVOKED');
    pilot.release();
    await scene.untilReady();
    expect(Object.keys(scene.ledger.members)).to.have.lengthOf(2);
    expect(scene.database.documents('songs')).to.equal(100);
  });

  it('DeleteCluster', async () => {
    expect(await call('DeleteCluster', demo)).to.deep.equal({});
    await scene.until('it to be gone', () => scene.loop.list().length === 0);
    expect(await call('ListClusters')).to.deep.equal({});
  });

  it('is told the code and the words of a refusal', async () => {
    const refused = await call('GetCluster', demo).then(
      () => '',
      (error: unknown) => (error as { stderr: string }).stderr,
    );
    expect(refused).to.contain('NotFound').and.to.contain('there is no cluster default/demo');
  });
});
