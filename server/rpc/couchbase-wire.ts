/** What only Couchbase has on the wire ↔ the model. */
import type * as wire from '../../proto/navigator/v1/pilot.ts';
import type * as common from '../../proto/navigator/v1/types.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { BucketState, Standing, Topology, TopologyNode, TopologyOrder } from '../model/couchbase.ts';
import type { CouchbaseMember } from '../model/plan.ts';

const textMax = 16_384;
const nodesMax = 1_000;
const bucketsMax = 1_000;

const standings: Readonly<Record<common.Standing, Standing | undefined>> = {
  STANDING_UNSPECIFIED: undefined,
  STANDING_FRESH: 'fresh',
  STANDING_ADDED: 'added',
  STANDING_ACTIVE: 'active',
  STANDING_FAILED: 'failed',
  UNRECOGNIZED: undefined,
};

/** Nothing where the pilot has not said it. */
export function standingFromWire(
  field: string,
  standing: common.Standing | undefined,
): { readonly standing?: Standing } {
  if (standing === undefined || standing === 'STANDING_UNSPECIFIED') return {};
  const known = standings[standing];
  if (known === undefined) throw invalid(field, `is ${standing}, which this server does not know`);
  return { standing: known };
}

/** A topology, bounded in every part. */
export function topologyFromWire(field: string, topology: wire.Topology): Topology {
  const { nodes, rebalanceError, digest, progressPercent, buckets } = topology;
  if (nodes.length > nodesMax) throw invalid(`${field}.nodes`, `has ${nodes.length} entries; ${nodesMax} are allowed`);
  if (buckets.length > bucketsMax) throw invalid(`${field}.buckets`, `has ${buckets.length} entries`);
  return {
    digest: text(`${field}.digest`, digest),
    nodes: nodes.map((node) => nodeFromWire(`${field}.nodes`, node)),
    rebalancing: topology.rebalancing,
    progressPercent: Math.min(100, Math.max(0, progressPercent)),
    rebalanceError: text(`${field}.rebalance_error`, rebalanceError),
    balanced: topology.balanced,
    outcome: text(`${field}.outcome`, topology.outcome),
    administrator: text(`${field}.administrator`, topology.administrator),
    compatibility: text(`${field}.compatibility`, topology.compatibility),
    buckets: topology.buckets.map((bucket) => bucketFromWire(`${field}.buckets`, bucket)),
  };
}

function bucketFromWire(field: string, bucket: wire.BucketState): BucketState {
  const { items, ramQuotaMb, replicas } = bucket;
  if (items !== undefined && (items < 0n || items > BigInt(Number.MAX_SAFE_INTEGER)))
    throw invalid(`${field}.items`, 'is not a count');
  if (ramQuotaMb < 0 || replicas < 0) throw invalid(field, 'has a negative size');
  return {
    name: text(`${field}.name`, bucket.name),
    uuid: text(`${field}.uuid`, bucket.uuid),
    ...(items !== undefined && { items: Number(items) }),
    ramQuotaMb,
    replicas,
    eviction: text(`${field}.eviction`, bucket.eviction),
  };
}

function nodeFromWire(field: string, node: wire.TopologyNode): TopologyNode {
  const { standing } = standingFromWire(`${field}.standing`, node.standing);
  if (standing === undefined || standing === 'fresh') throw invalid(`${field}.standing`, 'is not that of a node');
  if (node.lastCopies < 0n || node.lastCopies > 1_000_000_000n) throw invalid(`${field}.last_copies`, 'is not a count');
  const { otp, host, healthy } = node;
  const lastCopies = Number(node.lastCopies);
  const names = { otp: text(`${field}.otp`, otp), host: text(`${field}.host`, host) };
  const more = { uuid: text(`${field}.uuid`, node.uuid), group: text(`${field}.group`, node.group) };
  return { ...names, standing, healthy, lastCopies, ...more };
}

/** The order of a leader, ready to send. */
export function topologyOrderToWire(order: TopologyOrder): wire.TopologyOrder {
  return {
    ...order,
    add: order.add.map((node) => ({ ...node, services: [...node.services] })),
    move: order.move.map((node) => ({ ...node })),
    recover: [...order.recover],
    failOver: [...order.failOver],
    known: [...order.known],
    eject: [...order.eject],
    buckets: order.buckets.map((bucket) => ({ ...bucket, eviction: bucket.eviction ?? '' })),
    drop: order.drop.map((bucket) => ({ ...bucket })),
    shrink: [...order.shrink],
    discard: [...order.discard],
    users: order.users.map((user) => ({ ...user, roles: [...user.roles], groups: [...user.groups] })),
    groups: order.groups.map((group) => ({ ...group, roles: [...group.roles] })),
    dropUsers: [...order.dropUsers],
    dropGroups: [...order.dropGroups],
    memoryQuotas: quotasToWire(order.memoryQuotas),
  };
}

/** What a member is told beyond what every application has. */
export function couchbaseMemberToWire({ founds, memoryQuotas, stale }: CouchbaseMember): wire.CouchbaseMember {
  return { founds, memoryQuotas: quotasToWire(memoryQuotas), stale };
}

function quotasToWire(quotas: Readonly<Record<string, number>>): wire.MemoryQuota[] {
  return Object.entries(quotas).map(([service, megabytes]) => ({ service, megabytes }));
}

function text(field: string, value: string): string {
  if (value.length > textMax) throw invalid(field, `has ${value.length} characters; ${textMax} are allowed`);
  return value;
}

function invalid(field: string, why: string): NavigatorError {
  return new NavigatorError('invalid', `${field} ${why}`);
}
