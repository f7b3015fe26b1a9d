/** What only Couchbase has on the wire ↔ the model. */
import type * as wire from '../../proto/navigator/v1/pilot.ts';
import type * as common from '../../proto/navigator/v1/types.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Standing, Topology, TopologyNode, TopologyOrder } from '../model/couchbase.ts';
import type { CouchbaseMember } from '../model/plan.ts';

const textMax = 16_384;
const nodesMax = 1_000;

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
  const { nodes, rebalanceError, digest, progressPercent } = topology;
  if (nodes.length > nodesMax) throw invalid(`${field}.nodes`, `has ${nodes.length} entries; ${nodesMax} are allowed`);
  return {
    digest: text(`${field}.digest`, digest),
    nodes: nodes.map((node) => nodeFromWire(`${field}.nodes`, node)),
    rebalancing: topology.rebalancing,
    progressPercent: Math.min(100, Math.max(0, progressPercent)),
    rebalanceError: text(`${field}.rebalance_error`, rebalanceError),
    balanced: topology.balanced,
  };
}

function nodeFromWire(field: string, node: wire.TopologyNode): TopologyNode {
  const { standing } = standingFromWire(`${field}.standing`, node.standing);
  if (standing === undefined || standing === 'fresh') throw invalid(`${field}.standing`, 'is not that of a node');
  if (node.lastCopies < 0n || node.lastCopies > 1_000_000_000n) throw invalid(`${field}.last_copies`, 'is not a count');
  const { otp, host, healthy } = node;
  const lastCopies = Number(node.lastCopies);
  return { otp: text(`${field}.otp`, otp), host: text(`${field}.host`, host), standing, healthy, lastCopies };
}

/** The order of a leader, ready to send. */
export function topologyOrderToWire(order: TopologyOrder): wire.TopologyOrder {
  return {
    ...order,
    add: order.add.map(({ host, services }) => ({ host, services: [...services] })),
    recover: [...order.recover],
    failOver: [...order.failOver],
    known: [...order.known],
    eject: [...order.eject],
    buckets: order.buckets.map((bucket) => ({ ...bucket, eviction: bucket.eviction ?? '' })),
  };
}

/** What a member is told beyond what every application has. */
export function couchbaseMemberToWire({ founds, memoryQuotas }: CouchbaseMember): wire.CouchbaseMember {
  const quotas = Object.entries(memoryQuotas).map(([service, megabytes]) => ({ service, megabytes }));
  return { founds, memoryQuotas: quotas };
}

function text(field: string, value: string): string {
  if (value.length > textMax) throw invalid(field, `has ${value.length} characters; ${textMax} are allowed`);
  return value;
}

function invalid(field: string, why: string): NavigatorError {
  return new NavigatorError('invalid', `${field} ${why}`);
}
