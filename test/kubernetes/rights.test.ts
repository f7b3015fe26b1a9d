/**
 * The rights in deploy/, each of them taken away: a server begins with none, and gets one only after the API server has refused
 * it for want of just this. A right that nobody was refused is one too many; one that is not shipped is missing.
 */
import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../shared/clock.ts';
import * as accounts from '../support/kubernetes/accounts.ts';
import { Lender } from '../support/kubernetes/lender.ts';
import { navigator } from '../support/kubernetes/person.ts';
import { home, makeServerAccount, shippedRights, wordsOf } from '../support/kubernetes/rights.ts';
import { useKubernetes, type Kubernetes } from '../support/kubernetes/shared.ts';
import { Stage, type Thing } from '../support/kubernetes/stage.ts';
import { waitFor } from '../support/wait.ts';

const machine = systemClock(true);
const limitMs = 120_000;
/** A server that is refused what it needs at its start ends, and another one begins: it must get the lease soon, and keep it. */
const tenure = { ttlMs: 30_000, renewEveryMs: 300, driftMax: 0.01 };
const shipped = shippedRights();
const all = shipped.map(wordsOf);

/** Of a pool whose volume grows, and one whose pod is replaced and which then goes. */
function spec(size: string, extra?: object): object {
  const persistence = { size: '1Gi', storageClass: 'growing', onScaleDown: 'Delete', onDelete: 'Delete' };
  const node = { name: 'node', replicas: 1, roles: ['master', 'data'], persistence: { ...persistence, size } };
  const pools = extra === undefined ? [] : [{ name: 'extra', replicas: 1, roles: ['data'], persistence, ...extra }];
  return { version: '6.8.23', nodePools: [node, ...pools] };
}

describe('the rights of the server', function () {
  this.timeout(600_000);
  const kubernetes = useKubernetes();
  let stage: Stage;
  let lender: Lender;

  before(async () => {
    const { call, api } = kubernetes();
    const token = await makeServerAccount(call);
    await call('DELETE', `/apis/coordination.k8s.io/v1/namespaces/${home}/leases/navigator-server`);
    await call('DELETE', `/api/v1/namespaces/${home}/secrets/navigator-tls`);
    stage = await Stage.open(kubernetes(), { home, config: api.config({ token }), tenure, ownDoor: true });
    lender = new Lender(kubernetes(), shipped);
    const story = begin(stage).then(() => live(stage, lender, kubernetes()));
    await Promise.race([story, lender.lacking]);
  });
  after(async () => {
    await (stage as Stage | undefined)?.close();
    await (lender as Lender | undefined)?.end();
  });

  for (const words of all) {
    it(`${words}: without it something is refused`, () => {
      expect(lender.needed.get(words), `nothing needs the right to ${words}`).to.be.a('string');
    });
  }

  it('stand there once each', () => expect(new Set(all).size).to.equal(all.length));
});

/** Certificates are made three weeks ago by one server, and renewed by the next. */
async function begin(stage: Stage): Promise<void> {
  const early: Clock = { ...machine, wallMs: () => machine.wallMs() - 21 * 24 * 3_600_000 };
  await stage.end(await stage.active(early));
  await stage.active(machine);
}

/** Everything that a cluster goes through: made, changed, grown, asked about, lost, deleted. */
async function live(stage: Stage, lender: Lender, { call }: Kubernetes): Promise<void> {
  const { namespace } = stage;
  const claim = (of: string): string => `/api/v1/namespaces/${namespace}/persistentvolumeclaims/data-demo-${of}-0`;
  const uidOf = async (path: string): Promise<unknown> => (await stage.get(path))?.metadata.uid;
  const [set, extraSet] = ['node', 'extra'].map(
    (pool) => `/apis/apps/v1/namespaces/${namespace}/statefulsets/demo-${pool}`,
  ) as [string, string];
  const extraPod = `/api/v1/namespaces/${namespace}/pods/demo-extra-0`;
  const growing = { metadata: { name: 'growing' }, provisioner: 'example.com/none', allowVolumeExpansion: true };
  await call('POST', '/apis/storage.k8s.io/v1/storageclasses', growing);

  await stage.apply('demo', spec('1Gi', {}));
  await stage.ready('demo');
  await waitFor(
    async () => (await stage.get(stage.path('pilots', 'demo-node-0')))?.status,
    'a Pilot’s status',
    limitMs,
  );

  const before = [await uidOf(set), await uidOf(extraPod)];
  await stage.apply('demo', spec('2Gi', { nodeSelector: { disk: 'ssd' } }));
  await stage.ready('demo');
  const isAnother = async (): Promise<boolean> => {
    const now = [await uidOf(set), await uidOf(extraPod)];
    return now.every((uid, at) => uid !== undefined && uid !== before[at]);
  };
  await waitFor(isAnother, 'a pod to be replaced, and a StatefulSet to be made anew', limitMs);
  const sizeOf = async (): Promise<unknown> => (await stage.get(claim('node'))).spec.resources.requests.storage;
  await waitFor(async () => (await sizeOf()) === '2Gi', 'the volume to grow', limitMs);

  await stage.apply('demo', spec('2Gi'));
  const isGone = async (path: string): Promise<boolean> => {
    const found: Thing = await stage.get(path);
    return found === undefined || found.metadata.deletionTimestamp !== undefined;
  };
  await waitFor(() => isGone(extraSet), 'the StatefulSet of the pool that goes to go', limitMs);
  await waitFor(() => isGone(claim('extra')), 'its volume to go', limitMs);
  await stage.ready('demo');

  await personAsks(stage);
  await another(stage);
  await lose(stage, lender);

  await stage.must('DELETE', stage.path('elasticsearchclusters', 'demo'));
  await waitFor(() => isGone(claim('node')), 'the volume of the deleted cluster to go', limitMs);
  const isThere = async (): Promise<unknown> => await stage.get(stage.path('elasticsearchclusters', 'demo'));
  await waitFor(async () => (await isThere()) === undefined, 'the end of the cluster', limitMs);
}

/** A cluster of the other application comes and goes. Nothing plays its pods: they do not begin. */
async function another(stage: Stage): Promise<void> {
  const path = stage.path('couchbaseclusters', 'cb', 'default');
  const secrets = '/api/v1/namespaces/default/secrets';
  await stage.must('POST', stage.path('couchbaseclusters', '', 'default'), {
    ...{ apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'CouchbaseCluster', metadata: { name: 'cb' } },
    spec: { version: '7.6.8', nodePools: [{ name: 'data', replicas: 1, services: ['data'] }] },
  });
  await waitFor(async () => (await stage.get(path)).status?.desiredMembers === 1, 'its status', limitMs);
  const handed = async (): Promise<Thing> => (await stage.get(`${secrets}/cb-pilots`))?.data;
  await waitFor(handed, 'what its pods mount', limitMs);
  await stage.must('POST', secrets, { metadata: { name: 'of-ada' }, stringData: { password: 'a-password' } });
  await stage.merge(path, { spec: { users: [{ name: 'ada', secretName: 'of-ada' }] } });
  await waitFor(async () => (await handed())?.['of-ada.json'], 'the password of a user', limitMs);
  await stage.must('DELETE', path);
  await waitFor(async () => (await stage.get(path)) === undefined, 'its end', limitMs);
}

async function personAsks(stage: Stage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nav-'));
  const { namespace, call } = stage;
  try {
    const fileOf = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const { data } = await stage.must('GET', `/api/v1/namespaces/${namespace}/configmaps/navigator-ca`);
    const token = await accounts.makeAccount(call, { namespace, name: 'reader' }, accounts.onClusters('get', 'list'));
    const env = {
      NAVIGATOR_SERVER: stage.service.target,
      NAVIGATOR_CA_FILE: fileOf('ca', data['ca.crt']),
      NAVIGATOR_TOKEN_FILE: fileOf('token', token),
    };
    const asked = async (): Promise<boolean> => {
      const { code, out, err } = await navigator(`get members demo -n ${namespace}`, env);
      if (code !== 0) throw new Error(err);
      return out.includes('demo-node-0');
    };
    await waitFor(asked, 'a person to be answered', limitMs);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Somebody takes the finalizer of a cluster away and deletes it, and the server finds out. It cannot put it back meanwhile. */
async function lose(stage: Stage, lender: Lender): Promise<void> {
  const path = stage.path('elasticsearchclusters', 'lost');
  await stage.apply('lost', {
    version: '6.8.23',
    nodePools: [{ name: 'node', replicas: 1, roles: ['master', 'data'] }],
  });
  await stage.ready('lost');
  await lender.without('patch elasticsearchclusters.navigator.jetstack.io', async () => {
    await stage.merge(path, { metadata: { finalizers: null } });
    await stage.must('DELETE', path);
    for (const plural of ['elasticsearchclusters', 'couchbaseclusters']) {
      const words = `get ${plural}.navigator.jetstack.io`;
      await waitFor(() => lender.needed.has(words), `the server to look for what is lost in ${plural}`, limitMs);
    }
  });
}
