/** What Navigator keeps up of a cluster on a real Kubernetes API, and what it lets be. */
import { expect } from 'chai';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { conditionOf, small, Stage, type Thing } from '../support/kubernetes/stage.ts';
import { waitFor } from '../support/wait.ts';

const limitMs = 60_000;

describe('upkeep on Kubernetes', () => {
  const kubernetes = useKubernetes();
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.open(kubernetes())));
  afterEach(() => stage.close());

  const core = (plural: string, name = ''): string =>
    `/api/v1/namespaces/${stage.namespace}/${plural}${name && `/${name}`}`;
  const set = (): string => `/apis/apps/v1/namespaces/${stage.namespace}/statefulsets/demo-node`;
  const budget = (): string => `/apis/policy/v1/namespaces/${stage.namespace}/poddisruptionbudgets/demo-node`;
  const cluster = (): string => stage.path('elasticsearchclusters', 'demo');

  async function ready(replicas: number, more: object = {}, poolMore: object = {}): Promise<void> {
    await stage.active();
    await stage.apply('demo', small(replicas, more, poolMore));
    await stage.ready('demo');
  }

  it('repairs what is changed of its own, and leaves what others have added', async () => {
    await ready(1);
    await stage.found(core('services', 'demo'));
    await stage.merge(core('services', 'demo'), {
      metadata: { labels: { team: 'search' }, annotations: { note: 'mine' } },
      spec: { selector: { 'navigator.jetstack.io/cluster': 'other' } },
    });
    await stage.merge(set(), {
      metadata: { annotations: { note: 'mine' } },
      spec: { updateStrategy: { type: 'RollingUpdate' }, replicas: 3 },
    });
    const service = await waitFor(async () => {
      const found = await stage.get(core('services', 'demo'));
      return found.spec.selector['navigator.jetstack.io/cluster'] === 'demo' ? found : undefined;
    }, 'the Service to be repaired');
    expect(service.metadata.labels.team).to.equal('search');
    expect(service.metadata.annotations.note).to.equal('mine');
    const repaired = await waitFor(async () => {
      const found = await stage.get(set());
      return found.spec.updateStrategy.type === 'OnDelete' && found.spec.replicas === 1 ? found : undefined;
    }, 'the StatefulSet to be repaired');
    expect(repaired.metadata.annotations.note).to.equal('mine');
    await stage.must('DELETE', core('services', 'demo-node'));
    await stage.found(core('services', 'demo-node'));
  });

  it('makes a Pilot again that somebody has deleted, with its status', async () => {
    await ready(1);
    const path = stage.path('pilots', 'demo-node-0');
    const before = await stage.found(path);
    await stage.must('DELETE', path);
    const after = await waitFor(async () => {
      const found = await stage.get(path);
      return found?.status?.phase === 'Running' && found.metadata.uid !== before.metadata.uid ? found : undefined;
    }, 'the Pilot to come back');
    expect(after.spec.desired.phase).to.equal('Running');
  });

  it('lets a member be evicted only while one may go', async () => {
    await ready(3);
    const openness = async (): Promise<number> => (await stage.get(budget())).spec.maxUnavailable;
    await waitFor(async () => (await openness()) === 1, 'the budget to be open', limitMs);
    const pilot = stage.pilots.get(`${stage.namespace}/demo-node-1`)!.pilot;
    pilot.freeze();
    pilot.kill();
    await waitFor(async () => (await openness()) === 0, 'the budget to be closed', limitMs);
    await stage.deletePod('demo-node-1');
    await stage.ready('demo');
    await waitFor(async () => (await openness()) === 1, 'the budget to be open again', limitMs);
    await stage.merge(cluster(), { spec: { paused: true } });
    await waitFor(async () => (await openness()) === 0, 'the budget to be closed by the pause', limitMs);
  });

  it('never lets the only voter be evicted', async () => {
    await ready(1);
    expect((await stage.found(budget())).spec.maxUnavailable).to.equal(0);
  });

  it('does nothing about an object that it refuses, and says why', async () => {
    await ready(3);
    // The definition cannot see this: dots and nesting, mixed.
    const config = { 'discovery.zen': { minimum_master_nodes: 1 } };
    await stage.apply('demo', small(2, { config }));
    const refused = await stage.until(
      'demo',
      (object) => conditionOf(object, 'Ready')?.reason === 'InvalidSpec',
      'the refusal',
    );
    expect(conditionOf(refused, 'Degraded')).to.include({ status: 'True', reason: 'InvalidSpec' });
    expect(conditionOf(refused, 'Ready').message).to.include('belongs to Navigator');
    expect((await stage.get(set())).spec.replicas).to.equal(3);
    const { items } = await stage.must('GET', core('events'));
    expect(items.map(({ reason }: Thing) => reason)).to.include('InvalidSpec');
    await stage.apply('demo', small(3));
    await stage.ready('demo');
  });

  it('lets a version that it refuses be taken back, as no member has ever run it', async () => {
    await ready(1);
    await stage.merge(cluster(), { spec: { version: '7.17.29' } });
    const refused = await stage.until(
      'demo',
      (object) => conditionOf(object, 'Ready')?.reason === 'InvalidSpec',
      'the refusal',
    );
    expect(conditionOf(refused, 'Ready').message).to.include('spec.version this Navigator runs Elasticsearch');
    expect(refused.status).to.include({ version: '6.8.23', acceptedVersion: '6.8.23' });
    const lower = await stage.call('PATCH', cluster(), { spec: { version: '6.8.22' } }, 'application/merge-patch+json');
    expect([lower.status, lower.body.message]).to.deep.equal([422, lower.body.message]);
    expect(lower.body.message).to.include('spec.version').and.include('is a downgrade from 6.8.23');
    await stage.merge(cluster(), { spec: { version: '6.8.23' } });
    await stage.ready('demo');
  });

  it('lets any other version follow one that it has refused from the beginning', async () => {
    await stage.active();
    await stage.apply('demo', small(1, { version: '7.17.29' }));
    const refused = await stage.until(
      'demo',
      (object) => conditionOf(object, 'Ready')?.reason === 'InvalidSpec',
      'the refusal',
    );
    expect(refused.status).to.not.have.property('acceptedVersion');
    await stage.merge(cluster(), { spec: { version: '6.8.23' } });
    await stage.ready('demo');
  });

  it('keeps a protected cluster that is deleted, until the protection is taken away', async () => {
    await stage.active();
    const annotations = { 'navigator.jetstack.io/deletion-protection': 'true' };
    await stage.apply('demo', small(1), { annotations });
    await stage.ready('demo');
    await stage.must('DELETE', cluster());
    const held = await stage.until(
      'demo',
      (object) => conditionOf(object, 'Degraded')?.reason === 'DeletionProtected',
      'the hold',
    );
    expect(held.status.readyMembers).to.equal(1);
    expect((await stage.get(set())).spec.replicas).to.equal(1);
    await stage.merge(cluster(), { metadata: { annotations: { 'navigator.jetstack.io/deletion-protection': null } } });
    await waitFor(async () => (await stage.get(cluster())) === undefined, 'its end', limitMs);
  });

  it('leaves an object alone that has the name of one of its own, and says so', async () => {
    await stage.active();
    const foreign = { metadata: { name: 'demo', labels: { app: 'other' } }, spec: { ports: [{ port: 80 }] } };
    await stage.must('POST', core('services'), foreign);
    await stage.apply('demo', small(1));
    const told = await stage.until(
      'demo',
      (object) => conditionOf(object, 'Degraded')?.reason === 'ObjectsNotAsWanted',
      'the condition',
    );
    expect(conditionOf(told, 'Degraded').message).to.include('left alone');
    expect((await stage.get(core('services', 'demo'))).spec.ports[0].port).to.equal(80);
    await stage.must('DELETE', core('services', 'demo'));
    await stage.until('demo', (object) => conditionOf(object, 'Degraded')?.status === 'False', 'the condition to end');
  });

  it('grows volumes in place, and makes the StatefulSet anew around its pods', async () => {
    const storageClass = { metadata: { name: 'growing' }, provisioner: 'example.com/none', allowVolumeExpansion: true };
    await stage.call('POST', '/apis/storage.k8s.io/v1/storageclasses', storageClass);
    await ready(2, {}, { persistence: { size: '1Gi', storageClass: 'growing' } });
    const pods = async (): Promise<unknown> =>
      (await stage.must('GET', core('pods'))).items.map(({ metadata }: Thing) => metadata.uid);
    const before = await pods();
    const { uid } = (await stage.get(set())).metadata;
    await stage.apply('demo', small(2, {}, { persistence: { size: '2Gi', storageClass: 'growing' } }));
    const anew = await waitFor(
      async () => {
        const found = await stage.get(set());
        return found !== undefined && found.metadata.uid !== uid ? found : undefined;
      },
      'the StatefulSet to be made anew',
      limitMs,
    );
    expect(anew.spec.volumeClaimTemplates[0].spec.resources.requests.storage).to.equal('2Gi');
    expect(anew.spec.replicas).to.equal(2);
    await waitFor(async () => {
      const claims = (await stage.must('GET', core('persistentvolumeclaims'))).items as Thing[];
      return claims.length === 2 && claims.every(({ spec }) => spec.resources.requests.storage === '2Gi');
    }, 'the claims to have grown');
    expect(await pods()).to.deep.equal(before);
  });

  it('keeps two namespaces apart, though everything in them is called alike', async () => {
    await stage.active();
    const other = await kubernetes().namespace();
    stage.played.add(other);
    await stage.apply('demo', small(1));
    await stage.apply('demo', small(2), { namespace: other });
    await stage.ready('demo');
    await stage.ready('demo', other);
    expect((await stage.get(set())).spec.replicas).to.equal(1);
    const { text } = await stage.get(stage.path('clusterledgers', 'demo', other));
    expect(Object.keys(JSON.parse(text).members)).to.deep.equal(['demo-node-0', 'demo-node-1']);
    await stage.must('DELETE', stage.path('elasticsearchclusters', 'demo', other));
    await waitFor(
      async () => (await stage.get(stage.path('elasticsearchclusters', 'demo', other))) === undefined,
      'its end',
    );
    expect((await stage.must('GET', core('pods'))).items).to.have.length(1);
  });

  it('neither writes nor lists anything in a steady state', async () => {
    await ready(3);
    // A machine that stands still for a moment lets the lease of the pilots' leader run out, which is no steady state: then
    // the next window counts. What writes or lists in every pass leaves none.
    await waitFor(
      async () => {
        const before = await requestCounts(stage);
        const after = await waitFor(async () => {
          const now = await requestCounts(stage);
          return now.renewals > before.renewals + 10 ? now : undefined;
        }, 'ten renewals of the lease');
        return after.others === before.others;
      },
      'a time in which nothing but the lease is written, and nothing listed',
      90_000,
    );
  });
});

interface Counts {
  /** Of the servers' lease. */
  readonly renewals: number;
  /** Every other write, and every list over all namespaces. */
  readonly others: number;
}

/** What the API server has been asked so far, by its own metrics. */
async function requestCounts(stage: Stage): Promise<Counts> {
  const { message } = (await stage.call('GET', '/metrics')).body as { readonly message: string };
  let [renewals, others] = [0, 0];
  for (const line of message.split('\n')) {
    const [, labels = '', count = '0'] = /^apiserver_request_total\{(.*)\} (\S+)$/.exec(line) ?? [];
    const of = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    const isWrite = ['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE'].includes(of('verb'));
    if (of('resource') === 'leases' && isWrite) renewals += Number(count);
    else if (isWrite || (of('verb') === 'LIST' && of('scope') === 'cluster')) others += Number(count);
  }
  return { renewals, others };
}
