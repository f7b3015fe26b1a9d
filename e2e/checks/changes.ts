/** What people change of a cluster that runs: pools, volumes, a pause, a version that cannot be. The cluster `demo` is there. */
import { waitFor } from '../../test/support/wait.ts';
import { must, type Check } from './check.ts';
import * as database from './database.ts';
import { find, kubectl, type KubeObject } from './kubectl.ts';
import { countOf, fillWithoutReplicas } from './load.ts';
import { isWhole } from './quick-start.ts';

const minuteMs = 60_000;
const documents = 300;
const index = 'drained';
const extra = { name: 'extra', replicas: 1, roles: ['data'], persistence: { size: '1Gi' } };

interface Pool {
  readonly name: string;
  readonly replicas: number;
  readonly persistence?: { readonly size: string };
}

async function demo(): Promise<KubeObject> {
  const found = await find('elasticsearchcluster', 'demo');
  if (found === undefined) throw new Error('there is no cluster demo');
  return found;
}

async function poolsOfDemo(): Promise<readonly Pool[]> {
  return (await demo())['spec'].nodePools as readonly Pool[];
}

/** Changes the spec as `kubectl patch` does, and resolves once the server has taken that up. */
async function change(spec: object): Promise<void> {
  await kubectl('patch', 'esc/demo', '--type', 'merge', '-p', JSON.stringify({ spec }));
  await waitFor(isSeen, 'the server to see the change', minuteMs);
}

async function isSeen(): Promise<boolean> {
  const { metadata, status } = (await demo()) as KubeObject & { metadata: { generation?: number } };
  return metadata.generation === status.observedGeneration;
}

/** Whether a shard of the index is on a member, be it on its way to another one. */
async function isHolder(member: string): Promise<boolean> {
  const { body } = await database.askAny('demo', { path: `/_cat/shards/${index}?format=json` });
  return (body as readonly { node: string | null }[]).some(({ node }) => node?.split(' ')[0] === member);
}

async function replicasOf(set: string): Promise<number | undefined> {
  return (await find('statefulset', set))?.['spec'].replicas as number | undefined;
}

/** The server goes over the cluster again, as far as it does in a pause: what it keeps up even then comes back. */
async function goneOver(): Promise<void> {
  for (const [kind, name] of [
    ['poddisruptionbudget', 'demo-node'],
    ['pilot', 'demo-node-0'],
  ] as const) {
    const before = await find(kind, name);
    await kubectl('delete', kind, name, '--wait=false');
    const isAnother = async (): Promise<boolean> => {
      const uid = (await find(kind, name))?.metadata.uid;
      return uid !== undefined && uid !== before?.metadata.uid;
    };
    await waitFor(isAnother, `${kind} ${name} to come back`, minuteMs);
  }
}

async function poolIsRemoved(): Promise<string> {
  const pools = await poolsOfDemo();
  // What `kubectl scale` has set is for clusters of one pool.
  await change({ replicas: null, nodePools: [...pools, extra] });
  await isWhole('demo', 4);
  await fillWithoutReplicas('demo', index, documents);
  await waitFor(() => isHolder('demo-extra-0'), 'demo-extra-0 to hold a part of it', minuteMs);
  await change({ nodePools: pools });
  await waitFor(
    async () => {
      // It may go only when it holds nothing more: as long as it does, it is there and is no other pod.
      const pod = await find('pod', 'demo-extra-0');
      const isGoing = pod === undefined || pod.metadata.deletionTimestamp !== undefined;
      if (isGoing) must(!(await isHolder('demo-extra-0')), 'the member goes with shards still on it');
      return isGoing;
    },
    'the member to leave',
    10 * minuteMs,
  );
  await kubectl('wait', '--for=delete', 'pod/demo-extra-0', '--timeout=5m');
  await isWhole('demo', 3);
  const count = await countOf('demo', index);
  must(count === documents, `${count} of ${documents} documents are left`);
  const parts = ['statefulset', 'service', 'poddisruptionbudget'];
  const areGone = async (): Promise<boolean> => {
    const found = await Promise.all(parts.map((kind) => find(kind, 'demo-extra')));
    return found.every((object) => object === undefined);
  };
  await waitFor(areGone, 'what was made for the pool to go', minuteMs);
  must((await find('persistentvolumeclaim', 'data-demo-extra-0')) !== undefined, 'its volume is gone');
  await database.askAny('demo', { method: 'DELETE', path: `/${index}` });
  return `${count} of ${documents} documents`;
}

async function volumesGrow(): Promise<string> {
  const [lives, set] = [await database.livesOf('demo'), await find('statefulset', 'demo-node')];
  const claims = (): Promise<readonly (KubeObject | undefined)[]> =>
    Promise.all(lives.map(({ pod }) => find('persistentvolumeclaim', `data-${pod}`)));
  const before = (await claims()).map((claim) => claim?.metadata.uid);
  const [pool, ...more] = await poolsOfDemo();
  await change({ nodePools: [{ ...pool, persistence: { ...pool?.persistence, size: '2Gi' } }, ...more] });
  await waitFor(
    async () => {
      const sizes = (await claims()).map((claim) => [
        claim?.['spec'].resources.requests.storage,
        claim?.['status'].capacity.storage,
      ]);
      return sizes.flat().every((size) => size === '2Gi');
    },
    'every volume to have 2Gi',
    3 * minuteMs,
  );
  await waitFor(
    async () => {
      const now = await find('statefulset', 'demo-node');
      const template = now?.['spec'].volumeClaimTemplates[0].spec.resources.requests.storage as string | undefined;
      const hasAll = now?.['status'].readyReplicas === lives.length && now['spec'].replicas === lives.length;
      return now?.metadata.uid !== set?.metadata.uid && template === '2Gi' && hasAll;
    },
    'a StatefulSet of larger volumes that has all of the pods',
    3 * minuteMs,
  );
  await isWhole('demo', lives.length);
  const after = (await claims()).map((claim) => claim?.metadata.uid);
  must(JSON.stringify(after) === JSON.stringify(before), 'the volumes are others');
  return await database.noneRestarted(lives);
}

export const changes: readonly Check[] = [
  {
    name: 'a pool that is removed is drained first: an index without replicas keeps all of its documents',
    run: poolIsRemoved,
  },
  {
    name: 'volumes grow in place: the StatefulSet is made anew around its pods, and no database restarts',
    run: volumesGrow,
  },
  {
    name: 'while it is paused a change is not carried out, and afterwards it is',
    run: async () => {
      await isWhole('demo', 3);
      await change({ paused: true });
      await waitFor(async () => (await database.condition('demo', 'Paused')) === 'True', 'Paused to be True', minuteMs);
      await kubectl('scale', 'esc/demo', '--replicas=4');
      await waitFor(isSeen, 'the server to see the change', minuteMs);
      await goneOver();
      must((await replicasOf('demo-node')) === 3, 'the StatefulSet was changed in the pause');
      must((await database.podsOf('demo')).length === 3, 'a pod was made in the pause');
      await change({ paused: false });
      await isWhole('demo', 4);
      await kubectl('scale', 'esc/demo', '--replicas=3');
      await kubectl('wait', '--for=delete', 'pod/demo-node-3', '--timeout=10m');
      return await isWhole('demo', 3);
    },
  },
  {
    name: 'a version that cannot be run is refused, nothing restarts, and the way back is open',
    run: async () => {
      const before = await database.livesOf('demo');
      const { version } = (await demo())['spec'] as { version: string };
      // The definition knows it; the engines of this Navigator do not.
      const next = version.startsWith('5.') ? '6.9.0' : '7.17.29';
      await change({ version: next });
      const ready = async (): Promise<{ status: string; reason: string; message: string } | undefined> =>
        (await demo())['status'].conditions.find(({ type }: { type: string }) => type === 'Ready');
      const refused = await waitFor(
        async () => {
          const said = await ready();
          return said?.reason === 'InvalidSpec' && said;
        },
        'the refusal',
        minuteMs,
      );
      must(refused.status === 'False' && refused.message.includes('spec.version'), JSON.stringify(refused));
      await change({ version });
      await kubectl('wait', '--for=condition=Ready', 'esc/demo', '--timeout=2m');
      return await database.noneRestarted(before);
    },
  },
];
