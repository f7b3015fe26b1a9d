/** A server on a real Kubernetes API: from the object of a cluster to members, and back to its status. */
import { expect } from 'chai';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { conditionOf, small, Stage, type Thing } from '../support/kubernetes/stage.ts';
import { waitFor } from '../support/wait.ts';

describe('a cluster on Kubernetes', () => {
  const kubernetes = useKubernetes();
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.open(kubernetes())));
  afterEach(() => stage.close());

  it('gets its objects, members and Pilots, becomes ready, and is deleted when all of that has gone', async () => {
    await stage.active();
    await stage.apply('demo', small(3));
    const object = await stage.ready('demo');
    expect(object.status).to.deep.include({ health: 'green', readyMembers: 3, desiredMembers: 3, replicas: 3 });
    expect(object.status.leader.term).to.be.greaterThan(0);
    expect(conditionOf(object, 'Paused')).to.include({ status: 'False', reason: 'NotPaused' });

    const { namespace } = stage;
    const set = await stage.get(`/apis/apps/v1/namespaces/${namespace}/statefulsets/demo-node`);
    expect(set.spec).to.deep.include({ replicas: 3, podManagementPolicy: 'Parallel' });
    expect(set.spec.updateStrategy.type).to.equal('OnDelete');
    const headless = await stage.found(`/api/v1/namespaces/${namespace}/services/demo-node`);
    expect(headless.spec).to.deep.include({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect((await stage.found(`/api/v1/namespaces/${namespace}/services/demo`)).spec.ports[0].port).to.equal(9200);
    expect(await stage.found(`/api/v1/namespaces/${namespace}/serviceaccounts/demo`)).to.not.equal(undefined);
    for (const name of ['demo-node-0', 'demo-node-1', 'demo-node-2']) {
      const pilot = await waitFor(async () => {
        const found: Thing = await stage.get(stage.path('pilots', name));
        return found?.status?.phase === 'Running' ? found : undefined;
      }, `the Pilot ${name}`);
      expect(pilot.spec.desired.phase).to.equal('Running');
      const pod = await stage.get(`/api/v1/namespaces/${namespace}/pods/${name}`);
      expect(pilot.metadata.ownerReferences[0].uid).to.equal(pod.metadata.uid);
    }

    await stage.must('DELETE', stage.path('elasticsearchclusters', 'demo'));
    await waitFor(async () => (await stage.get(stage.path('elasticsearchclusters', 'demo'))) === undefined, 'its end');
    expect((await stage.must('GET', `/api/v1/namespaces/${namespace}/pods`)).items).to.deep.equal([]);
    expect((await stage.must('GET', stage.path('clusterledgers'))).items).to.deep.equal([]);
  });
});

describe('changes on Kubernetes', () => {
  const kubernetes = useKubernetes();
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.open(kubernetes())));
  afterEach(() => stage.close());

  const uids = async (): Promise<Record<string, string>> => {
    const { items } = await stage.must('GET', `/api/v1/namespaces/${stage.namespace}/pods`);
    return Object.fromEntries(items.map(({ metadata }: Thing) => [metadata.name, metadata.uid]));
  };

  it('replaces pods one by one where a person changes what they are made of, and by permit', async () => {
    await stage.active();
    await stage.apply('demo', small(3));
    await stage.ready('demo');
    const before = await uids();
    await stage.apply('demo', small(3, {}, { nodeSelector: { disk: 'ssd' } }));
    await stage.ready('demo');
    const after = await uids();
    expect(Object.keys(after)).to.deep.equal(Object.keys(before));
    for (const name of Object.keys(before)) expect(after[name], name).to.not.equal(before[name]);
    const ledger = JSON.parse((await stage.get(stage.path('clusterledgers', 'demo'))).text);
    const used = ledger.permits.filter(({ verb, state }: Thing) => verb === 'upgrade' && state === 'completed');
    expect(used).to.have.length(3);
    const pod = await stage.get(`/api/v1/namespaces/${stage.namespace}/pods/demo-node-0`);
    expect(pod.spec.nodeSelector).to.deep.equal({ disk: 'ssd' });
  });

  it('takes members away from the top when they have left, and keeps or deletes their volumes as was said', async () => {
    await stage.active();
    const persistence = { size: '1Gi', onScaleDown: 'Delete' };
    await stage.apply('demo', small(4, {}, { persistence }));
    await stage.ready('demo');
    await stage.apply('demo', small(3, {}, { persistence }));
    await stage.ready('demo');
    const set = await stage.get(`/apis/apps/v1/namespaces/${stage.namespace}/statefulsets/demo-node`);
    expect(set.spec.replicas).to.equal(3);
    const claims = `/api/v1/namespaces/${stage.namespace}/persistentvolumeclaims`;
    const gone = await stage.get(`${claims}/data-demo-node-3`);
    // Kubernetes itself lets it go when its pod is gone.
    expect(gone?.metadata.deletionTimestamp ?? 'gone').to.be.a('string');
    expect((await stage.get(`${claims}/data-demo-node-2`)).metadata.deletionTimestamp).to.equal(undefined);
  });
});

describe('several servers on Kubernetes', () => {
  const kubernetes = useKubernetes();
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.open(kubernetes())));
  afterEach(() => stage.close());

  const activePods = async (): Promise<string[]> => {
    const { items } = await stage.must('GET', `/api/v1/namespaces/${stage.home}/pods`);
    const active = items.filter(({ metadata }: Thing) => metadata.labels?.['navigator.jetstack.io/active'] === 'true');
    return active.map(({ metadata }: Thing) => metadata.name as string);
  };

  it('one takes over in mid-drain, no database is restarted, and the drain comes to its end', async () => {
    const first = await stage.active();
    expect(await activePods()).to.deep.equal(['navigator-1']);
    await stage.apply('demo', small(4));
    await stage.ready('demo');
    const second = await stage.serve();
    expect(second.isActive()).to.equal(false);
    const lives = [...stage.pilots.values()].map(({ pilot }) => pilot.incarnation);
    await stage.apply('demo', small(3));
    await stage.until('demo', ({ status }) => status.inProgress.length > 0, 'the drain to begin');
    await stage.end(first);
    expect(await first.ended).to.equal('closed');
    await waitFor(() => second.isActive(), 'the second to be active');
    await waitFor(async () => (await activePods()).join() === 'navigator-2', 'the label to move');
    await stage.ready('demo');
    const after = [...stage.pilots.values()].map(({ pilot }) => pilot.incarnation);
    expect(after).to.deep.equal(lives.slice(0, 3));
    const pods = (await stage.must('GET', `/api/v1/namespaces/${stage.namespace}/pods`)).items;
    expect(pods).to.have.length(3);
  });

  it('one that loses its lease ends, and writes nothing more', async () => {
    const server = await stage.active();
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${stage.home}/leases/navigator-server`;
    await stage.merge(lease, { spec: { holderIdentity: 'somebody else' } });
    expect(await server.ended).to.equal('lease is lost');
    expect(server.isActive()).to.equal(false);
  });

  it('takes away what somebody has scaled by hand, and is deleted all the same', async () => {
    await stage.active();
    await stage.apply('demo', small(1));
    await stage.ready('demo');
    const set = `/apis/apps/v1/namespaces/${stage.namespace}/statefulsets/demo-node`;
    await stage.merge(stage.path('elasticsearchclusters', 'demo'), { spec: { paused: true } });
    await stage.until('demo', (object) => conditionOf(object, 'Paused')?.status === 'True', 'the pause');
    await stage.merge(set, { spec: { replicas: 3 } });
    await waitFor(
      async () => (await stage.get(`/api/v1/namespaces/${stage.namespace}/pods/demo-node-2`)) !== undefined,
      'the pod',
    );
    await stage.merge(stage.path('elasticsearchclusters', 'demo'), { spec: { paused: false } });
    await stage.must('DELETE', stage.path('elasticsearchclusters', 'demo'));
    await waitFor(async () => (await stage.get(stage.path('elasticsearchclusters', 'demo'))) === undefined, 'its end');
    expect((await stage.get(set))?.spec.replicas ?? 0).to.equal(0);
  });
});
