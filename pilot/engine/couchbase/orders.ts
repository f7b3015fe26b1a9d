/**
 * What the leader does to a Couchbase cluster on the server's order. Every step compares before it acts: the topology must
 * be the one that was judged, and the database itself compares the nodes of a rebalance once more. Nothing is begun while a
 * rebalance is running: the database would drop a second one without a word.
 */
import { NavigatorError } from '../../../shared/errors.ts';
import type { AutoFailover, Bucket, Topology, TopologyOrder } from '../../model.ts';
import type { Credentials, Rest } from './rest.ts';
import { groupNamed, moveTo } from './server-groups.ts';
import { topologyOf, type BucketAnswer, type Reading } from './state.ts';

const stepLimitMs = 30_000;
/** It took 6 s where it was measured. */
const forceLimitMs = 60_000;
/** A bucket is dropped before it answers. */
const dropLimitMs = 60_000;
/** A join takes 4 to 7 s on a machine that is idle. */
const joinLimitMs = 120_000;

/** Services as people name them, and as the database does. */
const wireNames: Readonly<Record<string, string>> = {
  data: 'kv',
  index: 'index',
  query: 'n1ql',
  search: 'fts',
  analytics: 'cbas',
  eventing: 'eventing',
};
const quotaKeys: Readonly<Record<string, string>> = {
  data: 'memoryQuota',
  index: 'indexMemoryQuota',
  search: 'ftsMemoryQuota',
  analytics: 'cbasMemoryQuota',
  eventing: 'eventingMemoryQuota',
};

/** The services of a member, as the database takes them. */
export function servicesOf(roles: readonly string[]): string {
  return roles.map((role) => wireNames[role] ?? role).join(',');
}

/** The quotas of each service, as the database takes them and tells them. */
export function quotaForm(quotas: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(quotas).flatMap(([service, megabytes]) => {
      const key = quotaKeys[service];
      return key === undefined ? [] : [[key, megabytes] as const];
    }),
  );
}

/** One thing to do, in words and as a deed. */
export interface Step {
  readonly what: string;
  run(): Promise<unknown>;
}

export interface Work {
  readonly rest: Rest;
  readonly credentials: () => Credentials;
  readonly order: TopologyOrder;
  readonly reading: Reading;
  readonly autoFailover: AutoFailover;
}

/**
 * What is left to do of an order, in its order. Empty: all of it is true. Rejects with `conflict` where the topology is
 * another one than was judged.
 */
export function stepsOf(work: Work): readonly Step[] {
  const { order, reading } = work;
  const topology = topologyOf(reading);
  if (topology.digest !== order.judged) {
    throw new NavigatorError('conflict', 'the topology is another one than the order was judged on');
  }
  if (topology.rebalancing) return [];
  const changes = [...regroupings(work), ...joins(work), ...recoveries(work)];
  if (changes.length > 0) return changes;
  if (!order.rebalance) return settings(work);
  const gone = drops(work, topology);
  return gone.length > 0 ? gone : [rebalance(work)];
}

function joins({ rest, credentials, order }: Work): readonly Step[] {
  return order.add.map(({ host, services, group }) => ({
    what: `add ${host}`,
    run: async () => {
      const path = group === '' ? '/controller/addNode' : (await groupNamed(rest, group)).addNodeURI;
      const { username: user, password } = credentials();
      const form = { hostname: `https://${host}`, user, password, services: servicesOf(services) };
      return rest.call({ method: 'POST', path, form, limitMs: joinLimitMs });
    },
  }));
}

function regroupings({ rest, order }: Work): readonly Step[] {
  return order.move.map(({ otp, group }) => ({
    what: `put ${otp} into the group ${group}`,
    run: async () => moveTo(rest, otp, group),
  }));
}

function recoveries({ rest, order }: Work): readonly Step[] {
  const post = (path: string, form: Readonly<Record<string, string>>) =>
    rest.call({ method: 'POST', path, form, limitMs: stepLimitMs });
  const back = order.recover.map((otpNode) => ({
    what: `recover ${otpNode}`,
    // Where its data is too old for a delta, it is filled anew.
    run: () =>
      post('/controller/setRecoveryType', { otpNode, recoveryType: 'delta' }).catch(() =>
        post('/controller/setRecoveryType', { otpNode, recoveryType: 'full' }),
      ),
  }));
  const single = (otpNode: string): Step => {
    return { what: `fail ${otpNode} over`, run: () => post('/controller/failOver', { otpNode }) };
  };
  const over = order.unsafe ? [forced(rest, order.failOver)] : order.failOver.map(single);
  const out = order.discard.map((otpNode) => ({
    what: `forget ${otpNode}`,
    run: () => post('/controller/ejectNode', { otpNode }),
  }));
  return [...over, ...back, ...out];
}

/**
 * All in one call: after the first of several, those that are left would have no majority either. The vendor documents that the
 * parameter may be given again for each node.
 */
function forced(rest: Rest, otps: readonly string[]): Step {
  const form = [...otps.map((otp) => ['otpNode', otp] as const), ['allowUnsafe', 'true'] as const];
  const run = () => rest.call({ method: 'POST', path: '/controller/failOver', form, limitMs: forceLimitMs });
  return { what: `fail ${otps.join(' and ')} over with force`, run };
}

/** Nodes that were added and do not answer are let go at once: a rebalance with one of them would fail. */
function drops({ rest, order }: Work, { nodes }: Topology): readonly Step[] {
  return nodes
    .filter(({ otp, standing, healthy }) => order.eject.includes(otp) && standing === 'added' && !healthy)
    .map(({ otp: otpNode }) => ({
      what: `let ${otpNode} go`,
      run: () => rest.call({ method: 'POST', path: '/controller/ejectNode', form: { otpNode }, limitMs: stepLimitMs }),
    }));
}

function rebalance({ rest, order }: Work): Step {
  const form = { knownNodes: order.known.join(','), ejectedNodes: order.eject.join(',') };
  return {
    what: 'rebalance',
    run: () => rest.call({ method: 'POST', path: '/controller/rebalance', form, limitMs: stepLimitMs }),
  };
}

function settings(work: Work): readonly Step[] {
  const { rest, order, reading, autoFailover } = work;
  const buckets = order.buckets.flatMap((bucket) => bucketSteps(work, bucket));
  const made = [...quotaSteps(work), ...dropSteps(rest, order, reading.buckets), ...buckets];
  const { enabled, timeout, maxCount } = order.autoFailover;
  const same =
    enabled === autoFailover.enabled && timeout === autoFailover.timeout && maxCount === autoFailover.maxCount;
  const form = { enabled, timeout, maxCount };
  const set: Step = {
    what: 'set auto-failover',
    run: () => rest.call({ method: 'POST', path: '/settings/autoFailover', form, limitMs: stepLimitMs }),
  };
  return same ? made : [...made, set];
}

/** MB of each service. Those that the database does not tell are left alone. */
function quotaSteps({ rest, order, reading }: Work): readonly Step[] {
  const there = reading.pool as Readonly<Record<string, unknown>>;
  const wanted = Object.entries(quotaForm(order.memoryQuotas));
  const other = wanted.filter(([key, megabytes]) => there[key] !== undefined && there[key] !== megabytes);
  if (other.length === 0) return [];
  const form = Object.fromEntries(other);
  const run = () => rest.call({ method: 'POST', path: '/pools/default', form, limitMs: stepLimitMs });
  return [{ what: 'set memory quotas', run }];
}

/** A bucket goes only while it is the one that was judged, and, where it was judged to be empty, still empty. */
function dropSteps(rest: Rest, order: TopologyOrder, present: readonly BucketAnswer[]): readonly Step[] {
  return order.drop.flatMap(({ name, uuid, empty }) => {
    const there = present.find((one) => one.name === name && one.uuid === uuid);
    if (there === undefined || (empty && there.basicStats?.itemCount !== 0)) return [];
    const path = `/pools/default/buckets/${encodeURIComponent(name)}`;
    const run = () => rest.call({ method: 'DELETE', path, limitMs: dropLimitMs });
    return [{ what: `drop bucket ${name}`, run }];
  });
}

function bucketSteps({ rest, order, reading }: Work, bucket: Bucket): readonly Step[] {
  const { name, ramQuotaMb, replicas, type, eviction, flush } = bucket;
  const there = reading.buckets.find((one) => one.name === name);
  const limits = { method: 'POST', limitMs: stepLimitMs } as const;
  if (there === undefined) {
    const form = {
      ...{ name, ramQuota: ramQuotaMb, bucketType: type, replicaNumber: replicas, flushEnabled: flush ? 1 : 0 },
      ...(eviction !== '' && { evictionPolicy: eviction }),
    };
    return [{ what: `make bucket ${name}`, run: () => rest.call({ ...limits, path: '/pools/default/buckets', form }) }];
  }
  const form = changesOf(bucket, there, order.shrink.includes(name));
  if (Object.keys(form).length === 0) return [];
  const path = `/pools/default/buckets/${encodeURIComponent(name)}`;
  return [{ what: `change bucket ${name}`, run: () => rest.call({ ...limits, path, form }) }];
}

/** What of a bucket is to be another one. It becomes smaller, or of another eviction, only where that is let. */
function changesOf(bucket: Bucket, there: BucketAnswer, mayShrink: boolean): Readonly<Record<string, string | number>> {
  const { ramQuotaMb, replicas, eviction, flush } = bucket;
  const ram = Math.floor((there.quota?.rawRAM ?? ramQuotaMb * 2 ** 20) / 2 ** 20);
  const copies = there.replicaNumber ?? replicas;
  const another = eviction !== '' && there.evictionPolicy !== undefined && there.evictionPolicy !== eviction;
  const flushes = there.controllers?.flush !== undefined;
  return {
    ...((ramQuotaMb > ram || (mayShrink && ramQuotaMb < ram)) && { ramQuota: ramQuotaMb }),
    ...((replicas > copies || (mayShrink && replicas < copies)) && { replicaNumber: replicas }),
    ...(another && mayShrink && { evictionPolicy: eviction }),
    ...(flush !== flushes && { flushEnabled: flush ? 1 : 0 }),
  };
}
