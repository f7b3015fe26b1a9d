/**
 * What only a person may let happen to a Couchbase cluster, and no pilot could ask for: its member is dead, or it is about a
 * bucket. The server itself enters the permit, with what it would cost as a hold. Pure.
 *
 * A permit is about exactly what the person was shown: other dead nodes, another bucket of that name, or another size make
 * another permit. Once approved it is in use until what was asked is seen to be done, or its reason is gone.
 */
import { digest } from '../../shared/ids.ts';
import { same } from '../../shared/same.ts';
import { trim } from '../coordination/permits.ts';
import type { BucketSpec } from '../model/cluster.ts';
import type { BucketState, Topology, TopologyNode, TopologyOrder } from '../model/couchbase.ts';
import type { Hold, HoldName } from '../model/hold.ts';
import { isPaused, type Ledger, type MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import { askedByServer, type Permit, type Verb } from '../model/permit.ts';
import type { Doing } from '../model/plan.ts';
import type { Now, Timing } from '../model/timing.ts';
import { hasQuorum, lost, nodeOf } from './couchbase-topology.ts';

/** The holds of these permits. A person may take each of them upon themselves. */
export const askedHolds: readonly HoldName[] = [
  'node_is_lost',
  'failover_would_lose_vbuckets',
  'bucket_would_go',
  'bucket_would_shrink',
];

interface Ask {
  readonly id: string;
  /** Empty: it is about a bucket. */
  readonly member: string;
  readonly verb: Verb;
  readonly reason: string;
  readonly hold: HoldName;
  readonly message: string;
  /** The node that would be failed over. */
  readonly node?: TopologyNode;
}

const shortDigest = (value: unknown): string => digest(value).slice(0, 8);

/** What a person would have to let happen now; undefined where the topology is not known. */
function asksOf(ledger: Ledger, observed: Observation): readonly Ask[] | undefined {
  const topology = observed.cluster?.topology;
  if (topology === undefined || ledger.spec.couchbase === undefined) return undefined;
  if (ledger.deleting || ledger.stopping !== undefined) return [];
  if (!hasQuorum(topology)) return deadNodes(ledger, topology);
  return [...emptyNodes(ledger, observed, topology), ...buckets(ledger, topology)];
}

/** Half or more are away: those that a person knows to be gone for good may be given up, all that are away at once. */
function deadNodes(ledger: Ledger, topology: Topology): readonly Ask[] {
  const dead = topology.nodes.filter(({ standing, healthy }) => standing === 'active' && !healthy);
  const set = shortDigest(dead.map(({ otp }) => otp).toSorted());
  const names = dead.map(({ host }) => host).join(', ');
  return dead.flatMap((node): Ask[] => {
    const record = recordOf(ledger, node);
    if (record === undefined) return [];
    return [
      {
        id: `failover-${record.name}-${set}`,
        ...{ member: record.name, verb: 'failover', hold: 'node_is_lost', node },
        reason: 'the cluster has no majority without it',
        message:
          `it is one of ${dead.length} nodes that do not answer (${names}); if they never come back, approve the failover of ` +
          'each: what only they hold is given up, and they are reset before they may join again',
      },
    ];
  });
}

/** Its disk is as new, and nobody else has what was on it. */
function emptyNodes(ledger: Ledger, observed: Observation, topology: Topology): readonly Ask[] {
  return lost(ledger, observed, topology).flatMap((node): Ask[] => {
    const record = recordOf(ledger, node);
    if (record === undefined || node.lastCopies === 0) return [];
    return [
      {
        id: `failover-${record.name}-${shortDigest({ otp: node.otp, lastCopies: node.lastCopies })}`,
        ...{ member: record.name, verb: 'failover', hold: 'failover_would_lose_vbuckets', node },
        reason: 'its disk is as new',
        message: `its disk is as new, and ${node.lastCopies} vBuckets have no other copy: a failover would lose them`,
      },
    ];
  });
}

function recordOf(ledger: Ledger, node: TopologyNode): MemberRecord | undefined {
  return Object.values(ledger.members).find(({ address, left }) => address === node.host && !left);
}

function buckets(ledger: Ledger, topology: Topology): readonly Ask[] {
  return [...goneBuckets(ledger, topology), ...smallerBuckets(ledger, topology)].flatMap(({ ask, there }) =>
    there.items === 0 ? [] : [ask],
  );
}

interface Change {
  readonly ask: Ask;
  readonly there: BucketState;
}

/** Buckets that a manifest has named once, and names no more. Nobody else's are in it. */
function goneBuckets({ spec, ownedBuckets = [] }: Ledger, topology: Topology): readonly Change[] {
  const wanted = new Set(spec.couchbase?.buckets.map(({ name }) => name));
  return topology.buckets.flatMap((there): Change[] => {
    const { name, uuid } = there;
    if (wanted.has(name) || !ownedBuckets.includes(name) || uuid === '') return [];
    const message = `bucket ${name} is not in the manifest any more, and ${itemsOf(there)} would go with it`;
    const ask = { id: `wipe-bucket-${name}-${shortDigest(uuid)}`, member: '', verb: 'wipe', message } as const;
    return [{ there, ask: { ...ask, hold: 'bucket_would_go', reason: `to drop bucket ${name}` } }];
  });
}

function smallerBuckets({ spec }: Ledger, topology: Topology): readonly Change[] {
  return (spec.couchbase?.buckets ?? []).flatMap((wanted): Change[] => {
    const there = topology.buckets.find(({ name }) => name === wanted.name);
    const words = there === undefined ? [] : shrinking(wanted, there);
    if (there === undefined || words.length === 0) return [];
    const { name, ramQuotaMb, replicas, eviction } = wanted;
    const message = `bucket ${name} would get ${words.join(', ')}, and it holds ${itemsOf(there)}`;
    const to = shortDigest({ uuid: there.uuid, ramQuotaMb, replicas, eviction });
    const ask = { id: `wipe-bucket-${name}-to-${to}`, member: '', verb: 'wipe', message } as const;
    return [{ there, ask: { ...ask, hold: 'bucket_would_shrink', reason: `to change bucket ${name}` } }];
  });
}

/** What takes something away, in words: memory, copies, or, for a moment, the bucket itself. */
function shrinking({ ramQuotaMb, replicas, eviction }: BucketSpec, there: BucketState): readonly string[] {
  const restarts = eviction !== undefined && there.eviction !== '' && eviction !== there.eviction;
  return [
    ...(ramQuotaMb < there.ramQuotaMb ? [`${ramQuotaMb} MB instead of ${there.ramQuotaMb}`] : []),
    ...(replicas < there.replicas ? [`${replicas} replicas instead of ${there.replicas}`] : []),
    ...(restarts ? [`the eviction ${eviction}, for which the database restarts it`] : []),
  ];
}

function itemsOf({ items }: BucketState): string {
  return items === undefined ? 'an unknown number of items' : `${items} items`;
}

/** What may be done to buckets now: made, grown, and what a person has approved or nobody could miss. */
export function bucketOrder(ledger: Ledger, topology: Topology): Pick<TopologyOrder, 'buckets' | 'drop' | 'shrink'> {
  const isUsed = ({ ask }: Change): boolean =>
    ledger.permits.some(({ id, state }) => id === ask.id && state === 'used');
  const may = (change: Change): boolean => change.there.items === 0 || isUsed(change);
  return {
    buckets: ledger.spec.couchbase?.buckets ?? [],
    drop: goneBuckets(ledger, topology)
      .filter(may)
      .map((change) => ({ name: change.there.name, uuid: change.there.uuid, empty: !isUsed(change) })),
    shrink: smallerBuckets(ledger, topology)
      .filter(may)
      .map(({ there }) => there.name),
  };
}

/**
 * Nodes whose failover a person has approved, and that still do not answer. Without a majority none goes before so many are
 * approved that those who are left have one.
 */
export function approvedFailovers(ledger: Ledger, topology: Topology): readonly string[] {
  const used = ledger.permits.filter(({ verb, state, requestId }) => {
    return verb === 'failover' && state === 'used' && requestId === askedByServer;
  });
  const nodes = used.flatMap(({ member }) => {
    const node = ledger.members[member] && nodeOf(topology, ledger.members[member]);
    return node?.standing === 'active' && !node.healthy ? [node] : [];
  });
  const active = topology.nodes.filter(({ standing }) => standing === 'active');
  const healthy = active.filter((node) => node.healthy).length;
  return healthy * 2 > active.length - nodes.length ? nodes.map(({ otp }) => otp) : [];
}

/** The ledger with the permits that the server asks for itself: entered, in use once approved, and ended. */
export function noteAsks(start: Ledger, observed: Observation, now: Now, timing: Timing): Ledger {
  const asks = asksOf(start, observed);
  if (asks === undefined) return start;
  let ledger = endOld(noteOwned(start, observed), asks, observed, now);
  // As with any other permit, nothing begins in a pause, nor what could not be told of afterwards.
  const mayBegin = !isPaused(start) && observed.unrecordable === undefined;
  for (const ask of asks)
    ledger = mayBegin && isApproved(ledger, ask) ? use(ledger, ask, now) : noteAsk(ledger, ask, now, timing);
  return ledger;
}

function isApproved({ permits }: Ledger, { id, hold }: Ask): boolean {
  return permits.some(
    (permit) => permit.id === id && permit.state === 'queued' && permit.approvedHolds?.includes(hold) === true,
  );
}

function noteAsk(ledger: Ledger, ask: Ask, now: Now, timing: Timing): Ledger {
  const present = ledger.permits.find(({ id }) => id === ask.id)?.state;
  if (present === 'queued' || present === 'used' || present === 'denied') return ledger;
  const others = ledger.permits.filter(({ id }) => id !== ask.id);
  const evidence = { incarnation: '', nodeId: ask.node?.uuid ?? '', processId: '', stateVersion: 0 };
  const permit: Permit = {
    ...{ id: ask.id, requestId: askedByServer, member: ask.member, verb: ask.verb, incarnation: '', state: 'queued' },
    evidence: ask.node === undefined ? evidence : { ...evidence, lastCopies: ask.node.lastCopies },
    ...{ sequence: 0, reason: ask.reason, requestedAt: now.wallMs, changedAt: now.wallMs, ttlMs: timing.permitTtlMs },
    ...{ decidedBy: '', decision: '', undo: '' },
  };
  return trim({ ...ledger, permits: [...others, permit] });
}

/** From here on a node that is failed over with force counts no more, whatever it says when it comes back. */
function use(ledger: Ledger, { id, member, hold, node }: Ask, now: Now): Ledger {
  const permits = ledger.permits.map((permit) => {
    return permit.id === id ? { ...permit, state: 'used' as const, changedAt: now.wallMs } : permit;
  });
  const record = ledger.members[member];
  if (hold !== 'node_is_lost' || record === undefined || node === undefined) return { ...ledger, permits };
  return { ...ledger, permits, members: { ...ledger.members, [member]: { ...record, cast: node.uuid } } };
}

/** Permits whose reason is gone: what was in use is done, unless the node has come back before. */
function endOld(ledger: Ledger, asks: readonly Ask[], observed: Observation, now: Now): Ledger {
  const wanted = new Set(asks.map(({ id }) => id));
  const isOld = ({ id, requestId, state }: Permit): boolean =>
    requestId === askedByServer && (state === 'queued' || state === 'used') && !wanted.has(id);
  if (!ledger.permits.some(isOld)) return ledger;
  const members = { ...ledger.members };
  const permits = ledger.permits.map((permit): Permit => {
    if (!isOld(permit)) return permit;
    const changedAt = now.wallMs;
    if (permit.state === 'queued') return { ...permit, state: 'withdrawn', changedAt, decision: 'its reason is gone' };
    const record = members[permit.member];
    const node = record && observed.cluster?.topology && nodeOf(observed.cluster.topology, record);
    if (permit.verb === 'failover' && node?.standing === 'active' && record !== undefined) {
      // Not done, and what was approved is not how things stand any more.
      const { cast: _cast, ...back } = record;
      members[permit.member] = back;
      return { ...permit, state: 'expired', changedAt, decision: 'others answer now than when it was approved' };
    }
    return { ...permit, state: 'completed', changedAt, decision: 'it is done' };
  });
  return trim({ ...ledger, permits, members });
}

/**
 * What is owned, from the moment that a manifest names it: a bucket until none of that name is there any more, users and groups
 * for good, because nobody tells which of them there are.
 */
function noteOwned(ledger: Ledger, observed: Observation): Ledger {
  const { buckets: named = [], users = [], groups = [] } = ledger.spec.couchbase ?? {};
  const there = observed.cluster?.topology?.buckets ?? [];
  const before = ledger.ownedBuckets ?? [];
  const kept = before.filter((name) => [...there, ...named].some((bucket) => bucket.name === name));
  const owned = {
    ownedBuckets: union(kept, named),
    ownedUsers: union(ledger.ownedUsers, users),
    ownedGroups: union(ledger.ownedGroups, groups),
  };
  const { ownedBuckets = [], ownedUsers = [], ownedGroups = [] } = ledger;
  return same(owned, { ownedBuckets, ownedUsers, ownedGroups }) ? ledger : { ...ledger, ...owned };
}

function union(before: readonly string[] = [], named: readonly { readonly name: string }[]): readonly string[] {
  return [...new Set([...before, ...named.map(({ name }) => name)])].toSorted();
}

/** What these permits would cost, as long as nobody has let it happen. */
export function askHolds(ledger: Ledger, observed: Observation): readonly Hold[] {
  return (asksOf(ledger, observed) ?? [])
    .filter(({ id }) => ledger.permits.every((permit) => permit.id !== id || permit.state !== 'used'))
    .map(({ id, hold: name, member, message }) => {
      return { name, member, message: `${message}; \`navigator permits approve ${id}\`` };
    });
}

/** What waits for a person, for as long as none has refused it. */
export function askDoing(ledger: Ledger): readonly Doing[] {
  const open = ledger.permits.filter(({ requestId, state }) => requestId === askedByServer && state === 'queued');
  return open.map(({ member, verb, reason }) => ({ member, message: `waits for a person: ${verb} ${reason}` }));
}
