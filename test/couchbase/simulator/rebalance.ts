/** What the orchestrator does in a rebalance or a graceful failover, step by step, and how it can end. */
import { changeNodes, ended, entries, isData, withoutNodes, type Config, type Running } from './config.ts';
import { findReturning, type Sending } from './copies.ts';
import type { Node } from './node.ts';
import { handOver, moves, promote, spread, type BucketMap } from './vbuckets.ts';

const leastMs = 3_000;
/** How often one that is held looks whether it still is. */
const heldMs = 200;
const failure = 'Rebalance failed. See logs for detailed reason. You can try again.';
const gracefulFailure = 'Graceful failover failed. See logs for detailed reason. You can try again.';

class Stopped extends Error {}

/** Begins a rebalance that was judged, and answers with its id. */
export async function beginRebalance(
  node: Node,
  parts: { keep: readonly string[]; eject: readonly string[]; failed: readonly string[] },
): Promise<string> {
  const delta = findReturning(node.config!).filter((otp) => parts.keep.includes(otp));
  const running = newRunning(node, 'rebalance', { ...parts, delta });
  await node.change((config) => {
    const kept = changeNodes(config, parts.keep, () => ({ membership: 'active', recovery: 'none', balanced: true }));
    return { ...kept, running, rebalances: kept.rebalances + 1 };
  });
  void conclude(node, running, () => rebalance(node, running));
  return running.id;
}

/** Begins to hand the active copies of one node over to their replicas. */
export async function beginGracefulFailover(node: Node, otp: string): Promise<void> {
  const keep = Object.keys(node.config!.nodes).filter((one) => one !== otp);
  const running = newRunning(node, 'gracefulFailover', { keep, eject: [], failed: [otp], delta: [] });
  await node.change((config) => ({ ...config, running }));
  void conclude(node, running, () => gracefulFailover(node, otp));
}

function newRunning(
  node: Node,
  subtype: Running['subtype'],
  parts: Pick<Running, 'keep' | 'eject' | 'failed' | 'delta'>,
): Running {
  node.stopAsked = false;
  const id = node.hex(16);
  node.working = id;
  return { id, subtype, orchestrator: node.otp, life: node.life, progress: 0, ...parts };
}

async function conclude(node: Node, running: Running, work: () => Promise<void>): Promise<void> {
  const { subtype, id: reportId } = running;
  try {
    await work();
  } catch (thrown) {
    const errorMessage = subtype === 'rebalance' ? failure : gracefulFailure;
    const last = thrown instanceof Stopped ? { subtype, reportId } : { subtype, reportId, errorMessage };
    const names = [...running.keep, ...running.eject];
    await node
      .change((config) =>
        config.running?.id === reportId ? ended(changeNodes(config, names, unbalanced), last) : config,
      )
      .catch(() => undefined);
  } finally {
    if (node.working === reportId) node.working = '';
  }
}

const unbalanced = (): { balanced: false } => ({ balanced: false });

async function rebalance(node: Node, running: Running): Promise<void> {
  const leaving = [...running.eject, ...running.failed];
  const { batch, perMoveMs } = node.size;
  const target = running.keep.filter((otp) => isData(node.config!.nodes[otp]!)).toSorted();
  const groupOf = (otp: string): string => node.config!.nodes[otp]?.group ?? '';
  const plans = Object.values(node.config!.buckets).map(({ name, map, replicas }) => {
    const to = spread(map, target, replicas, groupOf);
    return { name, to, vbs: moves(map, to) };
  });
  const total = plans.reduce((sum, { vbs }) => sum + vbs.length, 0);
  const stepMs = (leastMs + total * perMoveMs) / (Math.ceil(total / batch) + 1);
  let done = 0;
  await check(node, running, 0, stepMs);
  for (const { name, to, vbs } of plans) {
    for (let from = 0; from < vbs.length; from += batch) {
      const now = vbs.slice(from, from + batch);
      await check(node, running, (100 * done) / total, stepMs);
      await move(node, { running, name, to, vbs: now });
      done += now.length;
      const progress = (100 * done) / total;
      await node.change((config) => withRows({ ...config, running: { ...running, progress } }, name, to, now));
    }
  }
  await check(node, running, 100, 0);
  const gone = entries(node.config!).filter(({ otp }) => leaving.includes(otp));
  const { uuid } = node.config!;
  const last = { subtype: 'rebalance', reportId: running.id };
  await node.change((config) => {
    const left = ended(withoutNodes(config, leaving), last);
    return { ...left, autoFailover: { ...left.autoFailover, count: 0 } };
  });
  for (const { otp, host } of gone) {
    if (otp === node.otp) void node.reset();
    else await node.ask(host, 'leave', { uuid }).catch(() => undefined);
  }
}

async function gracefulFailover(node: Node, otp: string): Promise<void> {
  const running = node.config!.running!;
  const { batch, perMoveMs } = node.size;
  const plans = Object.values(node.config!.buckets).map(({ name, map }) => {
    const to = handOver(map, otp);
    return { name, to, vbs: moves(map, to) };
  });
  for (const { name, to, vbs } of plans) {
    for (let from = 0; from < vbs.length; from += batch) {
      await check(node, running, (100 * from) / vbs.length, batch * perMoveMs);
      const now = vbs.slice(from, from + batch);
      await follow(node, otp, name, now);
      await node.change((config) => withRows(config, name, to, now));
    }
  }
  await check(node, running, 100, leastMs);
  const last = { subtype: 'gracefulFailover', reportId: running.id };
  await node.change((config) => ended(failedOver(config, [otp]), last));
}

/** The config after these nodes are failed over. */
export function failedOver(config: Config, otps: readonly string[]): Config {
  const rest = Object.keys(config.nodes).filter((otp) => !otps.includes(otp));
  const marked = changeNodes(config, otps, () => ({ membership: 'inactiveFailed', recovery: 'none' }));
  const buckets = Object.entries(config.buckets).map(([name, bucket]) => {
    return [name, { ...bucket, map: promote(bucket.map, otps) }] as const;
  });
  return { ...changeNodes(marked, rest, unbalanced), buckets: Object.fromEntries(buckets) };
}

/** Whether it may go on: everybody who takes part must be there, and nobody have stopped it. */
async function check(node: Node, running: Running, progress: number, pauseMs: number): Promise<void> {
  await node.pace.wait(pauseMs);
  while (node.faults.holdRebalance && !node.stopAsked) await node.pace.wait(heldMs);
  const { config } = node;
  if (node.stopAsked) throw new Stopped();
  if (config?.running?.id !== running.id) throw new Error('it was ended');
  const { failRebalanceAt } = node.faults;
  if (failRebalanceAt !== undefined && progress >= failRebalanceAt) {
    delete node.faults.failRebalanceAt;
    throw new Error('a fault');
  }
  const missing = [...running.keep, ...running.eject].find((otp) => !node.isAlive(otp) || !config.nodes[otp]);
  if (missing !== undefined || !node.hasQuorum()) throw new Error(`${missing ?? 'a majority'} is away`);
}

/** The replicas of what is active on a node have all of it before they take its place. */
async function follow(node: Node, otp: string, name: string, vbs: readonly number[]): Promise<void> {
  const bucket = node.config!.buckets[name];
  if (bucket === undefined) return;
  const to = vbs.map((vb): readonly [number, readonly string[]] => {
    const row = bucket.map[vb]!;
    return [vb, row.slice(1).filter((replica) => replica !== '')];
  });
  const sending: Sending = { bucket: bucket.uuid, to };
  await node.ask(otp.slice('ns_1@'.length), 'send', sending, 30_000);
}

interface Move {
  readonly running: Running;
  readonly name: string;
  readonly to: BucketMap;
  readonly vbs: readonly number[];
}

/** Has every vBucket of a batch sent from where it is active to where it is not yet. */
async function move(node: Node, { running, name, to, vbs }: Move): Promise<void> {
  const bucket = node.config!.buckets[name];
  if (bucket === undefined) return;
  const bySource = new Map<string, [number, readonly string[]][]>();
  for (const vb of vbs) {
    const row = bucket.map[vb]!;
    const fresh = to[vb]!.filter((otp) => otp !== '' && !row.includes(otp));
    // Active nowhere: whoever comes back with its data has it, or it begins anew, empty.
    const source = row[0] || (running.delta.find((otp) => to[vb]!.includes(otp)) ?? to[vb]![0]!);
    const targets = row[0] ? fresh : to[vb]!.filter((otp) => otp !== '');
    bySource.set(source, [...(bySource.get(source) ?? []), [vb, targets]]);
  }
  for (const [source, sends] of bySource) {
    const sending: Sending = { bucket: bucket.uuid, to: sends };
    await node.ask(source.slice('ns_1@'.length), 'send', sending, 30_000);
  }
}

function withRows(config: Config, name: string, to: BucketMap, vbs: readonly number[]): Config {
  const bucket = config.buckets[name];
  if (bucket === undefined) return config;
  const map = bucket.map.map((row, vb) => (vbs.includes(vb) ? to[vb]! : row));
  return { ...config, buckets: { ...config.buckets, [name]: { ...bucket, map } } };
}
