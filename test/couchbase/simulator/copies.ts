/** The copies of vBuckets on the nodes: written to by tests, moved by a rebalance, counted to see whether any is lost. */
import { entries, type Bucket, type Config } from './config.ts';
import type { Node } from './node.ts';
import { vBucketOf } from './vbuckets.ts';

interface Parcel {
  readonly bucket: string;
  readonly copies: readonly (readonly [number, readonly string[]])[];
}

/** What peers and tests ask that concerns copies; undefined: nothing of that kind. */
export function hearOfCopies(node: Node, method: string, body: unknown): Promise<unknown> | undefined {
  switch (method) {
    case 'receive':
      return receive(node, body as Parcel);
    case 'send':
      return send(node, body as Sending);
    case 'write':
      return write(node, body as Parcel);
    case 'held':
      return held(node, body as { bucket: string; vbs: readonly number[] });
    case 'put-items':
      return putItems(node, body as { bucket: string; keys: readonly string[] });
    case 'count-items':
      return countItems(node, body as { bucket: string });
    default:
      return undefined;
  }
}

/** Which vBuckets to send whereto. */
export interface Sending {
  readonly bucket: string;
  readonly to: readonly (readonly [number, readonly string[]])[];
}

/** Sends copies from this node; until the config says where they are, what is written to them is passed on, too. */
async function send(node: Node, { bucket, to }: Sending): Promise<unknown> {
  // Back without its disk: what it is asked for is not there, which is not the same as empty.
  if (node.config === undefined) throw new Error('it is of no cluster');
  for (const [vb, otps] of to) node.forwards.set(`${bucket}-${vb}`, otps);
  const byNode = new Map<string, [number, readonly string[]][]>();
  for (const [vb, otps] of to) {
    const items = node.disk.items(bucket, vb) ?? [];
    for (const otp of otps) byNode.set(otp, [...(byNode.get(otp) ?? []), [vb, items]]);
  }
  await Promise.all([...byNode].map(([otp, copies]) => deliver(node, otp, { bucket, copies })));
  return {};
}

async function deliver(node: Node, otp: string, parcel: Parcel): Promise<void> {
  if (otp === node.otp) {
    await receive(node, parcel);
    return;
  }
  const host = otp.slice('ns_1@'.length);
  if (node.wires.cut.has(host)) throw new Error(`${host} is not reached`);
  await node.ask(host, 'receive', parcel, 20_000);
}

async function receive(node: Node, { bucket, copies }: Parcel): Promise<unknown> {
  if (node.config === undefined) throw new Error('it is of no cluster');
  for (const [vb, items] of copies) node.disk.add(bucket, vb, items);
  return {};
}

/** Sends a peer whatever it has missed: its replicas of what is active here follow, as they do by themselves. */
export async function catchUp(node: Node, otp: string): Promise<void> {
  for (const { uuid, map } of Object.values(node.config?.buckets ?? {})) {
    const copies = map.flatMap((row, vb) => {
      const items = row[0] === node.otp && row.includes(otp, 1) ? (node.disk.items(uuid, vb) ?? []) : [];
      return items.length === 0 ? [] : [[vb, items] as const];
    });
    if (copies.length > 0) await deliver(node, otp, { bucket: uuid, copies });
  }
}

/** A write is acknowledged once the active copy and every living replica have it. */
async function write(node: Node, { bucket, copies }: Parcel): Promise<unknown> {
  const found = Object.values(node.config?.buckets ?? {}).find(({ uuid }) => uuid === bucket);
  const byNode = new Map<string, (readonly [number, readonly string[]])[]>();
  for (const [vb, items] of copies) {
    const row = found?.map[vb];
    if (row?.[0] !== node.otp || !node.hasQuorum()) throw new Error('not my vBucket');
    node.disk.add(bucket, vb, items);
    const others = new Set([...row.slice(1), ...(node.forwards.get(`${bucket}-${vb}`) ?? [])]);
    others.delete(node.otp);
    const living = [...others].filter((otp) => otp !== '' && node.isAlive(otp));
    for (const otp of living) byNode.set(otp, [...(byNode.get(otp) ?? []), [vb, items]]);
  }
  await Promise.all([...byNode].map(([otp, parcel]) => deliver(node, otp, { bucket, copies: parcel })));
  return {};
}

/** The keys of these vBuckets, whether their copies here are active or not. */
async function held(node: Node, { bucket, vbs }: { bucket: string; vbs: readonly number[] }): Promise<unknown> {
  return vbs.flatMap((vb) => node.disk.items(bucket, vb) ?? []);
}

/** Writes keys wherever their vBuckets are active. Those that are not acknowledged are told. */
async function putItems(node: Node, body: { bucket: string; keys: readonly string[] }): Promise<unknown> {
  const bucket = bucketNamed(node, body.bucket);
  const byOwner = new Map<string, Map<number, string[]>>();
  for (const key of body.keys) {
    const vb = vBucketOf(key, bucket.map.length);
    const owner = bucket.map[vb]?.[0] ?? '';
    const copies = byOwner.get(owner) ?? new Map<number, string[]>();
    copies.set(vb, [...(copies.get(vb) ?? []), key]);
    byOwner.set(owner, copies);
  }
  const refused: string[] = [];
  const all = [...byOwner].map(async ([owner, copies]) => {
    const parcel = { bucket: bucket.uuid, copies: [...copies] };
    const host = owner.slice('ns_1@'.length);
    try {
      if (owner === '') throw new Error('lost');
      await node.ask(host, 'write', parcel, 30_000);
    } catch {
      refused.push(...[...copies.values()].flat());
    }
  });
  await Promise.all(all);
  return { refused };
}

/** How many different keys are active, and how many vBuckets are active nowhere. */
async function countItems(node: Node, body: { bucket: string }): Promise<unknown> {
  const bucket = bucketNamed(node, body.bucket);
  const byOwner = new Map<string, number[]>();
  bucket.map.forEach((row, vb) => byOwner.set(row[0] ?? '', [...(byOwner.get(row[0] ?? '') ?? []), vb]));
  byOwner.delete('');
  const all = [...byOwner].map(([otp, vbs]) =>
    node.ask<string[]>(otp.slice('ns_1@'.length), 'held', { bucket: bucket.uuid, vbs }),
  );
  const keys = new Set((await Promise.all(all)).flat());
  return { items: keys.size, lost: bucket.map.filter((row) => row[0] === '').length };
}

function bucketNamed(node: Node, name: string): Bucket {
  const bucket = node.config?.buckets[name];
  if (bucket === undefined) throw new Error(`no bucket ${name}`);
  return bucket;
}

/** A living node of a config that has a copy of a vBucket that is active nowhere: one that comes back by delta recovery. */
export function findReturning(config: Config): readonly string[] {
  return entries(config)
    .filter(({ recovery }) => recovery === 'delta')
    .map(({ otp }) => otp);
}
