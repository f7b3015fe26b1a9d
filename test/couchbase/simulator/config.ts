/**
 * What the nodes of one simulated cluster agree on, and every change to it. Pure: each change takes a config and gives
 * the next one. The words are those of Couchbase's own REST interface.
 */
import { remembered } from '../../../shared/remembered.ts';
import type { BucketMap } from './vbuckets.ts';

export type Membership = 'active' | 'inactiveAdded' | 'inactiveFailed';
export type Recovery = 'none' | 'full' | 'delta';

export interface NodeEntry {
  readonly otp: string;
  /** Without a port. */
  readonly host: string;
  readonly uuid: string;
  readonly version: string;
  readonly membership: Membership;
  readonly recovery: Recovery;
  readonly services: readonly string[];
  /** The uuid of its server group; absent: the first one. */
  readonly group?: string;
  /** Whether a rebalance has seen to it since it was added or others have gone. */
  readonly balanced: boolean;
}

export interface Bucket {
  readonly name: string;
  readonly uuid: string;
  readonly ramMb: number;
  readonly type: string;
  readonly replicas: number;
  readonly eviction: string;
  readonly flush: boolean;
  readonly map: BucketMap;
}

/** Of the last rebalance, failover or graceful failover. */
export interface Outcome {
  readonly subtype: string;
  readonly reportId: string;
  readonly errorMessage?: string;
}

export interface Running {
  readonly id: string;
  readonly subtype: 'rebalance' | 'gracefulFailover';
  readonly orchestrator: string;
  /** Of the orchestrator's process: one that has been restarted goes on with nothing. */
  readonly life: string;
  readonly progress: number;
  readonly keep: readonly string[];
  readonly eject: readonly string[];
  readonly failed: readonly string[];
  readonly delta: readonly string[];
}

export interface AutoFailover {
  readonly enabled: boolean;
  readonly timeout: number;
  readonly maxCount: number;
  readonly count: number;
}

export interface Config {
  /** Grows with every change; the higher one counts. */
  readonly rev: number;
  readonly uuid: string;
  readonly name: string;
  readonly username: string;
  readonly password: string;
  readonly quotas: Readonly<Record<string, number>>;
  readonly nodes: Readonly<Record<string, NodeEntry>>;
  readonly buckets: Readonly<Record<string, Bucket>>;
  readonly autoFailover: AutoFailover;
  readonly users: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly groups: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Names of server groups by their uuids, beside the first one. */
  readonly serverGroups?: Readonly<Record<string, string>>;
  /** How many rebalances were begun, for tests. */
  readonly rebalances: number;
  readonly running?: Running;
  readonly last?: Outcome;
}

export const defaultAutoFailover: AutoFailover = { enabled: true, timeout: 120, maxCount: 1, count: 0 };
export const defaultQuotas: Readonly<Record<string, number>> = {
  memoryQuota: 256,
  indexMemoryQuota: 512,
  ftsMemoryQuota: 256,
  cbasMemoryQuota: 1024,
  eventingMemoryQuota: 256,
};
export const knownServices: readonly string[] = ['kv', 'index', 'n1ql', 'fts', 'cbas', 'eventing', 'backup'];

export const entries = remembered((config: Config): readonly NodeEntry[] =>
  Object.values(config.nodes).toSorted((a, b) => (a.otp < b.otp ? -1 : 1)),
);

/** Every cluster has it from the beginning. */
export const firstGroup = { uuid: '0', name: 'Group 1' };

/** Server groups by their uuids. */
export function groupsOf({ serverGroups = {} }: Config): Readonly<Record<string, string>> {
  return { [firstGroup.uuid]: firstGroup.name, ...serverGroups };
}

/** Those whose voice counts in the quorum. */
export function activeNodes(config: Config): readonly NodeEntry[] {
  return entries(config).filter(({ membership }) => membership === 'active');
}

export function isData(entry: NodeEntry): boolean {
  return entry.services.includes('kv');
}

export function withNode(config: Config, entry: NodeEntry): Config {
  return { ...config, nodes: { ...config.nodes, [entry.otp]: entry } };
}

export function changeNodes(
  config: Config,
  otps: readonly string[],
  change: (entry: NodeEntry) => Partial<NodeEntry>,
): Config {
  const nodes = Object.fromEntries(
    Object.entries(config.nodes).map(([otp, entry]) => [
      otp,
      otps.includes(otp) ? { ...entry, ...change(entry) } : entry,
    ]),
  );
  return { ...config, nodes };
}

export function withoutNodes(config: Config, otps: readonly string[]): Config {
  const nodes = Object.fromEntries(Object.entries(config.nodes).filter(([otp]) => !otps.includes(otp)));
  return { ...config, nodes };
}

/** Without its running rebalance, which has ended so. */
export function ended(config: Config, last: Outcome): Config {
  const { running: _running, ...rest } = config;
  return { ...rest, last };
}

/** What a rebalance would do, or the words with which it is refused. */
export type Judged =
  | { readonly refusal: string }
  | { readonly keep: readonly string[]; readonly eject: readonly string[]; readonly failed: readonly string[] };

/** The compare-and-set on topology: `known` must be exactly the nodes that there are. */
export function judgeRebalance(config: Config, known: readonly string[], ejected: readonly string[]): Judged {
  if (known.length === 0) return { refusal: '{"empty_known_nodes":1}' };
  const all = Object.keys(config.nodes);
  const exact = known.length === all.length && all.every((otp) => known.includes(otp));
  if (!exact || !ejected.every((otp) => known.includes(otp))) return { refusal: '{"mismatch":1}' };
  const failed = entries(config)
    .filter(({ membership }) => membership === 'inactiveFailed')
    .map(({ otp }) => otp);
  const gone = new Set([...ejected, ...failed]);
  const keep = all.filter((otp) => !gone.has(otp));
  if (keep.length === 0) return { refusal: 'No active nodes left' };
  const hasData = keep.some((otp) => isData(config.nodes[otp]!));
  if (!hasData) return { refusal: '{"noKVNodesLeft":1}' };
  return { keep, eject: ejected.filter((otp) => !failed.includes(otp)), failed };
}

/** Whether nothing waits for a rebalance. It knows nothing of health. */
export function isBalanced(config: Config): boolean {
  return entries(config).every(({ membership, balanced }) => membership === 'active' && balanced);
}
