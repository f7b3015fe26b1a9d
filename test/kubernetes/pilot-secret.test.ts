/** The Secret that the pods of a Couchbase cluster mount, on a real Kubernetes API: what is in it, and how a rotation goes through it. */
import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { connect } from '../../server/kubernetes/api.ts';
import { KubeObjects } from '../../server/kubernetes/objects.ts';
import type { ClusterSpec, CouchbaseSpec } from '../../server/model/cluster.ts';
import type { Administrator } from '../../server/runtime/administrator.ts';
import { PilotSecrets, type SecretsOf } from '../../server/runtime/kubernetes/pilot-secret.ts';
import { systemClock } from '../../shared/clock.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { couchbase, couchbaseLedger } from '../unit/reconcile/couchbase.scene.ts';

const machine = systemClock(true);
const dayMs = 24 * 3_600_000;

describe('the Secret of the pilots', () => {
  const kubernetes = useKubernetes();
  let namespace = '';
  let passedMs = 0;
  let secrets: PilotSecrets;

  beforeEach(async () => {
    namespace = await kubernetes().namespace();
    passedMs = 0;
    const clock = {
      ...machine,
      monotonicMs: () => machine.monotonicMs() + passedMs,
      wallMs: () => machine.wallMs() + passedMs,
    };
    secrets = new PilotSecrets(new KubeObjects(connect(kubernetes().api.config(), machine)), clock);
  });

  const pathOf = (name = ''): string => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`;
  const put = async (name: string, stringData: Readonly<Record<string, string>>): Promise<void> => {
    await kubernetes().call('DELETE', pathOf(name));
    const { status } = await kubernetes().call('POST', pathOf(), { metadata: { name }, stringData });
    expect(status).to.equal(201);
  };
  const read = async (name = 'demo-pilots'): Promise<Record<string, string>> => {
    const { body } = await kubernetes().call('GET', pathOf(name));
    const data = (body.data ?? {}) as Record<string, string>;
    return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
  };
  const administrator = async (): Promise<Administrator> =>
    JSON.parse((await read())['administrator'] ?? 'null') as Administrator;
  const whose = (change: Partial<CouchbaseSpec> = {}, accepted = ''): SecretsOf => {
    const ledger = couchbaseLedger(3);
    const spec: ClusterSpec = {
      ...ledger.spec,
      id: { namespace, name: 'demo' },
      couchbase: { ...couchbase, ...change },
    };
    const owner = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'CouchbaseCluster', name: 'demo', uid: 'u-1' };
    return { cluster: spec, ledger: { ...ledger, members: {}, spec }, owner, accepted };
  };

  it('has credentials that are made once, and are the same however often it is looked at', async () => {
    await secrets.keep(whose());
    const made = await administrator();
    expect(made).to.have.all.keys('username', 'password');
    expect((await read('demo-credentials'))['password']).to.equal(made.password);
    const { body } = await kubernetes().call('GET', pathOf('demo-pilots'));
    await Promise.all([secrets.keep(whose()), secrets.keep(whose())]);
    const { body: after } = await kubernetes().call('GET', pathOf('demo-pilots'));
    expect(after.metadata.resourceVersion).to.equal(body.metadata.resourceVersion);
  });

  it('is not made without the Secret that is named, nor of one that the database would not take', async () => {
    const failure = (): Promise<string> =>
      secrets.keep(whose({ adminSecret: 'mine' })).then(
        () => '',
        (error: unknown) => String(error),
      );
    expect(await failure()).to.include('there is no Secret mine with a username and a password');
    await put('mine', { username: 'boss', password: 'short' });
    expect(await failure()).to.include('no password of 6 characters or more');
    expect(await read()).to.deep.equal({});
    await put('mine', { username: 'boss', password: 'long-enough' });
    expect(await secrets.keep(whose({ adminSecret: 'mine' }))).to.deep.equal([]);
    expect(await administrator()).to.deep.equal({ username: 'boss', password: 'long-enough' });
  });

  it('brings a changed password to every pod before the database is told, and forgets the old one afterwards', async () => {
    const spec = { adminSecret: 'mine' };
    await put('mine', { username: 'boss', password: 'first-password' });
    await secrets.keep(whose(spec));
    await put('mine', { username: 'boss', password: 'second-password' });
    await secrets.keep(whose(spec));
    const waiting = await administrator();
    expect(waiting).to.deep.include({ password: 'first-password' });
    expect(waiting.next).to.deep.include({ password: 'second-password', waits: true });
    await secrets.keep(whose(spec));
    expect(await administrator()).to.deep.equal(waiting);
    passedMs = 121_000;
    await secrets.keep(whose(spec));
    const { waits: _waits, ...released } = waiting.next!;
    expect((await administrator()).next).to.deep.equal(released);
    await secrets.keep(whose(spec, released.id));
    expect(await administrator()).to.deep.equal({
      ...{ username: 'boss', password: 'second-password' },
      last: { username: 'boss', password: 'first-password' },
    });
  });

  it('keeps what it has where the Secret of the administrator goes, and says so', async () => {
    const spec = { adminSecret: 'mine' };
    await put('mine', { username: 'boss', password: 'first-password' });
    await secrets.keep(whose(spec));
    await kubernetes().call('DELETE', pathOf('mine'));
    expect(await secrets.keep(whose(spec))).to.deep.equal(['there is no Secret mine with a username and a password']);
    expect((await administrator()).password).to.equal('first-password');
  });

  it('has the password of each user, and names the one that is missing', async () => {
    const users = ['ada', 'bob'].map((name) => ({ name, roles: ['admin'], groups: [], secretName: `of-${name}` }));
    await put('of-ada', { password: 'the-password-of-ada' });
    expect(await secrets.keep(whose({ users }))).to.deep.equal([
      'there is no Secret of-bob with a password, which spec.users names',
    ]);
    expect(JSON.parse((await read())['of-ada.json'] ?? '')).to.deep.equal({ password: 'the-password-of-ada' });
    await put('of-bob', { password: 'the-password-of-bob' });
    expect(await secrets.keep(whose({ users }))).to.deep.equal([]);
    expect(await read()).to.include.keys('of-ada.json', 'of-bob.json');
    await secrets.keep(whose({ users: users.slice(1) }));
    expect(await read()).to.have.all.keys('administrator', 'of-bob.json');
  });

  it('has a certificate for every node, whose authority keeps its key to itself, and renews it in time', async () => {
    await secrets.keep(whose({ tls: true }));
    const first = await read();
    const certificate = new X509Certificate(first['chain.pem']!);
    const authority = new X509Certificate(first['ca.pem']!);
    expect(certificate.checkHost(`demo-node-7.demo-node.${namespace}.svc`)).to.be.a('string');
    expect(certificate.checkHost(`demo-node-7.demo-other.${namespace}.svc`)).to.equal(undefined);
    expect(certificate.verify(authority.publicKey)).to.equal(true);
    expect(first['pkey.key']).to.include('PRIVATE KEY');
    expect(Object.values(first)).to.not.include((await read('demo-ca'))['ca.key']);
    await secrets.keep(whose({ tls: true }));
    expect(await read()).to.deep.equal(first);
    passedMs = 61 * dayMs;
    await secrets.keep(whose({ tls: true }));
    const second = await read();
    expect(second['chain.pem']).to.not.equal(first['chain.pem']);
    expect(second['ca.pem']).to.equal(first['ca.pem']);
  });

  it('is not written where somebody else has one of its name', async () => {
    await put('demo-pilots', { theirs: 'yes' });
    const refused = await secrets.keep(whose()).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(refused).to.include("is somebody else's");
    expect(await read()).to.deep.equal({ theirs: 'yes' });
  });
});
