/** The README's quick start, step by step, and after each step what a reader would expect to see. */
import { waitFor } from '../../test/support/wait.ts';
import { must, type Check } from './check.ts';
import * as database from './database.ts';
import { exec, find, kubectl, list } from './kubectl.ts';
import { countOf, fillWithoutReplicas, Load } from './load.ts';
import { readSteps, runStep } from './readme.ts';
import { explained } from './trouble.ts';

const minuteMs = 60_000;
const documents = 300;
const steps = readSteps();

/** Green, with so many members, in Kubernetes' eyes and in the database's own. */
async function isWhole(cluster: string, members: number): Promise<string> {
  return await waitFor(
    async () => {
      const [{ status, nodes }, ready] = [await database.health(cluster), await database.condition(cluster, 'Ready')];
      const pods = await database.podsOf(cluster);
      const whole = status === 'green' && nodes === members && ready === 'True' && pods.length === members;
      return whole && `${nodes} nodes, ${status}`;
    },
    `${cluster} to be green with ${members} members`,
    10 * minuteMs,
  );
}

async function members(cluster: string): Promise<readonly string[]> {
  return (await database.podsOf(cluster)).map(({ metadata }) => metadata.name);
}

const install: readonly Check[] = [
  {
    name: 'kubectl apply -k deploy/ installs Navigator: two servers are Ready',
    isFoundation: true,
    run: async () => {
      await explained('navigator-system', () => runStep(steps, 'install'));
      const pods = await list('pods', 'navigator-system', 'app.kubernetes.io/name=navigator');
      must(pods.length === 2, `${pods.length} servers`);
      return pods.map(({ metadata }) => metadata.name).join(', ');
    },
  },
  {
    name: 'one server is active, and the Service leads to it alone',
    run: async () =>
      await waitFor(async () => {
        const active = await list('pods', 'navigator-system', 'navigator.jetstack.io/active=true');
        const endpoints = await find('endpoints', 'navigator', 'navigator-system');
        const subsets = (endpoints?.['subsets'] ?? []) as readonly { addresses?: readonly { ip: string }[] }[];
        const [first, ...more] = subsets.flatMap(({ addresses = [] }) => addresses);
        const leads = active.length === 1 && more.length === 0 && first?.ip === active[0]?.['status'].podIP;
        return leads && active[0]?.metadata.name;
      }, 'one active server behind the Service'),
  },
];

const create: readonly Check[] = [
  {
    name: 'the example becomes a cluster of three nodes, green',
    isFoundation: true,
    run: async () => {
      await explained('default', () => runStep(steps, 'create'));
      return await isWhole('demo', 3);
    },
  },
  {
    name: 'PID 1 of a database container is the pilot',
    run: async () => {
      const text = await exec('demo-node-0', "tr '\\0' ' ' < /proc/1/cmdline");
      must(text.startsWith('/navigator/node ') && text.includes('/navigator/pilot.mjs'), text);
      return text.slice(0, 60);
    },
  },
  {
    name: 'the pilot at PID 1 reaps the orphans that kubectl exec leaves',
    run: async () => {
      const orphans = 'for i in $(seq 40); do (sh -c "sleep 2 & exit 0" &); done; sleep 1';
      const those = async (pattern: string, first = 'true'): Promise<number> =>
        Number(await exec('demo-node-0', `${first}; cat /proc/[0-9]*/stat 2>/dev/null | grep -c '${pattern}' || true`));
      const adopted = await those('^[0-9]* (sleep) . 1 ', orphans);
      must(adopted === 40, `${adopted} of 40 orphans fell to PID 1`);
      const left = async (): Promise<number> => (await those(') Z ')) + (await those('^[0-9]* (sleep) . 1 '));
      await waitFor(async () => (await left()) === 0, 'every orphan to be reaped', minuteMs);
      return `${adopted} orphans, no zombies`;
    },
  },
  {
    name: 'each member has a Pilot object that says what it runs',
    run: async () =>
      await waitFor(async () => {
        const pilots = await list('pilots');
        const versions = pilots.map((pilot) => pilot['status']?.version as string | undefined);
        return pilots.length === 3 && versions.every((version) => version === '5.6.16') && versions.join(', ');
      }, 'three Pilot objects'),
  },
  {
    name: 'the pods of databases have no token of the Kubernetes API',
    run: async () => {
      const there = await exec('demo-node-0', 'ls /var/run/secrets/kubernetes.io 2>/dev/null || true');
      must(there.trim() === '', there);
      return undefined;
    },
  },
];

const change: readonly Check[] = [
  {
    name: 'scaled to four and back to three, an index without replicas keeps all of its documents',
    run: async () => {
      await runStep(steps, 'grow');
      await isWhole('demo', 4);
      await fillWithoutReplicas('demo', 'precious', documents);
      await waitFor(async () => {
        const { body } = await database.askAny('demo', { path: '/_cat/shards/precious?format=json' });
        return (body as { node: string }[]).some(({ node }) => node === 'demo-node-3');
      }, 'demo-node-3 to hold a part of it');
      await runStep(steps, 'shrink');
      await isWhole('demo', 3);
      must(!(await members('demo')).includes('demo-node-3'), 'demo-node-3 is still there');
      const count = await countOf('demo', 'precious');
      must(count === documents, `${count} of ${documents} documents are left`);
      return `${count} of ${documents} documents`;
    },
  },
  {
    name: 'an eviction waits until the member may go, and loses nothing',
    run: async () => {
      await runStep(steps, 'evict');
      await isWhole('demo', 3);
      const count = await countOf('demo', 'precious');
      must(count === documents, `${count} of ${documents} documents are left`);
      return undefined;
    },
  },
  {
    name: 'an upgrade under load loses no write that was acknowledged',
    run: async () => {
      const load = new Load('demo', 'orders');
      load.start();
      try {
        await waitFor(() => load.acknowledged > 20, 'the first writes', minuteMs);
        await runStep(steps, 'upgrade');
        await isWhole('demo', 3);
      } catch (error) {
        await load.stop();
        throw error;
      }
      const { lost, written, failed } = await load.stop();
      must(
        lost.length === 0,
        `${lost.length} of ${written} acknowledged writes are lost: ${lost.slice(0, 10).join(' ')}`,
      );
      for (const pod of await database.podsOf('demo')) {
        const { body } = await database.ask(pod, { path: '/' });
        must(body.version.number === '6.8.23', `${pod.metadata.name} runs ${body.version.number}`);
      }
      const count = await countOf('demo', 'precious');
      must(count === documents, `${count} of ${documents} documents are left`);
      return `${written} acknowledged, ${failed} refused, 0 lost`;
    },
  },
];

const end: readonly Check[] = [
  {
    name: 'a deleted cluster goes with everything that was made for it, and keeps its volumes',
    run: async () => {
      await runStep(steps, 'delete');
      await waitFor(
        async () => {
          const kinds = 'pods,statefulsets,services,poddisruptionbudgets,pilots,serviceaccounts';
          const left = await kubectl('get', kinds, '-l', 'navigator.jetstack.io/cluster=demo', '-o', 'name');
          return left.trim() === '';
        },
        'nothing to be left',
        5 * minuteMs,
      );
      const claims = await list('persistentvolumeclaims', 'default', 'navigator.jetstack.io/cluster=demo');
      must(claims.length >= 3, `${claims.length} volumes are left`);
      return `${claims.length} volumes are kept`;
    },
  },
];

export const quickStart = { install, create, change, end };
export { isWhole };
