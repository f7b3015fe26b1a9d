/** PURE: from the database's own JSON to what Navigator says of it. */
import type { ClusterObservation, Evidence, Health, NodeObservation } from '../../model.ts';
import { allocationOf, asCount, excludedNames, isExcluded, quorumOf, type ClusterSettings } from './settings.ts';

/** Which process answers at this member's port. */
export interface Identity {
  readonly name: string;
  readonly nodeId: string;
  readonly version: string;
}

export interface StateNode {
  readonly name: string;
  readonly processId: string;
}

/** One copy of a shard; `node` is where it is, `target` where it moves to. */
export interface Copy {
  readonly index: string;
  readonly shard: number;
  readonly primary: boolean;
  readonly state: string;
  readonly node: string | null;
  readonly target: string | null;
  readonly unassignedReason?: string;
}

/** One cluster state: everything in it was true at `version`. */
export interface ClusterState {
  readonly version: bigint;
  /** Node id; absent while no master is elected. */
  readonly master?: string;
  /** By node id. */
  readonly nodes: ReadonlyMap<string, StateNode>;
  readonly copies: readonly Copy[];
}

/** A voter that answered, by node id, with the minimum of masters that its file says. */
export type Voters = ReadonlyMap<string, number | undefined>;

type Json = Readonly<Record<string, unknown>>;

/** The identity in an answer of `_nodes/_local`, or undefined where it names no node. */
export function parseIdentity(answer: unknown): Identity | undefined {
  const [found] = Object.entries(object(object(answer)['nodes']));
  if (!found) return undefined;
  const { name, version } = object(found[1]);
  if (typeof name !== 'string' || typeof version !== 'string') return undefined;
  return { name, nodeId: found[0], version };
}

/** The id of the block that lies on a cluster until its master has read the indices and settings from disk. */
const notRecovered = '1';

/**
 * A cluster state, or undefined where the answer is not one. Just after an election of a restarted cluster it names no
 * index and no setting: that is unknown, and must not pass for a cluster that holds nothing.
 */
export function parseState(answer: unknown): ClusterState | undefined {
  const { version, master_node: master, nodes, routing_table: routing, blocks } = object(answer);
  if (typeof version !== 'number') return undefined;
  if (notRecovered in object(object(blocks)['global'])) return undefined;
  const members = new Map<string, StateNode>();
  for (const [id, node] of Object.entries(object(nodes))) {
    members.set(id, { name: String(object(node)['name']), processId: String(object(node)['ephemeral_id']) });
  }
  const state = { version: BigInt(version), nodes: members, copies: parseCopies(object(routing)) };
  return typeof master === 'string' ? { ...state, master } : state;
}

function parseCopies(routing: Json): Copy[] {
  const copies: Copy[] = [];
  for (const [index, entry] of Object.entries(object(routing['indices']))) {
    for (const [shard, entries] of Object.entries(object(object(entry)['shards']))) {
      for (const one of Array.isArray(entries) ? entries : []) {
        const { primary, state, node, relocating_node: target, unassigned_info: unassigned } = object(one);
        const reason = object(unassigned)['reason'];
        copies.push({
          index,
          shard: Number(shard),
          primary: primary === true,
          state: String(state),
          node: typeof node === 'string' ? node : null,
          target: typeof target === 'string' ? target : null,
          ...(typeof reason === 'string' ? { unassignedReason: reason } : {}),
        });
      }
    }
  }
  return copies;
}

/** The voters in an answer of `_nodes/master:true/settings`: those alone that answered within its time. */
export function parseVoters(answer: unknown): Voters {
  const voters = new Map<string, number | undefined>();
  for (const [id, node] of Object.entries(object(object(answer)['nodes']))) {
    const minimum = asCount(object(object(node)['settings'])['discovery.zen.minimum_master_nodes']);
    voters.set(id, minimum);
  }
  return voters;
}

/** All that evidence is made of. `processId` is that of the process which answers at this member's port. */
export interface EvidenceSources {
  readonly own: Identity;
  readonly processId: string;
  readonly state: ClusterState;
  readonly settings: ClusterSettings;
  readonly voters: Voters;
}

/**
 * What this node holds. Undefined where the state has no master, or does not have this very process in it: the master
 * may still list an earlier life of the node, or none at all, and neither says what the node holds now.
 */
export function evidenceFrom(sources: EvidenceSources): Evidence | undefined {
  const { own, processId, state, settings, voters } = sources;
  if (state.master === undefined || state.nodes.get(own.nodeId)?.processId !== processId) return undefined;
  const quorum = quorumOf(settings) ?? voters.get(state.master);
  return {
    nodeId: own.nodeId,
    processId,
    stateVersion: state.version,
    shards: state.copies.filter((copy) => isOn(copy, own.nodeId)).length,
    lastCopies: countLastCopies(state.copies, own.nodeId),
    unassignedPrimaries: countLostPrimaries(state.copies),
    unassigned: state.copies.filter(({ state: phase }) => phase === 'UNASSIGNED').length,
    moving: state.copies.filter(({ state: phase }) => phase === 'INITIALIZING' || phase === 'RELOCATING').length,
    excluded: isExcluded(settings, own.name),
    allocation: allocationOf(settings),
    liveVoters: [...voters.keys()].filter((id) => state.nodes.has(id)).length,
    ...(quorum === undefined ? {} : { quorum }),
  };
}

/** A copy is on the node that it leaves and on the one that it moves to, both at once. */
function isOn(copy: Copy, nodeId: string): boolean {
  return copy.node === nodeId || copy.target === nodeId;
}

/** Shards of which no other node has a copy that can serve: they would be gone with this node. */
export function countLastCopies(copies: readonly Copy[], nodeId: string): number {
  const here = new Set<string>();
  const elsewhere = new Set<string>();
  for (const copy of copies) {
    const key = `${copy.index}\n${copy.shard}`;
    if (isOn(copy, nodeId)) here.add(key);
    // A relocating copy serves where it comes from until it has arrived.
    const serves = copy.state === 'STARTED' || copy.state === 'RELOCATING';
    if (serves && copy.node !== null && copy.node !== nodeId) elsewhere.add(key);
  }
  return [...here].filter((key) => !elsewhere.has(key)).length;
}

/** Primaries that once were somewhere and now are nowhere. One that was never allocated holds nothing yet. */
export function countLostPrimaries(copies: readonly Copy[]): number {
  return copies.filter(
    ({ primary, state, unassignedReason }) => primary && state === 'UNASSIGNED' && unassignedReason !== 'INDEX_CREATED',
  ).length;
}

/** All that an observation of a node is made of. Each field is the database's JSON. */
export interface NodeSources {
  readonly identity: Identity;
  readonly state: ClusterState;
  readonly stats: unknown;
}

/** This node as it sees itself: `state` is its own and may be old, but says whether it has a master. */
export function nodeFrom(sources: NodeSources): NodeObservation | undefined {
  const { identity, state, stats } = sources;
  const processId = state.nodes.get(identity.nodeId)?.processId;
  if (processId === undefined) return undefined;
  const indices = object(object(object(object(stats)['nodes'])[identity.nodeId])['indices']);
  const documents = asCount(object(indices['docs'])['count']);
  return {
    nodeId: identity.nodeId,
    processId,
    joined: state.master !== undefined && state.nodes.has(state.master),
    version: identity.version,
    ...(documents === undefined ? {} : { documents, shards: countLocalShards(object(indices['shards'])) }),
  };
}

function countLocalShards(shards: Json): number {
  return Object.values(shards).reduce((sum: number, of) => sum + (Array.isArray(of) ? of.length : 0), 0);
}

/** All that an observation of the cluster is made of. */
export interface ClusterSources {
  /** The answer of `_cluster/health`. */
  readonly health: unknown;
  readonly settings: ClusterSettings;
  /** Its copies matter only where the health is red. */
  readonly state: ClusterState;
  readonly documents: number;
}

/** The whole cluster, or undefined where no master is elected. */
export function clusterFrom(sources: ClusterSources): ClusterObservation | undefined {
  const { settings, state, documents } = sources;
  const health = object(sources.health);
  const status = healthOf(health);
  const master = state.master === undefined ? undefined : state.nodes.get(state.master);
  if (!master) return undefined;
  const quorum = quorumOf(settings);
  return {
    stateVersion: state.version,
    health: status,
    nodes: [...state.nodes.values()].map((node) => node.name).sort(),
    moving: (asCount(health['relocating_shards']) ?? 0) + (asCount(health['initializing_shards']) ?? 0),
    unassigned: asCount(health['unassigned_shards']) ?? 0,
    unassignedPrimaries: status === 'red' ? countLostPrimaries(state.copies) : 0,
    excluded: excludedNames(settings),
    allocation: allocationOf(settings),
    documents,
    electedMaster: master.name,
    ...(quorum === undefined ? {} : { quorum }),
  };
}

/** The colour in an answer of `_cluster/health`. */
export function healthOf(health: unknown): Health {
  const status = object(health)['status'];
  return status === 'green' || status === 'yellow' || status === 'red' ? status : 'unknown';
}

/** The count of documents in an answer of `_stats/docs`, replicas not counted; undefined where no shard answered. */
export function documentsOf(stats: unknown): number | undefined {
  const { _shards: shards, _all: all } = object(stats);
  // Of no index there are no figures at all, which is a known 0.
  if (object(shards)['total'] === 0) return 0;
  return asCount(object(object(object(all)['primaries'])['docs'])['count']);
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
