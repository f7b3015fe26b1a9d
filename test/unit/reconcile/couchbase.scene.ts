/** A Couchbase cluster of three for tests of the rules: all active and healthy, and what a test says otherwise. */
import type { CouchbaseSpec } from '../../../server/model/cluster.ts';
import type { Topology, TopologyNode } from '../../../server/model/couchbase.ts';
import type { Ledger, MemberRecord } from '../../../server/model/ledger.ts';
import type { MemberObservation, Observation } from '../../../server/model/observation.ts';
import { clusterSeen, clusterSpec, ledgerOf, observation, pool, record, seen } from '../../support/model.ts';

/** The holds that couchbase.test.ts shows. */
export const holdsOfCouchbase = [
  ...['node_is_in_the_topology', 'node_is_stale', 'last_data_node', 'last_copy_of_a_vbucket', 'rebalance_is_running'],
  ...['failover_would_lose_vbuckets', 'rebalance_has_failed', 'rebalance_waits_for_a_node', 'quorum_is_lost'],
  ...['node_is_lost', 'bucket_would_go', 'bucket_would_shrink'],
];

export const couchbase: CouchbaseSpec = {
  upgrade: 'swap',
  buckets: [],
  autoFailover: { enabled: true, timeout: 120, maxCount: 1 },
  memoryQuotas: { data: 256 },
};

export const couchbaseRecord = (ordinal: number, change: Partial<MemberRecord> = {}): MemberRecord =>
  record(ordinal, { roles: ['data'], version: '7.6.8', ...change });

/** A ledger that wants `wanted` members and has `present`. */
export function couchbaseLedger(wanted: number, present = 3, change: Partial<Ledger> = {}): Ledger {
  const spec = clusterSpec([pool('node', wanted, ['data'])], { application: 'couchbase', version: '7.6.8', couchbase });
  const records = Array.from({ length: present }, (_, ordinal) => couchbaseRecord(ordinal));
  return ledgerOf(records, { spec, founder: 'demo-node-0', ...change });
}

export function node(ordinal: number, change: Partial<TopologyNode> = {}): TopologyNode {
  const host = `10.0.0.${ordinal}`;
  const plain = {
    standing: 'active',
    healthy: true,
    lastCopies: 0,
    uuid: `id-of-demo-node-${ordinal}`,
    group: 'Group 1',
  } as const;
  return { otp: `ns_1@${host}`, host, ...plain, ...change };
}

export function topologyOf(nodes: readonly TopologyNode[], change: Partial<Topology> = {}): Topology {
  const calm = { digest: 'd1', rebalancing: false, progressPercent: 0, rebalanceError: '', balanced: true };
  return { ...calm, outcome: '', compatibility: '7.6', buckets: [], administrator: '', nodes, ...change };
}

/** What is heard of a member whose node stands so by its own word; undefined: its database does not answer. */
export function member(
  ordinal: number,
  standing: 'fresh' | 'added' | 'active' | 'failed' | undefined,
): MemberObservation {
  const name = `demo-node-${ordinal}`;
  const base = seen(name);
  if (standing === undefined) {
    const { node: _node, ...rest } = base;
    return { ...rest, process: { ...base.process, phase: 'backoff' } };
  }
  const ids = { nodeId: `id-of-${name}`, processId: `process-of-${name}`, version: '7.6.8' };
  return { ...base, standsSinceMs: 0, node: { ...ids, joined: standing === 'active', standing } };
}

export function observed(
  topology: Topology,
  members: readonly MemberObservation[] = [0, 1, 2].map((ordinal) => member(ordinal, 'active')),
  change: Partial<Observation> = {},
): Observation {
  return observation(members, { cluster: { ...clusterSeen(), topology }, ...change });
}

/** The moment of a test. */
export const now = { monotonicMs: 1_000_000, wallMs: 0 };
