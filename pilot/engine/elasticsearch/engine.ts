/** The engine of Elasticsearch: all reading and writing of one member's node, of its files and of its cluster. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { within, type Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { ClusterObservation, Evidence, Launch, MemberSpec, NodeObservation, Settings } from '../../model.ts';
import { objectionToOld, refuseUnlessLeading, type Engine, type MayWrite, type Place } from '../engine.ts';
import { commandLine, elasticsearchYml, environment, jvmOptions, pathsOf } from './config.ts';
import { familyOf } from './family.ts';
import { ownedDirectory, passableDirectory, removeAll, writeWhole } from '../files.ts';
import { prepareHome } from './home.ts';
import { createHttp, type Http } from './http.ts';
import { applyPlugins, readPluginRecord } from './plugins.ts';
import { parseSettings, sameSettings, settingsChanges, type ClusterSettings } from './settings.ts';
import * as states from './state.ts';
import { asUser } from '../tool.ts';

const callLimitMs = 5_000;
const writeLimitMs = 15_000;
const flushLimitMs = 10_000;
/** How late the end of a wait may be noticed. */
const promptMs = 2_000;
const readTriesMax = 3;
const logBytesMax = 64 * 1024;

const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const nodeFields = 'version,master_node,nodes.*.name,nodes.*.ephemeral_id';
const copyFields = ['state', 'primary', 'node', 'relocating_node', 'unassigned_info.reason']
  .map((field) => `routing_table.indices.*.shards.*.${field}`)
  .join(',');

export interface ElasticsearchDeps {
  readonly clock: Clock;
  /** PATH of the tools; absent: that of a usual system. */
  readonly path?: string;
}

/** The engine of the member at `place`. It holds nothing that matters: another one on the same place goes on. */
export function createElasticsearchEngine(place: Place, deps: ElasticsearchDeps): Engine {
  const node = createHttp(deps.clock, ownAddress(place), place.httpPort);
  const path = deps.path ?? standardPath;
  let documents: number | undefined;
  return {
    prepare: (spec) => prepare(place, spec, path),
    launch: (spec) => launch(place, spec, path),
    observeNode: () => unlessAway(() => observeNode(node, place.member)),
    observeCluster: async () => {
      const cluster = await unlessAway(() => observeCluster(node, documents));
      documents = cluster?.documents ?? documents;
      return cluster;
    },
    readEvidence: () => unlessAway(() => readEvidence(node, place.member)),
    applySettings: (settings, mayWrite) => applySettings(node, settings, mayWrite),
    beforeStop: async (permit) => {
      const sinceMs = deps.clock.monotonicMs();
      await flush(node, deps.clock);
      return permit && objectionToOld(deps.clock, sinceMs, flushLimitMs + promptMs);
    },
    lastLog: (lines) => lastLog(join(place.directory, 'logs', `${place.cluster}.log`), lines),
  };
}

/** Where the pilot beside it reaches the database, without a resolver or a network in between where that is possible. */
function ownAddress(place: Place): string {
  if (place.bind === undefined) return place.address;
  if (place.bind === '0.0.0.0') return '127.0.0.1';
  return place.bind === '::' ? '::1' : place.bind;
}

async function prepare(place: Place, spec: MemberSpec, path: string): Promise<void> {
  const paths = pathsOf(place, spec.version);
  // Made before anything is written, so that a specification that cannot be met changes nothing.
  const yml = elasticsearchYml(spec, place);
  await passableDirectory(place.directory, place.uid);
  for (const each of [paths.data, paths.logs, paths.config]) await ownedDirectory(each, place.uid);
  await removeAll(paths.tmp);
  await ownedDirectory(paths.tmp, place.uid);
  const record = await readPluginRecord(place.directory);
  const known = record?.settled === true && record.version === spec.version;
  const home = await prepareHome({ place, version: spec.version, anew: !known, path });
  // Elasticsearch 6 makes its keystore at its first start, and never starts again where it was killed in the midst of that.
  await removeAll(join(paths.config, 'elasticsearch.keystore.tmp'));
  await removeAll(join(paths.config, 'log4j2.properties'));
  await copyFile(join(home, 'config/log4j2.properties'), join(paths.config, 'log4j2.properties'));
  await writeWhole(join(paths.config, 'elasticsearch.yml'), yml, place.uid);
  await writeWhole(join(paths.config, 'jvm.options'), jvmOptions(spec, place), place.uid);
  const env = environment(spec, place, path);
  const work = { place, version: spec.version, home, tmp: paths.tmp, env };
  await applyPlugins(work, spec.plugins, known ? record.folders : {});
}

/** The change of user is part of the command line, so that `Launch.uid` stays absent: whoever spawns it changes nothing. */
function launch(place: Place, spec: MemberSpec, path: string): Launch {
  const [command, ...args] = asUser(place.uid, commandLine(spec, place));
  return { command, args, env: environment(spec, place, path), cwd: pathsOf(place, spec.version).home };
}

async function observeNode(node: Http, member: string): Promise<NodeObservation | undefined> {
  const [identity, state, stats] = await Promise.all([
    readIdentity(node, member),
    readLocalNodes(node),
    get(node, '/_nodes/_local/stats/indices/docs?level=shards&filter_path=' + statsFields),
  ]);
  return identity && state && states.nodeFrom({ identity, state, stats });
}

const statsFields = 'nodes.*.indices.docs.count,nodes.*.indices.shards.*.*.routing.state';

/** `before` is the count of documents of the last time. */
async function observeCluster(node: Http, before: number | undefined): Promise<ClusterObservation | undefined> {
  // Without a master the database would keep each of the questions below waiting for one.
  if ((await readLocalNodes(node))?.master === undefined) return undefined;
  const [health, settings, counted] = await Promise.all([
    get(node, '/_cluster/health?master_timeout=3s'),
    readSettings(node),
    countDocuments(node),
  ]);
  const documents = counted ?? before;
  const state = await readState(node, states.healthOf(health) === 'red');
  if (!state || documents === undefined) return undefined;
  return states.clusterFrom({ health, settings, state, documents });
}

/** Counting asks every node: while one of them hangs, the cluster is still observed, with the count of before. */
async function countDocuments(node: Http): Promise<number | undefined> {
  const path = '/_stats/docs?filter_path=_shards.total,_all.primaries.docs.count';
  return await unlessAway(async () => states.documentsOf(await get(node, path)));
}

/**
 * The settings are not part of the cluster state that the database shows, so they are read before it and after it:
 * equal both times, they held at the state's own moment. The voters are read before: one that joined since is not
 * counted, one that has gone since is not in the state.
 */
async function readEvidence(node: Http, member: string): Promise<Evidence | undefined> {
  const [own, local] = await Promise.all([readIdentity(node, member), readLocalNodes(node)]);
  const processId = own && local?.nodes.get(own.nodeId)?.processId;
  if (!own || processId === undefined || local?.master === undefined) return undefined;
  const [voters, first] = await Promise.all([
    get(node, `/_nodes/master:true/settings?flat_settings=true&timeout=2s&filter_path=${voterFields}`),
    readSettings(node),
  ]);
  let before: ClusterSettings = first;
  for (let attempt = 0; attempt < readTriesMax; attempt++) {
    const state = await readState(node, true);
    const after = await readSettings(node);
    if (!state) return undefined;
    if (sameSettings(before, after)) {
      return states.evidenceFrom({ own, processId, state, settings: after, voters: states.parseVoters(voters) });
    }
    before = after;
  }
  return undefined;
}

const voterFields = 'nodes.*.name,nodes.*.settings.discovery*';

async function readIdentity(node: Http, member: string): Promise<states.Identity | undefined> {
  const answer = await get(node, '/_nodes/_local/none?filter_path=nodes.*.name,nodes.*.version');
  const identity = states.parseIdentity(answer);
  // Another database at this address says nothing of this member.
  return identity?.name === member ? identity : undefined;
}

async function readLocalNodes(node: Http): Promise<states.ClusterState | undefined> {
  const path = `/_cluster/state/version,master_node,nodes?local=true&filter_path=${nodeFields}`;
  return states.parseState(await get(node, path));
}

/** One state of the elected master; never this node's own, which may be old. */
async function readState(node: Http, withCopies: boolean): Promise<states.ClusterState | undefined> {
  const metrics = `version,master_node,nodes,blocks${withCopies ? ',routing_table' : ''}`;
  const fields = `${nodeFields},blocks.global${withCopies ? `,${copyFields}` : ''}`;
  return states.parseState(await get(node, `/_cluster/state/${metrics}?master_timeout=3s&filter_path=${fields}`));
}

async function readSettings(node: Http): Promise<ClusterSettings> {
  return parseSettings(await get(node, '/_cluster/settings?flat_settings=true'));
}

async function applySettings(node: Http, wanted: Settings, mayWrite?: MayWrite): Promise<void> {
  const identity = states.parseIdentity(
    await get(node, '/_nodes/_local/none?filter_path=nodes.*.name,nodes.*.version'),
  );
  if (!identity) throw new NavigatorError('unavailable', 'the database does not say which version it is');
  const changes = settingsChanges(await readSettings(node), wanted, familyOf(identity.version));
  for (const body of changes) {
    refuseUnlessLeading(mayWrite);
    const path = '/_cluster/settings?master_timeout=5s&timeout=5s';
    await node.call({ method: 'PUT', path, body, limitMs: writeLimitMs });
  }
}

/** A synced flush may be refused for shards that are being written to; a plain one then still shortens the restart. */
async function flush(node: Http, clock: Clock): Promise<void> {
  const work = async (): Promise<void> => {
    try {
      await node.call({ method: 'POST', path: '/_flush/synced', limitMs: flushLimitMs });
    } catch {
      await node.call({ method: 'POST', path: '/_flush', limitMs: flushLimitMs });
    }
  };
  const late = (): Error => new NavigatorError('timeout', `no flush in ${flushLimitMs} ms`);
  await within(clock, flushLimitMs, work(), late).catch(() => undefined);
}

function get(node: Http, path: string): Promise<unknown> {
  return node.call({ method: 'GET', path, limitMs: callLimitMs });
}

/** Undefined where the database does not answer, or answers that it cannot: both mean that nothing is known. */
async function unlessAway<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await read();
  } catch (thrown) {
    const error = NavigatorError.from(thrown);
    if (error.code === 'unavailable' || error.code === 'timeout') return undefined;
    throw error;
  }
}

/** A link is not followed: the folder is the database's, and what it points to may not be. */
function lastLog(path: string, lines: number): string {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, logBytesMax));
    const read = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString('utf8', 0, read).trimEnd();
    return lines > 0 ? text.split('\n').slice(-lines).join('\n') : '';
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
