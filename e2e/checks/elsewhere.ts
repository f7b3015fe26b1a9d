/** A second cluster of the same name in another namespace: one member, little memory, and little patience with it. */
import { waitFor } from '../../test/support/wait.ts';
import { must, type Check } from './check.ts';
import * as database from './database.ts';
import { exec, find, kubectl, withManifest, type KubeObject } from './kubectl.ts';

const namespace = 'elsewhere';
const member = 'demo-node-0';
const readyWithinMs = 5 * 60_000;
const index = { method: 'PUT', path: '/kept/doc/1?refresh=true', body: { n: 1 } } as const;

const manifest = {
  apiVersion: 'navigator.jetstack.io/v1alpha1',
  kind: 'ElasticsearchCluster',
  metadata: { name: 'demo', namespace },
  spec: {
    version: '5.6.16',
    nodePools: [
      {
        name: 'node',
        replicas: 1,
        roles: ['master', 'data', 'ingest'],
        resources: { limits: { memory: '640Mi' } },
        persistence: { size: '1Gi' },
        podTemplate: { spec: { terminationGracePeriodSeconds: 40 } },
      },
    ],
  },
};

async function pod(): Promise<KubeObject> {
  return await waitFor(() => find('pod', member, namespace), member);
}

/** Its one document is there, asked of whichever pod and process there is now. */
async function isKept(): Promise<void> {
  const kept = async (): Promise<boolean> => {
    const { body } = await database.ask(await pod(), { path: '/kept/doc/1' });
    return body.found === true;
  };
  await waitFor(kept, 'the document to be read', readyWithinMs);
}

/** How often the kernel has killed something in the container for its memory: cgroup v1, or v2. */
async function kernelKills(): Promise<number> {
  const files = '/sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events';
  const text = await exec(member, `cat ${files} 2>/dev/null | grep '^oom_kill ' | cut -d' ' -f2 | head -1`, namespace);
  return Number(text);
}

async function processOf(): Promise<string | undefined> {
  return (await database.livesOf('demo', namespace))[0]?.process;
}

export const elsewhere: readonly Check[] = [
  {
    name: 'two clusters of one name in two namespaces do not see each other',
    run: async () => {
      await kubectl('create', 'namespace', namespace);
      await withManifest(manifest, 'apply');
      await kubectl('-n', namespace, 'wait', '--for=condition=Ready', 'esc/demo', '--timeout=10m');
      const here = await find('elasticsearchcluster', 'demo');
      const there = await find('elasticsearchcluster', 'demo', namespace);
      must(here?.['status'].readyMembers === 3, `here: ${here?.['status'].readyMembers} members`);
      must(there?.['status'].readyMembers === 1, `there: ${there?.['status'].readyMembers} members`);
      const { nodes } = await database.health('demo', namespace);
      must(nodes === 1, `the database there has ${nodes} nodes`);
      return undefined;
    },
  },
  {
    name: 'a database that the kernel kills for its memory comes back with its documents',
    run: async () => {
      await database.ask(await pod(), index);
      const [before, kills] = [await processOf(), await kernelKills()];
      // The database is named as the one to go, and then the memory of the container is used up, once.
      const script = `for p in $(grep -l '^java$' /proc/[0-9]*/comm); do echo 1000 > \${p%comm}oom_score_adj; done
        head -c 450000000 /dev/zero | tail -c 450000000 > /dev/null || true`;
      await exec(member, script, namespace).catch(() => undefined);
      await waitFor(async () => (await kernelKills()) > kills || (await processOf()) !== before, 'the kernel to kill');
      await isKept();
      const after = await pod();
      must((await processOf()) !== before, 'the database was not restarted');
      return `the container was restarted ${after['status'].containerStatuses[0].restartCount} times`;
    },
  },
  {
    name: 'a pod that is deleted and gets no permit is stopped in the end, and keeps its documents',
    run: async () => {
      const before = await pod();
      // The only master may not go: quorum_would_be_lost.
      await kubectl('-n', namespace, 'delete', 'pod', member, '--timeout=3m');
      await waitFor(async () => (await pod()).metadata.uid !== before.metadata.uid, 'another pod');
      await isKept();
      return undefined;
    },
  },
  {
    name: 'a cluster goes from its namespace, and the other one stays',
    run: async () => {
      await kubectl('-n', namespace, 'delete', 'esc/demo', '--timeout=5m');
      await kubectl('delete', 'namespace', namespace, '--timeout=5m');
      const here = await find('elasticsearchcluster', 'demo');
      must(here?.['status'].readyMembers === 3, `here: ${here?.['status'].readyMembers} members`);
      return undefined;
    },
  },
];
