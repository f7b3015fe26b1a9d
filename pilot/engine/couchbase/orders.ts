/**
 * What the leader does to a Couchbase cluster on the server's order. Every step compares before it acts: the topology must
 * be the one that was judged, and the database itself compares the nodes of a rebalance once more. Nothing is begun while a
 * rebalance is running: the database would drop a second one without a word.
 */
import { NavigatorError } from '../../../shared/errors.ts';
import type { AutoFailover, Bucket, Topology, TopologyOrder } from '../../model.ts';
import type { Credentials, Rest } from './rest.ts';
import { topologyOf, type BucketAnswer, type Reading } from './state.ts';

const stepLimitMs = 30_000;
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

/** The quotas of each service, as the database takes them. */
export function quotaForm(quotas: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(quotas).flatMap(([service, megabytes]) => {
      const key = quotaKeys[service];
      return key === undefined ? [] : [[key, megabytes] as const];
    }),
  );
}

/** One thing to do, in words and as a deed. */
interface Step {
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
  const changes = [...joins(work), ...recoveries(work)];
  if (changes.length > 0) return changes;
  if (!order.rebalance) return settings(work);
  const gone = drops(work, topology);
  return gone.length > 0 ? gone : [rebalance(work)];
}

function joins({ rest, credentials, order }: Work): readonly Step[] {
  return order.add.map(({ host, services }) => ({
    what: `add ${host}`,
    run: () => {
      const { username: user, password } = credentials();
      const form = { hostname: `https://${host}`, user, password, services: servicesOf(services) };
      return rest.call({ method: 'POST', path: '/controller/addNode', form, limitMs: joinLimitMs });
    },
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
  const over = order.failOver.map((otpNode) => ({
    what: `fail ${otpNode} over`,
    run: () => post('/controller/failOver', { otpNode }),
  }));
  return [...over, ...back];
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

function settings({ rest, order, reading, autoFailover }: Work): readonly Step[] {
  const made = order.buckets.flatMap((bucket) => bucketSteps(rest, bucket, reading.buckets));
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

/** A bucket is made, or grows. It never shrinks here, and is never deleted: what it holds could go. */
function bucketSteps(rest: Rest, bucket: Bucket, present: readonly BucketAnswer[]): readonly Step[] {
  const { name, ramQuotaMb, replicas, type, eviction, flush } = bucket;
  const there = present.find((one) => one.name === name);
  const limits = { method: 'POST', limitMs: stepLimitMs } as const;
  if (there === undefined) {
    const form = {
      ...{ name, ramQuota: ramQuotaMb, bucketType: type, replicaNumber: replicas, flushEnabled: flush ? 1 : 0 },
      ...(eviction !== '' && { evictionPolicy: eviction }),
    };
    return [{ what: `make bucket ${name}`, run: () => rest.call({ ...limits, path: '/pools/default/buckets', form }) }];
  }
  const grows = ramQuotaMb * 2 ** 20 > (there.quota?.rawRAM ?? Infinity);
  const more = replicas > (there.replicaNumber ?? Infinity);
  if (!grows && !more) return [];
  const form = { ...(grows && { ramQuota: ramQuotaMb }), ...(more && { replicaNumber: replicas }) };
  const path = `/pools/default/buckets/${encodeURIComponent(name)}`;
  return [{ what: `grow bucket ${name}`, run: () => rest.call({ ...limits, path, form }) }];
}
