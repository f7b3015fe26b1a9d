/** What must not happen when something fails. The cluster `demo` is there, with three members. */
import { sleep, systemClock } from '../../shared/clock.ts';
import { waitFor } from '../../test/support/wait.ts';
import { must, type Check } from './check.ts';
import * as database from './database.ts';
import { exec, find, kubectl, list } from './kubectl.ts';
import { countOf } from './load.ts';
import { kill, notOurs, pidOf, without } from './machine.ts';
import { isWhole } from './quick-start.ts';

const clock = systemClock();
const minuteMs = 60_000;
const system = 'navigator-system';
const documents = 300;

async function activePod(): Promise<string> {
  return await waitFor(async () => {
    const pods = await list('pods', system, 'navigator.jetstack.io/active=true');
    return pods.length === 1 && pods[0]?.metadata.name;
  }, 'one active server');
}

/** The active server sees what is changed in the API: a pause, and its end. */
async function seesChanges(): Promise<void> {
  for (const paused of [true, false]) {
    const patch = JSON.stringify({ spec: { paused } });
    await kubectl('patch', 'esc/demo', '--type', 'merge', '-p', patch);
    const wanted = paused ? 'True' : 'False';
    await waitFor(async () => (await database.condition('demo', 'Paused')) === wanted, `Paused to be ${wanted}`);
  }
}

async function javaPid(pod: string): Promise<string> {
  return (await exec(pod, 'grep -l "^java$" /proc/[0-9]*/comm | head -1')).trim().split('/')[2] ?? '';
}

export const faults: readonly Check[] = [
  {
    name: 'a Pilot object that is deleted by hand comes back',
    run: async () => {
      const before = await find('pilot', 'demo-node-0');
      await kubectl('delete', 'pilot', 'demo-node-0', '--wait=false');
      return await waitFor(async () => {
        const after = await find('pilot', 'demo-node-0');
        return after !== undefined && after.metadata.uid !== before?.metadata.uid && 'another object, the same member';
      }, 'the Pilot object');
    },
  },
  {
    name: 'edits that cannot be are refused at once, with the field',
    run: async () => {
      const refused = async (patch: object, field: string): Promise<void> => {
        const text = await kubectl('patch', 'esc/demo', '--type', 'merge', '-p', JSON.stringify(patch)).then(
          () => 'it was let through',
          (error: unknown) => String(error),
        );
        must(text.includes(field) && /[Ii]nvalid/.test(text), `${JSON.stringify(patch)}: ${text.slice(0, 300)}`);
      };
      await refused({ spec: { version: '6.8.22' } }, 'spec.version');
      await refused({ spec: { version: '8.19.0' } }, 'spec.version');
      await refused({ spec: { nodePools: [] } }, 'spec.nodePools');
      await refused({ spec: { updateStrategy: { maxUnavailable: 0 } } }, 'spec.updateStrategy.maxUnavailable');
      return '4 refused';
    },
  },
  {
    name: 'the kubelet is killed: no database restarts',
    skip: notOurs,
    run: async () => {
      const before = await database.livesOf('demo');
      const old = pidOf('kubelet');
      kill('kubelet');
      await waitFor(() => pidOf('kubelet') !== old, 'another kubelet');
      await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=2m');
      await isWhole('demo', 3);
      return await database.noneRestarted(before);
    },
  },
  {
    name: 'the active server is killed: the other one takes over, and no database restarts',
    run: async () => {
      const before = await database.livesOf('demo');
      const active = await activePod();
      await kubectl('-n', system, 'delete', 'pod', active, '--grace-period=0', '--force', '--wait=false');
      await waitFor(async () => (await activePod()) !== active, 'another server to be active');
      await isWhole('demo', 3);
      return await database.noneRestarted(before);
    },
  },
  {
    name: 'the API server is away for two minutes: no database restarts, and changes go on afterwards',
    skip: notOurs,
    run: async () => {
      const before = await database.livesOf('demo');
      await without('kube-apiserver', () => sleep(clock, 2 * minuteMs));
      await waitFor(() => kubectl('get', '--raw', '/readyz'), 'the API server');
      await activePod();
      await isWhole('demo', 3);
      await seesChanges();
      return await database.noneRestarted(before);
    },
  },
  {
    name: 'etcd is compacted, and watches are lost: nothing restarts, and changes are seen',
    skip: notOurs,
    run: async () => {
      const before = await database.livesOf('demo');
      const etcd = async (path: string, body: object): Promise<{ header?: { revision: string } }> => {
        const answer = await fetch(`http://127.0.0.1:2379/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
        return (await answer.json()) as { header?: { revision: string } };
      };
      const { header } = await etcd('kv/range', { key: Buffer.from('/registry').toString('base64') });
      kill('kube-apiserver');
      await etcd('kv/compaction', { revision: header?.revision, physical: true });
      await waitFor(() => kubectl('get', '--raw', '/readyz'), 'the API server');
      await seesChanges();
      return await database.noneRestarted(before);
    },
  },
  {
    name: 'a database that is killed is started again by its pilot, in the same container',
    run: async () => {
      const [before] = (await database.livesOf('demo')).filter(({ pod }) => pod === 'demo-node-1');
      await exec('demo-node-1', `kill -9 ${await javaPid('demo-node-1')}`);
      await isWhole('demo', 3);
      const [after] = (await database.livesOf('demo')).filter(({ pod }) => pod === 'demo-node-1');
      must(after?.uid === before?.uid, 'the pod is another one');
      must(after?.containerRestarts === before?.containerRestarts, 'the container was restarted');
      must(after?.process !== before?.process, 'the database was not restarted');
      return undefined;
    },
  },
  {
    name: 'a pod that is deleted goes by permit, and its member comes back with its documents',
    run: async () => {
      const [before] = (await database.livesOf('demo')).filter(({ pod }) => pod === 'demo-node-0');
      await kubectl('delete', 'pod', 'demo-node-0', '--timeout=10m');
      await isWhole('demo', 3);
      const [after] = (await database.livesOf('demo')).filter(({ pod }) => pod === 'demo-node-0');
      must(after?.uid !== before?.uid, 'the pod is the same');
      return undefined;
    },
  },
  {
    name: 'the active server is killed in the middle of a drain: it goes on, and loses nothing',
    run: async () => {
      await kubectl('scale', 'esc/demo', '--replicas=4');
      await isWhole('demo', 4);
      const settings = { 'index.routing.allocation.require._name': 'demo-node-3' };
      await database.askAny('demo', { method: 'PUT', path: '/precious/_settings', body: settings });
      await isWhole('demo', 4);
      const before = (await database.livesOf('demo')).filter(({ pod }) => pod !== 'demo-node-3');
      const active = await activePod();
      await kubectl('scale', 'esc/demo', '--replicas=3');
      await waitFor(async () => {
        const said = JSON.stringify((await find('elasticsearchcluster', 'demo'))?.['status'].inProgress ?? []);
        return said.includes('demo-node-3');
      }, 'the drain to begin');
      await kubectl('-n', system, 'delete', 'pod', active, '--grace-period=0', '--force', '--wait=false');
      await waitFor(async () => (await activePod()) !== active, 'another server to be active');
      must((await find('pod', 'demo-node-3')) !== undefined, 'the member went with its documents still on it');
      const anywhere = { 'index.routing.allocation.require._name': null };
      await database.askAny('demo', { method: 'PUT', path: '/precious/_settings', body: anywhere });
      await kubectl('wait', '--for=delete', 'pod/demo-node-3', '--timeout=10m');
      await isWhole('demo', 3);
      const count = await countOf('demo', 'precious');
      must(count === documents, `${count} of ${documents} documents are left`);
      return await database.noneRestarted(before);
    },
  },
  {
    name: 'a StatefulSet that is scaled by hand is put right again, and no member goes',
    run: async () => {
      const before = await database.livesOf('demo');
      await kubectl('scale', 'statefulset/demo-node', '--replicas=5');
      const replicas = async (): Promise<number> =>
        (await find('statefulset', 'demo-node'))?.['spec'].replicas as number;
      await waitFor(async () => (await replicas()) === 3, 'three replicas again');
      return await database.noneRestarted(before);
    },
  },
  {
    name: 'a Service that is deleted by hand comes back',
    run: async () => {
      await kubectl('delete', 'service', 'demo-node', '--wait=false');
      await waitFor(() => find('service', 'demo-node'), 'the Service to be there again');
      return undefined;
    },
  },
];
