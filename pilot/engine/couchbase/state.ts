/** PURE: from what a Couchbase node says over REST to what a pilot knows. What is missing stays unknown. */
import { digest } from '../../../shared/ids.ts';
import type { BucketState, Evidence, Health, NodeObservation, Standing, Topology, TopologyNode } from '../../model.ts';

/** Parts of GET /pools/default, its tasks and its buckets. Every field may be missing. */
export interface PoolAnswer {
  readonly nodes?: readonly NodeAnswer[];
  readonly memoryQuota?: number;
  readonly indexMemoryQuota?: number;
  readonly ftsMemoryQuota?: number;
  readonly cbasMemoryQuota?: number;
  readonly eventingMemoryQuota?: number;
  readonly balanced?: boolean;
  readonly rebalanceStatus?: string;
}

export interface NodeAnswer {
  readonly otpNode?: string;
  readonly hostname?: string;
  readonly nodeUUID?: string;
  readonly serverGroup?: string;
  readonly status?: string;
  readonly clusterMembership?: string;
  readonly recoveryType?: string;
  readonly services?: readonly string[];
  readonly version?: string;
  readonly thisNode?: boolean;
  /** The major version in the upper 16 bits, the minor in the lower ones. */
  readonly clusterCompatibility?: number;
}

export interface TaskAnswer {
  readonly type?: string;
  readonly status?: string;
  readonly statusIsStale?: boolean;
  readonly progress?: number;
  readonly errorMessage?: string;
  readonly lastReportURI?: string;
  readonly rebalanceId?: string;
}

export interface BucketAnswer {
  readonly name?: string;
  readonly uuid?: string;
  readonly basicStats?: { readonly itemCount?: number };
  readonly controllers?: { readonly flush?: string };
  readonly quota?: { readonly rawRAM?: number };
  readonly replicaNumber?: number;
  readonly evictionPolicy?: string;
  readonly vBucketServerMap?: {
    readonly numReplicas?: number;
    readonly serverList?: readonly string[];
    readonly vBucketMap?: readonly (readonly number[])[];
  };
}

/** One reading of everything. */
export interface Reading {
  readonly pool: PoolAnswer;
  readonly tasks: readonly TaskAnswer[];
  readonly buckets: readonly BucketAnswer[];
  /** The id of the credentials that it was read with, where they are the administrator's next ones; empty: they are not. */
  readonly administrator: string;
}

const standings: Readonly<Record<string, Exclude<Standing, 'fresh'>>> = {
  active: 'active',
  inactiveAdded: 'added',
  inactiveFailed: 'failed',
};

/** Without the port. */
export function hostOf(name: string | undefined): string {
  return (name ?? '').replace(/:\d+$/, '');
}

export function semverOf(version: string | undefined): string {
  return /^\d+\.\d+\.\d+/.exec(version ?? '')?.[0] ?? '';
}

/** All that a rebalance is judged on, and what the last one came to. */
export function basisOf({ pool, tasks }: Pick<Reading, 'pool' | 'tasks'>): unknown {
  const nodes = (pool.nodes ?? []).map((node) => {
    const { otpNode, clusterMembership, recoveryType, status, services, nodeUUID } = node;
    return { otpNode, clusterMembership, recoveryType, status, services, nodeUUID };
  });
  const last = rebalanceTask(tasks);
  const { status, errorMessage, lastReportURI, rebalanceId } = last ?? {};
  return { nodes, balanced: pool.balanced, task: { status, errorMessage, lastReportURI, rebalanceId } };
}

function rebalanceTask(tasks: readonly TaskAnswer[]): TaskAnswer | undefined {
  const all = tasks.filter(({ type }) => type === 'rebalance');
  return all.find(({ status }) => status === 'running') ?? all[0];
}

/** A status that is stale says nothing about whether one is running: then one is. */
export function isRebalancing({ pool, tasks }: Pick<Reading, 'pool' | 'tasks'>): boolean {
  const task = rebalanceTask(tasks);
  return task?.status === 'running' || task?.statusIsStale === true || pool.rebalanceStatus === 'running';
}

export function topologyOf(reading: Reading): Topology {
  const { pool, tasks } = reading;
  const task = rebalanceTask(tasks);
  const running = isRebalancing(reading);
  const counts = countCopies(reading);
  const nodes = (pool.nodes ?? []).flatMap((node): TopologyNode[] => {
    const standing = standings[node.clusterMembership ?? ''];
    const host = hostOf(node.hostname);
    if (standing === undefined || node.otpNode === undefined) return [];
    const lastCopies = counts.lastCopies.get(host) ?? 0;
    const { otpNode: otp, nodeUUID: uuid = '', serverGroup: group = '', status } = node;
    return [{ otp, host, standing, healthy: status === 'healthy', lastCopies, uuid, group }];
  });
  return {
    digest: digest(basisOf(reading)),
    nodes,
    rebalancing: running,
    progressPercent: Math.round(task?.progress ?? 0),
    rebalanceError: running ? '' : (task?.errorMessage ?? ''),
    balanced: pool.balanced === true,
    outcome: running ? '' : (task?.lastReportURI ?? ''),
    compatibility: compatibilityOf(pool),
    buckets: reading.buckets.flatMap(bucketOf),
    administrator: reading.administrator,
  };
}

function compatibilityOf({ nodes = [] }: PoolAnswer): string {
  const all = nodes.flatMap(({ clusterCompatibility }) => clusterCompatibility ?? []);
  // One is what a node says that is not of a cluster yet.
  const known = all.filter((word) => word > 0xffff);
  if (known.length === 0) return '';
  const least = Math.min(...known);
  return `${least >> 16}.${least & 0xffff}`;
}

function bucketOf(bucket: BucketAnswer): readonly BucketState[] {
  const { name, uuid = '', quota, replicaNumber, evictionPolicy = '', basicStats } = bucket;
  if (name === undefined || quota?.rawRAM === undefined) return [];
  const items = basicStats?.itemCount;
  const ramQuotaMb = Math.floor(quota.rawRAM / 2 ** 20);
  const sizes = { ramQuotaMb, replicas: replicaNumber ?? 0, eviction: evictionPolicy };
  return [{ name, uuid, ...(items !== undefined && { items }), ...sizes }];
}

interface Copies {
  /** By host: copies of vBuckets, of whatever kind. */
  readonly held: ReadonlyMap<string, number>;
  /** By host: active ones that no other healthy node has a copy of. */
  readonly lastCopies: ReadonlyMap<string, number>;
  /** Active nowhere. */
  readonly lost: number;
  /** Replicas that there should be, as far as there are nodes for them, and are not. */
  readonly missing: number;
}

/** Counts the copies of all buckets. */
export function countCopies({ pool, buckets }: Pick<Reading, 'pool' | 'buckets'>): Copies {
  const healthy = new Set((pool.nodes ?? []).filter(isServing).map(({ hostname }) => hostOf(hostname)));
  const data = (pool.nodes ?? []).filter((node) => node.clusterMembership === 'active' && isData(node)).length;
  const held = new Map<string, number>();
  const lastCopies = new Map<string, number>();
  let lost = 0;
  let missing = 0;
  for (const { vBucketServerMap: map, replicaNumber } of buckets) {
    const hosts = (map?.serverList ?? []).map(hostOf);
    const wanted = Math.min(replicaNumber ?? map?.numReplicas ?? 0, Math.max(0, data - 1));
    for (const row of map?.vBucketMap ?? []) {
      const copies = row.map((place) => hosts[place] ?? '');
      const [active = '', ...replicas] = copies;
      for (const host of copies.filter((name) => name !== '')) held.set(host, (held.get(host) ?? 0) + 1);
      if (active === '') lost++;
      else if (!replicas.some((host) => healthy.has(host))) lastCopies.set(active, (lastCopies.get(active) ?? 0) + 1);
      missing += Math.max(0, wanted - replicas.filter((host) => host !== '').length);
    }
  }
  return { held, lastCopies, lost, missing };
}

function isServing(node: NodeAnswer): boolean {
  return node.clusterMembership === 'active' && node.status === 'healthy';
}

function isData(node: NodeAnswer): boolean {
  return node.services?.includes('kv') === true;
}

/** How many active nodes there are, and how many of them answer. */
function voters(pool: PoolAnswer): { readonly all: number; readonly live: number; readonly quorum: number } {
  const all = (pool.nodes ?? []).filter((node) => node.clusterMembership === 'active').length;
  const live = (pool.nodes ?? []).filter(isServing).length;
  return { all, live, quorum: Math.floor(all / 2) + 1 };
}

/** This node by its own word. It is joined while it is active, healthy, and sees a majority. */
export function nodeOf(reading: Reading, processId: string): NodeObservation | undefined {
  const self = reading.pool.nodes?.find(({ thisNode }) => thisNode === true);
  const standing = standings[self?.clusterMembership ?? ''];
  if (self === undefined || standing === undefined) return undefined;
  const { live, quorum } = voters(reading.pool);
  return {
    nodeId: self.nodeUUID ?? '',
    processId,
    joined: isServing(self) && live >= quorum,
    shards: countCopies(reading).held.get(hostOf(self.hostname)) ?? 0,
    version: semverOf(self.version),
    standing,
  };
}

/** What this node holds, all from one reading. */
export function evidenceOf(reading: Reading, processId: string): Evidence | undefined {
  const node = nodeOf(reading, processId);
  const self = reading.pool.nodes?.find(({ thisNode }) => thisNode === true);
  if (node === undefined || self === undefined) return undefined;
  const counts = countCopies(reading);
  const host = hostOf(self.hostname);
  const { live, quorum } = voters(reading.pool);
  return {
    nodeId: node.nodeId,
    processId,
    stateVersion: 0n,
    shards: counts.held.get(host) ?? 0,
    lastCopies: counts.lastCopies.get(host) ?? 0,
    unassignedPrimaries: counts.lost,
    unassigned: counts.missing,
    moving: isRebalancing(reading) ? 1 : 0,
    liveVoters: live,
    quorum,
    ...(node.standing && { standing: node.standing }),
  };
}

/** What the leader says of the whole cluster. */
export function clusterOf(reading: Reading): {
  readonly health: Health;
  readonly nodes: readonly string[];
  readonly unassigned: number;
  readonly unassignedPrimaries: number;
  readonly quorum: number;
  readonly topology: Topology;
} {
  const topology = topologyOf(reading);
  const { lost, missing } = countCopies(reading);
  const { live, quorum } = voters(reading.pool);
  const calm = topology.balanced && !topology.rebalancing && missing === 0;
  const whole = topology.nodes.every(({ healthy, standing }) => healthy && standing === 'active');
  const health = lost > 0 || live < quorum ? 'red' : calm && whole ? 'green' : 'yellow';
  const nodes = topology.nodes.filter((node) => node.healthy && node.standing === 'active').map(({ host }) => host);
  return { health, nodes, unassigned: missing, unassignedPrimaries: lost, quorum, topology };
}
