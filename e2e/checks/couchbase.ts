/** Couchbase in pods: the same server and pilots, another database. Items are counted in the nodes themselves. */
import { countItems, countRebalances, keys, putItems } from '../../test/couchbase/nodes.ts';
import { waitFor } from '../../test/support/wait.ts';
import { must, type Check } from './check.ts';
import { podsOf } from './database.ts';
import { exec, find, kubectl } from './kubectl.ts';
import { notOurs } from './machine.ts';

const cluster = 'cb';
const bucket = 'travel';
const items = 300;
const member = 'cb-data-1';
const readyWithinMs = 5 * 60_000;

async function addressOf(): Promise<string> {
  const [first] = await podsOf(cluster);
  must(first !== undefined, `${cluster} has no pod`);
  return first!['status'].podIP as string;
}

/** Waits until a cluster is whole, with so many members of this version. */
export async function isWhole(name: string, members: number, version: string): Promise<void> {
  await waitFor(
    async () => {
      const status = (await find('couchbasecluster', name))?.['status'];
      const ready = (status?.conditions ?? []).some((one: { type: string; status: string }) => {
        return one.type === 'Ready' && one.status === 'True';
      });
      const asWanted = status?.health === 'green' && status.readyMembers === members && status.version === version;
      return ready && asWanted && (await podsOf(name)).length === members;
    },
    `${name} to be green with ${members} members of ${version}`,
    readyWithinMs,
  );
}

/** Does it, waits until the cluster is whole, and counts what is left and what it has cost. */
async function keepsAll(
  work: () => Promise<unknown>,
  wanted: { readonly members: number; readonly version?: string; readonly rebalances: number },
): Promise<string> {
  const before = await countRebalances(await addressOf());
  await work();
  // What was written of it before may still be seen.
  const begunSoFar = async (): Promise<number> => (await countRebalances(await addressOf())) - before;
  const isBegun = async (): Promise<boolean> => (await begunSoFar().catch(() => -1)) >= wanted.rebalances;
  await waitFor(isBegun, `${wanted.rebalances} rebalances`, readyWithinMs);
  await isWhole(cluster, wanted.members, wanted.version ?? '7.6.8');
  const address = await addressOf();
  const { items: left, lost } = await countItems(address, bucket);
  must(left === items && lost === 0, `${left} of ${items} items are left, ${lost} vBuckets are lost`);
  const begun = await begunSoFar();
  must(begun === wanted.rebalances, `${begun} rebalances, where ${wanted.rebalances} are needed`);
  return `${left} of ${items} items, ${begun} of ${wanted.rebalances} rebalances`;
}

async function scale(replicas: number): Promise<string> {
  return await kubectl('scale', `cbc/${cluster}`, `--replicas=${replicas}`);
}

export const couchbase: readonly Check[] = [
  {
    name: 'Couchbase: three nodes come up with their bucket, by credentials that Navigator has made',
    skip: notOurs,
    run: async () => {
      await kubectl('apply', '-f', 'deploy/examples/couchbase.yaml');
      await isWhole(cluster, 3, '7.6.8');
      const text = await exec(`${cluster}-data-0`, "tr '\\0' ' ' < /proc/1/cmdline");
      must(text.startsWith('/navigator/node '), text);
      must((await find('secret', `${cluster}-credentials`)) !== undefined, 'there is no Secret');
      const address = await addressOf();
      await putItems(address, bucket, keys(items));
      return `${(await countItems(address, bucket)).items} items, ${await countRebalances(address)} rebalance`;
    },
  },
  {
    name: 'Couchbase: a node leaves by a rebalance, and nothing is lost',
    skip: notOurs,
    run: () => keepsAll(() => scale(2), { members: 2, rebalances: 1 }),
  },
  {
    name: 'Couchbase: a node is added by a rebalance',
    skip: notOurs,
    run: () => keepsAll(() => scale(3), { members: 3, rebalances: 1 }),
  },
  {
    name: 'Couchbase: a database that is killed is started again in its container',
    skip: notOurs,
    run: async () => {
      const pod = await find('pod', member);
      const pid =
        'for p in /proc/[0-9]*; do if grep -q simulator.mjs $p/cmdline; then echo ${p#/proc/}; fi; done | sort -n | head -1';
      const one = async (): Promise<string> => (await exec(member, pid)).trim();
      const before = await one();
      const told = await keepsAll(
        async () => {
          await exec(member, `kill -9 ${before}`);
          await waitFor(async () => !['', before].includes(await one()), 'another process', readyWithinMs);
        },
        { members: 3, rebalances: 0 },
      );
      const after = await find('pod', member);
      must(after?.metadata.uid === pod?.metadata.uid, 'there is another pod');
      must(after?.['status'].containerStatuses[0].restartCount === 0, 'the container was restarted');
      return told;
    },
  },
  {
    name: 'Couchbase: a pod that is deleted goes by permit, and comes back with its data',
    skip: notOurs,
    run: async () => {
      const before = await find('pod', member);
      const replaced = async (): Promise<boolean> => {
        const pod = await find('pod', member);
        const [database] = (pod?.['status'].containerStatuses ?? []) as readonly { ready: boolean }[];
        return pod?.metadata.uid !== before?.metadata.uid && database?.ready === true;
      };
      return await keepsAll(
        async () => {
          await kubectl('delete', 'pod', member, '--timeout=4m');
          await waitFor(replaced, 'another pod to be ready', readyWithinMs);
        },
        { members: 3, rebalances: 0 },
      );
    },
  },
  {
    name: 'Couchbase: an upgrade by swaps goes one node at a time, and nothing is lost',
    skip: notOurs,
    run: () => {
      const patch = JSON.stringify({ spec: { version: '7.6.9' } });
      const work = (): Promise<string> => kubectl('patch', `cbc/${cluster}`, '--type=merge', '-p', patch);
      return keepsAll(work, { members: 3, version: '7.6.9', rebalances: 4 });
    },
  },
  {
    name: 'Couchbase: a deleted cluster goes, and its volumes and credentials stay',
    skip: notOurs,
    run: async () => {
      await kubectl('delete', `cbc/${cluster}`, '--timeout=5m');
      await waitFor(async () => (await podsOf(cluster)).length === 0, 'its pods to be gone');
      must((await find('secret', `${cluster}-credentials`)) !== undefined, 'the Secret is gone');
      return undefined;
    },
  },
];
