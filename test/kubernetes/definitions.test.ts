/** What `kubectl` makes of the definitions: names, columns, subresources, scale. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { writeFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer } from '../support/kubernetes/call.ts';
import { hasKubectl } from '../support/kubernetes/binaries.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { goodCouchbase } from '../unit/couchbase.table.ts';
import { goodManifest, type Tree } from '../unit/manifest.table.ts';

const kubernetes = useKubernetes();
const group = '/apis/navigator.jetstack.io/v1alpha1';

async function create(plural: string, manifest: Tree): Promise<string> {
  const namespace = await kubernetes().namespace();
  const folder = `${group}/namespaces/${namespace}/${plural}`;
  const { status, body } = await kubernetes().call('POST', `${folder}?fieldValidation=Strict`, manifest);
  if (status !== 201) throw new Error(JSON.stringify(body));
  return `${folder}/${String(manifest.metadata.name)}`;
}

function merge(path: string, patch: unknown): Promise<Answer> {
  return kubernetes().call('PATCH', path, patch, 'application/merge-patch+json');
}

function onePool(): Tree {
  const manifest = goodManifest();
  manifest.spec.nodePools.length = 1;
  return manifest;
}

const pilot: Tree = {
  apiVersion: 'navigator.jetstack.io/v1alpha1',
  kind: 'Pilot',
  metadata: { name: 'demo-node-0' },
  spec: { desired: { phase: 'Running' } },
};

describe('the definitions', () => {
  it('have the names and the subresources that people know', async () => {
    const { body } = await kubernetes().call('GET', group);
    type Resource = Record<'name' | 'kind', string> & Record<'shortNames' | 'categories', string[] | undefined>;
    const resources = (body.resources as Resource[]).map(({ name, kind, shortNames, categories }) => {
      return [name, kind, ...(shortNames ?? []), ...(categories ?? [])].join(' ');
    });
    expect(resources).to.have.members([
      'clusterledgers ClusterLedger',
      'couchbaseclusters CouchbaseCluster cbc all navigator',
      'couchbaseclusters/scale Scale',
      'couchbaseclusters/status CouchbaseCluster',
      'elasticsearchclusters ElasticsearchCluster esc all navigator',
      'elasticsearchclusters/scale Scale',
      'elasticsearchclusters/status ElasticsearchCluster',
      'pilots Pilot pi navigator',
      'pilots/status Pilot',
    ]);
  });

  for (const [plural, manifest] of [
    ['elasticsearchclusters', goodManifest()],
    ['couchbaseclusters', goodCouchbase()],
  ] as const) {
    it(`show of ${plural} what is asked for most`, async () => {
      const path = await create(plural, manifest);
      const status = {
        observedGeneration: 1,
        health: 'green',
        readyMembers: 4,
        desiredMembers: 5,
        leader: { member: 'demo-node-2', term: 7 },
        conditions: [{ type: 'Ready', status: 'True', reason: 'AllMembersReady', message: '' }],
        inProgress: [{ member: 'demo-node-1', action: 'restarting', hold: 'budget_is_spent', message: 'soon' }],
      };
      expect((await merge(`${path}/status`, { status })).status).to.equal(200);
      const table = await kubernetes().table(path);
      expect(table).to.deep.include({
        Version: manifest.spec.version,
        Health: 'green',
        Ready: 4,
        Desired: 5,
        Leader: 'demo-node-2',
        Doing: 'restarting',
      });
      expect(Object.keys(table)).to.deep.equal([
        'Name',
        'Version',
        'Health',
        'Ready',
        'Desired',
        'Leader',
        'Doing',
        'Age',
      ]);
    });

    it(`of ${plural} keep status and spec apart`, async () => {
      const path = await create(plural, manifest);
      await merge(path, { status: { health: 'green' } });
      expect((await kubernetes().call('GET', path)).body).to.not.have.property('status');
      const answer = await merge(`${path}/status`, { status: { health: 'green' }, spec: { paused: true } });
      expect([answer.body.spec.paused, answer.body.status.health]).to.deep.equal([false, 'green']);
    });

    it(`of ${plural} refuse a status that is none`, async () => {
      const path = await create(plural, manifest);
      expect((await merge(`${path}/status`, { status: { health: 'fine' } })).status).to.equal(422);
    });
  }

  it('scale a cluster of one pool, by spec.replicas', async () => {
    const path = await create('elasticsearchclusters', onePool());
    const scaled = await merge(`${path}/scale`, { spec: { replicas: 5 } });
    expect([scaled.status, scaled.body.spec.replicas]).to.deep.equal([200, 5]);
    expect((await kubernetes().call('GET', path)).body.spec).to.deep.include({ replicas: 5 });
    const none = await merge(`${path}/scale`, { spec: { replicas: 0 } });
    expect([none.status, none.body.message]).to.deep.equal([422, none.body.message]);
    expect(none.body.message).to.include('at least one member with the role master');
  });

  it('do not scale a cluster of several pools', async () => {
    const path = await create('elasticsearchclusters', goodManifest());
    const { status, body } = await merge(`${path}/scale`, { spec: { replicas: 5 } });
    expect(status).to.equal(422);
    expect(body.message).to.include('spec.replicas').and.include('is for clusters of one pool');
  });

  it('of a Pilot know three phases', async () => {
    const path = await create('pilots', pilot);
    for (const phase of ['Stopped', 'Decommissioned', 'Running']) {
      expect((await merge(path, { spec: { desired: { phase } } })).status).to.equal(200);
    }
    const { status, body } = await merge(path, { spec: { desired: { phase: 'Paused' } } });
    expect(status).to.equal(422);
    expect(body.message).to.include('spec.desired.phase').and.include('"Running", "Stopped", "Decommissioned"');
    const folder = path.slice(0, path.lastIndexOf('/'));
    const missing = await kubernetes().call('POST', folder, { ...pilot, metadata: { name: 'none' }, spec: {} });
    expect(missing.body.message).to.include('spec.desired: Required value');
  });

  it('show of a Pilot what it does', async () => {
    const path = await create('pilots', pilot);
    const conditions = [{ type: 'Ready', status: 'False', reason: 'Starting', message: '' }];
    const status = { phase: 'Starting', version: '5.6.16', permit: { verb: 'restart' }, conditions, shards: 3 };
    expect((await merge(`${path}/status`, { status })).status).to.equal(200);
    expect(await kubernetes().table(path)).to.deep.include({
      Phase: 'Starting',
      Desired: 'Running',
      Version: '5.6.16',
      Ready: 'False',
      Permit: 'restart',
    });
  });

  it('are understood by kubectl', async function () {
    if (!hasKubectl()) this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'navigator-kubectl-'));
    try {
      const config = join(folder, 'config');
      writeFileSync(config, kubernetes().api.config().exportConfig(), { mode: 0o600 });
      const namespace = await kubernetes().namespace();
      const kubectl = (...args: string[]): string =>
        execFileSync('kubectl', ['--kubeconfig', config, '-n', namespace, ...args], { encoding: 'utf8' });
      writeFileSync(join(folder, 'demo.json'), JSON.stringify(onePool()));
      expect(kubectl('apply', '-f', join(folder, 'demo.json'))).to.include('demo created');
      expect(kubectl('scale', 'esc/demo', '--replicas=4')).to.include('demo scaled');
      expect(kubectl('get', 'esc', 'demo', '-o', 'jsonpath={.spec.replicas}')).to.equal('4');
      expect(kubectl('explain', 'esc.spec.minimumMasters')).to.include('absent: the quorum');
      kubectl('patch', 'esc/demo', '--subresource=status', '--type=merge', '-p', readyPatch);
      expect(kubectl('wait', '--for=condition=Ready', 'esc/demo', '--timeout=10s')).to.include('condition met');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const readyPatch = JSON.stringify({ status: { conditions: [{ type: 'Ready', status: 'True' }] } });
