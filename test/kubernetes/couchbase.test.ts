/** A CouchbaseCluster on a real Kubernetes API: its objects, its credentials, and names that two clusters want. */
import { expect } from 'chai';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { conditionOf, small, Stage, type Thing } from '../support/kubernetes/stage.ts';
import { waitFor } from '../support/wait.ts';

const limitMs = 60_000;
const plural = 'couchbaseclusters';
const head = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'CouchbaseCluster' };

const spec = (persistence: object, more: object = {}): object => ({
  version: '7.6.8',
  nodePools: [{ name: 'data', replicas: 2, services: ['data'], persistence: { size: '1Gi', ...persistence } }],
  ...more,
});

describe('a Couchbase cluster on Kubernetes', () => {
  const kubernetes = useKubernetes();
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open(kubernetes());
    // No pod is played: the pilots of the stage know another database.
    stage.played.clear();
  });
  afterEach(() => stage.close());

  const core = (of: string, name = ''): string => `/api/v1/namespaces/${stage.namespace}/${of}${name && `/${name}`}`;
  const create = (name: string, of: object): Promise<Thing> =>
    stage.must('POST', stage.path(plural), { ...head, metadata: { name }, spec: of });
  const set = (name: string): Promise<Thing> =>
    stage.found(`/apis/apps/v1/namespaces/${stage.namespace}/statefulsets/${name}`);
  const secret = (name: string, stringData: object): Promise<Thing> =>
    stage.must('POST', core('secrets'), { metadata: { name }, stringData });
  const wordOf = (of: Thing, key: string): string => Buffer.from(of.data[key], 'base64').toString();

  it('gets its pods, its Services, and credentials that stay where its volumes do', async () => {
    const server = await stage.active();
    await create('cb', spec({}));
    const made = await stage.found(core('secrets', 'cb-credentials'));
    expect(wordOf(made, 'username')).to.equal('Administrator');
    expect(wordOf(made, 'password')).to.match(/^[\w-]{32}$/);
    expect(made.metadata.ownerReferences).to.equal(undefined);
    const { template } = (await set('cb-data')).spec;
    const [database] = template.spec.containers;
    expect([database.name, database.image]).to.deep.equal(['couchbase', 'couchbase/server:7.6.8']);
    expect(database.args).to.include('--application=couchbase');
    const mounted = template.spec.volumes.find(({ name }: Thing) => name === 'secrets');
    expect(mounted.secret).to.deep.include({ secretName: 'cb-pilots', defaultMode: 0o400 });
    const handed = await stage.found(core('secrets', 'cb-pilots'));
    expect(JSON.parse(wordOf(handed, 'administrator')).password).to.equal(wordOf(made, 'password'));
    const ports = (await stage.found(core('services', 'cb'))).spec.ports as Thing[];
    expect(ports.map(({ name, port }) => `${name} ${port}`)).to.include.members(['admin 8091', 'data 11210']);
    const seen = await waitFor(async () => {
      const object = await stage.get(stage.path(plural, 'cb'));
      return object.status?.desiredMembers === 2 ? object : undefined;
    }, 'its status');
    expect(conditionOf(seen, 'Ready').status).to.equal('False');

    await stage.end(server);
    await stage.active();
    await stage
      .merge(stage.path(plural, 'cb'), { spec: { nodePools: [{ name: 'data', replicas: 3, services: ['data'] }] } })
      .catch(() => undefined);
    expect(wordOf(await stage.get(core('secrets', 'cb-credentials')), 'password')).to.equal(wordOf(made, 'password'));
  });

  it('makes credentials that go with it where nothing stays, and none where a Secret is named', async () => {
    await stage.active();
    await create('gone', spec({ onDelete: 'Delete' }));
    const made = await stage.found(core('secrets', 'gone-credentials'));
    expect(made.metadata.ownerReferences[0]).to.include({ kind: 'CouchbaseCluster', name: 'gone' });
    await secret('mine', { username: 'boss', password: 'a-password-of-mine' });
    await create('named', spec({}, { auth: { secretName: 'mine' } }));
    const handed = await stage.found(core('secrets', 'named-pilots'));
    expect(JSON.parse(wordOf(handed, 'administrator'))).to.deep.equal({
      ...{ username: 'boss', password: 'a-password-of-mine' },
    });
    await set('named-data');
    expect(await stage.get(core('secrets', 'named-credentials'))).to.equal(undefined);
  });

  it('waits for the Secrets that it names, and says which', async () => {
    await stage.active();
    const users = [{ name: 'ada', secretName: 'of-ada' }];
    await create('secret', spec({}, { auth: { secretName: 'mine' }, tls: { enabled: true }, users }));
    const degraded = (words: string): Promise<Thing> =>
      waitFor(
        async () => {
          const found = conditionOf(await stage.get(stage.path(plural, 'secret')), 'Degraded');
          return found?.message?.includes(words) ? found : undefined;
        },
        words,
        limitMs,
      );
    await degraded('there is no Secret mine with a username and a password');
    expect(await stage.get(core('secrets', 'secret-pilots'))).to.equal(undefined);
    await secret('mine', { username: 'boss', password: 'a-password-of-mine' });
    const [database] = (await set('secret-data')).spec.template.spec.containers;
    expect(database.args).to.include.members([
      '--credentials-file=/var/run/navigator/secrets/administrator',
      '--secrets-directory=/var/run/navigator/secrets',
      '--database-ca-file=/var/run/navigator/secrets/ca.pem',
      '--certificate-directory=/var/run/navigator/secrets',
    ]);
    await degraded('there is no Secret of-ada with a password, which spec.users names');
    await secret('of-ada', { password: 'a-password-of-ada' });
    const handed = await waitFor(
      async () => {
        const found = await stage.get(core('secrets', 'secret-pilots'));
        return found.data['of-ada.json'] === undefined ? undefined : found;
      },
      'the password of ada',
      limitMs * 2,
    );
    expect(Object.keys(handed.data)).to.include.members(['ca.pem', 'chain.pem', 'pkey.key']);
  });

  it('has a name of its own: a younger object of another kind is told so, and has it when the older one is gone', async () => {
    await stage.active();
    await create('both', spec({}));
    await set('both-data');
    // Which of them is older shows in seconds.
    const bornAt = (await stage.get(stage.path(plural, 'both'))).metadata.creationTimestamp as string;
    await waitFor(() => Date.now() > Date.parse(bornAt) + 1_000, 'the next second');
    await stage.apply('both', small(1));
    const rival = await waitFor(
      async () => {
        const object = await stage.get(stage.path('elasticsearchclusters', 'both'));
        return conditionOf(object, 'Ready')?.reason === 'NameIsTaken' ? object : undefined;
      },
      'the refusal',
      limitMs,
    );
    expect(conditionOf(rival, 'Ready').message).to.include('a CouchbaseCluster has this name already');
    expect(rival.metadata.finalizers).to.equal(undefined);
    await stage.must('DELETE', stage.path(plural, 'both'));
    await set('both-node');
  });
});
