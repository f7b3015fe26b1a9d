/** The objects of a cluster, made of what a person wants: no server is needed. */
import { expect } from 'chai';
import { templateOf } from '../../../server/model/template.ts';
import { statefulSet, surroundings } from '../../../server/runtime/kubernetes/desired.ts';
import { imageText } from '../../../server/runtime/kubernetes/pod.ts';
import { bytesOf, sizeText } from '../../../server/runtime/kubernetes/sizes.ts';
import type { ClusterSpec, NodePool } from '../../../server/model/cluster.ts';
import { clusterSpec, pool } from '../../support/model.ts';

const owner = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'ElasticsearchCluster', name: 'demo', uid: 'uid' };
const options = {
  owner,
  replicas: 3,
  template: 't',
  pilotImage: 'pilot:1',
  server: 'navigator:8443',
  logLevel: 'info',
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test looks at whatever was made
function podOf(cluster: ClusterSpec, of: NodePool, more: object = {}): any {
  const { spec } = statefulSet(cluster, of, { ...options, ...more }).object as unknown as {
    spec: { template: unknown };
  };
  return spec.template;
}

describe('the pod of a member', () => {
  const plain = pool('node', 3);

  it('has its pilot at PID 1 in the image of the version, with no rights and its own token', () => {
    const { metadata, spec } = podOf(clusterSpec([plain]), plain);
    const [database] = spec.containers;
    expect(database.image).to.equal('docker.elastic.co/elasticsearch/elasticsearch:6.8.23');
    expect(database.command[0]).to.equal('/navigator/node');
    expect(database.args).to.include.members([
      '--member=$(POD_NAME)',
      '--version=6.8.23',
      '--template=t',
      '--owner=uid',
      '--pod=$(POD_UID)',
    ]);
    expect(database.env).to.deep.include({
      name: 'POD_UID',
      valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } },
    });
    expect(database.args).to.include('--address=$(POD_NAME).demo-node.default.svc');
    expect(spec).to.include({ serviceAccountName: 'demo', automountServiceAccountToken: false });
    expect(spec.securityContext).to.include({ runAsUser: 1000, runAsNonRoot: true, fsGroup: 1000 });
    expect(metadata.annotations).to.deep.equal({
      'navigator.jetstack.io/version': '6.8.23',
      'navigator.jetstack.io/template': 't',
    });
  });

  it('gives the pilot a little less than the grace of its pod, whoever has set that', () => {
    const graceOf = (of: NodePool): unknown[] => {
      const { spec } = podOf(clusterSpec([of]), of);
      return [
        spec.terminationGracePeriodSeconds,
        spec.containers[0].args.find((one: string) => one.startsWith('--grace')),
      ];
    };
    expect(graceOf(plain)).to.deep.equal([3_600, '--grace=3585']);
    const short = { ...plain, pod: { podTemplate: { spec: { terminationGracePeriodSeconds: 60 } } } };
    expect(graceOf(short)).to.deep.equal([60, '--grace=45']);
  });

  it('keeps what a person adds, and nothing that would take the pilot away', () => {
    const podTemplate = {
      metadata: { labels: { team: 'x', 'navigator.jetstack.io/cluster': 'other' } },
      spec: {
        containers: [
          { name: 'logs', image: 'logs' },
          { name: 'elasticsearch', command: ['sh'] },
        ],
        priorityClassName: 'high',
      },
    };
    const { metadata, spec } = podOf(clusterSpec([plain]), { ...plain, pod: { podTemplate } });
    expect(metadata.labels).to.include({ team: 'x', 'navigator.jetstack.io/cluster': 'demo' });
    expect(spec.priorityClassName).to.equal('high');
    expect(spec.containers.map(({ name }: { name: string }) => name)).to.deep.equal(['elasticsearch', 'logs']);
    expect(spec.containers[0].command[0]).to.equal('/navigator/node');
  });

  it('is the same each time', () => {
    expect(podOf(clusterSpec([plain]), plain)).to.deep.equal(podOf(clusterSpec([plain]), plain));
  });
});

describe('what stands for a pod', () => {
  const plain = pool('node', 3);
  const of = (change: Partial<NodePool>, cluster: Partial<ClusterSpec> = {}): string =>
    templateOf(clusterSpec([plain], cluster), { ...plain, ...change });

  it('is another one where a person has said something else of it', () => {
    const all = [
      of({}),
      of({ pod: { nodeSelector: { disk: 'ssd' } } }),
      of({ pod: { resources: { limits: { memory: '2Gi' } } } }),
      of({}, { pod: { image: { tag: 'mine' } } }),
      of({}, { pod: { pilotImage: { tag: 'mine' } } }),
      of({}, { runAsUser: 2_000 }),
    ];
    expect(new Set(all).size).to.equal(all.length);
  });

  it('is the same for another version, number of members, or settings: these have ways of their own', () => {
    expect(of({ replicas: 9, heapBytes: 1, config: { a: 1 } }, { version: '7.0.0', config: { b: 2 } })).to.equal(
      of({}),
    );
  });
});

describe('the objects around members', () => {
  const cluster = clusterSpec([pool('master', 3), pool('data', 2)]);
  const names = (mayGo: string[]): string[] =>
    surroundings(cluster, owner, new Set(mayGo)).map(({ kind, object }) => `${kind.kind} ${object.metadata.name}`);

  it('are an account and a Service of the cluster, and of each pool a headless one and a budget', () => {
    expect(names([])).to.deep.equal([
      'ServiceAccount demo',
      'Service demo',
      'Service demo-master',
      'PodDisruptionBudget demo-master',
      'Service demo-data',
      'PodDisruptionBudget demo-data',
    ]);
  });

  it('belong to the cluster, so that they go with it', () => {
    for (const { object } of surroundings(cluster, owner, new Set())) {
      expect(object.metadata.ownerReferences).to.deep.equal([
        { ...owner, controller: true, blockOwnerDeletion: false },
      ]);
      expect(object.metadata.labels).to.include({ 'navigator.jetstack.io/cluster': 'demo' });
    }
  });

  it('let only members of those pools be evicted that may lose one', () => {
    const open = surroundings(cluster, owner, new Set(['data']))
      .filter(({ kind }) => kind.kind === 'PodDisruptionBudget')
      .map(({ object }) => object.spec?.['maxUnavailable']);
    expect(open).to.deep.equal([0, 1]);
  });
});

describe('words of Kubernetes', () => {
  it('an image is what was named, and the default for the rest', () => {
    expect(imageText(undefined, 'a/b:1')).to.equal('a/b:1');
    expect(imageText({ tag: '2' }, 'a:5000/b:1')).to.equal('a:5000/b:2');
    expect(imageText({ repository: 'c' }, 'a/b:1')).to.equal('c:1');
  });
  it('a size is read as it is written', () => {
    for (const bytes of [0, 1, 1_023, 1_024, 10 * 2 ** 30, 3 * 2 ** 40, 1_000_000])
      expect(bytesOf(sizeText(bytes))).to.equal(bytes);
    expect(bytesOf('2G')).to.equal(2e9);
    expect(bytesOf('much')).to.equal(undefined);
  });
});
