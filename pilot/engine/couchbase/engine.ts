/** The engine of Couchbase: all that speaks to one member's node, and, where the pilot leads, to the cluster through it. */
import { closeSync, openSync, fstatSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, type Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Random } from '../../../shared/random.ts';
import type {
  AutoFailover,
  ClusterObservation,
  Evidence,
  Launch,
  MemberSpec,
  NodeObservation,
  Settings,
} from '../../model.ts';
import type { Engine, Place } from '../engine.ts';
import { exists, ownedDirectory, passableDirectory, writeWhole } from '../files.ts';
import { accessSteps } from './access.ts';
import { quotaForm, servicesOf, stepsOf } from './orders.ts';
import { Papers } from './papers.ts';
import { createRest, readCredentials, type Rest } from './rest.ts';
import {
  clusterOf,
  evidenceOf,
  nodeOf,
  semverOf,
  topologyDigest,
  topologyOf,
  type PoolAnswer,
  type Reading,
} from './state.ts';

const callLimitMs = 5_000;
const setUpLimitMs = 30_000;
const readTriesMax = 3;
const pollMs = 500;
/** Of a graceful failover, which moves no data but waits until the replicas have it. */
const handOverLimitMs = 300_000;
const logBytesMax = 64 * 1024;
/** Another one at each start of the process. */
const lifeFile = 'couchbase-life';
/** This node has been part of a cluster: it never makes one of itself again. */
const foundedFile = 'couchbase-founded';
const consoleFile = 'console.log';
const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CouchbasePlace extends Place {
  readonly credentialsFile: string;
  /** Where the passwords of users are, a file each, as the credentials'. Absent: there are none. */
  readonly secretsDirectory?: string;
  /** Absent: plain HTTP to the node's own address. */
  readonly caFile?: string;
  /** With the certificate that the node is to show, `chain.pem` and `pkey.key`. Absent: it shows what it has. */
  readonly certificateDirectory?: string;
}

export interface CouchbaseDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** PATH of the server; absent: that of a usual system. */
  readonly path?: string;
}

/** The engine of the member at `place`. What it remembers saves calls, and is nothing that its death would lose. */
export function createCouchbaseEngine(place: CouchbasePlace, deps: CouchbaseDeps): Engine {
  const rest = createRest(deps.clock, place);
  const working = new Working();
  const checked = new Map<string, string>();
  const papers = papersOf(place, deps.clock);
  return {
    prepare: () => prepare(place, deps.random),
    launch: (spec) => launch(place, spec, deps.path ?? standardPath),
    settle: async (spec) => {
      await unlessAway(async () => papers?.bring());
      await settle(rest, place, spec);
    },
    observeNode: () => unlessAway(() => observeNode(rest, place)),
    observeCluster: () => unlessAway(() => observeCluster(rest)),
    readEvidence: () => unlessAway(() => readEvidence(rest, place)),
    applySettings: (settings) => applySettings({ rest, place, working, checked }, settings),
    beforeStop: (verb) => (verb === 'restart' || verb === 'upgrade' ? handOver(rest, deps.clock) : Promise.resolve()),
    wipe: async () => {
      await rest.call({ method: 'POST', path: '/controller/hardResetNode', limitMs: setUpLimitMs });
    },
    lastLog: (lines) => lastLog(join(place.directory, consoleFile), lines),
  };
}

function papersOf(place: CouchbasePlace, clock: Clock): Papers | undefined {
  const { caFile, certificateDirectory, ...own } = place;
  if (caFile === undefined || certificateDirectory === undefined) return undefined;
  return new Papers({ ...own, caFile, certificateDirectory }, createRest(clock, own), clock);
}

async function prepare(place: CouchbasePlace, random: Random): Promise<void> {
  readCredentials(place.credentialsFile);
  await passableDirectory(place.directory, place.uid);
  await ownedDirectory(join(place.directory, 'data'), place.uid);
  await writeWhole(join(place.directory, lifeFile), random.hex(8));
}

/** In the foreground, as the official image does it. A command of another kind is told in its environment where it is to run. */
function launch(place: CouchbasePlace, spec: MemberSpec, path: string): Launch {
  const args = ['--', '-kernel', 'global_enable_tracing', 'false', '-noinput'];
  const data = join(place.directory, 'data');
  const told = { NAVIGATOR_ADDRESS: place.address, NAVIGATOR_DIRECTORY: data, NAVIGATOR_VERSION: spec.version };
  return {
    command: join(place.distribution, 'bin/couchbase-server'),
    args,
    env: { PATH: path, HOME: data, ...told },
    cwd: data,
    ...(place.uid !== undefined && { uid: place.uid }),
  };
}

/**
 * Sets the paths of a node of no cluster, and has the founder make a cluster of itself, once in its life: one that was
 * part of a cluster and is none any more was taken out of it, whatever it was told when it began.
 */
async function settle(rest: Rest, place: CouchbasePlace, spec: MemberSpec): Promise<void> {
  const { couchbase } = spec;
  const founded = join(place.directory, foundedFile);
  const pools = await unlessAway(() => readPools(rest));
  if (couchbase === undefined || pools === undefined) return;
  if (pools.member) {
    if (!(await exists(founded))) await writeWhole(founded, place.address);
    return;
  }
  if (!couchbase.founds || (await exists(founded))) return;
  const { username, password } = readCredentials(place.credentialsFile);
  const paths = Object.fromEntries(
    ['path', 'index_path', 'eventing_path', 'cbas_path'].map((key) => [key, join(place.directory, 'data')]),
  );
  const post = (path: string, form: Readonly<Record<string, string | number>>): Promise<unknown> =>
    rest.call({ method: 'POST', path, form, limitMs: setUpLimitMs });
  await post('/nodes/self/controller/settings', paths);
  await post('/clusterInit', {
    ...{ hostname: place.address, username, password, port: 'SAME', services: servicesOf(spec.roles) },
    ...quotaForm(couchbase.memoryQuotas),
    clusterName: place.cluster,
  });
}

interface Pools {
  /** Whether the node is of a cluster. */
  readonly member: boolean;
  readonly version: string;
}

async function readPools(rest: Rest): Promise<Pools | undefined> {
  const answer = (await get(rest, '/pools')) as { pools?: unknown[]; implementationVersion?: string } | undefined;
  if (answer?.pools === undefined) return undefined;
  return { member: answer.pools.length > 0, version: semverOf(answer.implementationVersion) };
}

/** A node that is ejected says for a moment that it is of a cluster and has no pool; then nothing is known of it. */
async function read(rest: Rest): Promise<Reading | undefined> {
  let pool = (await get(rest, '/pools/default')) as PoolAnswer | undefined;
  for (let attempt = 0; attempt < readTriesMax && pool !== undefined; attempt++) {
    const [tasks, buckets] = await Promise.all([
      get(rest, '/pools/default/tasks'),
      get(rest, '/pools/default/buckets'),
    ]);
    const after = (await get(rest, '/pools/default')) as PoolAnswer | undefined;
    if (after === undefined || !Array.isArray(tasks) || !Array.isArray(buckets)) return undefined;
    const [one, other] = [pool, after].map((each) => topologyDigest({ pool: each, tasks }));
    if (one === other) {
      const lists = { tasks: tasks as Reading['tasks'], buckets: buckets as Reading['buckets'] };
      return { pool: after, ...lists, administrator: rest.administrator() };
    }
    pool = after;
  }
  return undefined;
}

function lifeOf(place: CouchbasePlace): string {
  try {
    return readFileSync(join(place.directory, lifeFile), 'utf8');
  } catch {
    return '';
  }
}

async function observeNode(rest: Rest, place: CouchbasePlace): Promise<NodeObservation | undefined> {
  const pools = await readPools(rest);
  if (pools === undefined) return undefined;
  const { member, version } = pools;
  const fresh = { nodeId: '', processId: lifeOf(place), joined: false, shards: 0, version, standing: 'fresh' } as const;
  if (!member) return fresh;
  const reading = await read(rest);
  return reading && nodeOf(reading, lifeOf(place));
}

async function observeCluster(rest: Rest): Promise<ClusterObservation | undefined> {
  const reading = await read(rest);
  if (reading === undefined) return undefined;
  const cluster = clusterOf(reading);
  return {
    stateVersion: 0n,
    ...cluster,
    moving: cluster.topology.rebalancing ? 1 : 0,
    excluded: [],
    allocation: 'all',
    documents: 0,
    electedMaster: '',
  };
}

async function readEvidence(rest: Rest, place: CouchbasePlace): Promise<Evidence | undefined> {
  const pools = await readPools(rest);
  if (pools === undefined) return undefined;
  if (!pools.member) return { nodeId: '', processId: lifeOf(place), stateVersion: 0n, shards: 0, standing: 'fresh' };
  const reading = await read(rest);
  return reading && evidenceOf(reading, lifeOf(place));
}

/** What was begun and takes longer than a look may. Its end, good or bad, is seen in the next topology. */
class Working {
  #busy = '';
  #trouble = '';

  /** Begins, where nothing is under way; always rejects, because nothing is true yet. */
  begin(what: string, work: () => Promise<unknown>): never {
    if (this.#busy !== '') throw new NavigatorError('unavailable', `under way: ${this.#busy}`);
    const message = this.#trouble;
    this.#busy = what;
    this.#trouble = '';
    work()
      .catch((thrown: unknown) => {
        this.#trouble = `${what}: ${NavigatorError.from(thrown).message}`;
      })
      .finally(() => {
        this.#busy = '';
      });
    throw new NavigatorError('unavailable', message === '' ? `begun: ${what}` : message);
  }
}

interface Leading {
  readonly rest: Rest;
  readonly place: CouchbasePlace;
  readonly working: Working;
  readonly checked: Map<string, string>;
}

async function applySettings(leading: Leading, settings: Settings): Promise<void> {
  const { rest, place, working, checked } = leading;
  const { topology: order } = settings;
  if (order === undefined) return;
  const [reading, auto] = await Promise.all([read(rest), get(rest, '/settings/autoFailover')]);
  if (reading === undefined) throw new NavigatorError('unavailable', 'the topology cannot be read');
  const autoFailover = auto as AutoFailover;
  const { credentialsFile, secretsDirectory } = place;
  const first = stepsOf({ rest, credentialsFile, order, reading, autoFailover });
  const secrets = secretsDirectory === undefined ? {} : { secretsDirectory };
  const isCalm = first.length === 0 && !topologyOf(reading).rebalancing;
  const steps = isCalm ? await accessSteps({ rest, order, credentialsFile, checked, ...secrets }) : first;
  if (steps.length === 0) return;
  const what = steps.map((step) => step.what).join(', ');
  working.begin(what, async () => {
    for (const step of steps) await step.run();
  });
}

/**
 * A graceful failover of this node: its active vBuckets change places with their replicas, nobody misses an answer, and it
 * comes back by delta recovery. Where the database refuses, for one because there are no replicas, it is stopped as it is:
 * what it holds is on its disk.
 */
async function handOver(rest: Rest, clock: Clock): Promise<void> {
  const before = await unlessAway(() => read(rest));
  const self = before?.pool.nodes?.find(({ thisNode }) => thisNode === true);
  if (before === undefined || self?.otpNode === undefined || topologyOf(before).rebalancing) return;
  const form = { otpNode: self.otpNode };
  const path = '/controller/startGracefulFailover';
  const begun = await rest.call({ method: 'POST', path, form, limitMs: setUpLimitMs }).then(
    () => true,
    () => false,
  );
  const untilMs = clock.monotonicMs() + handOverLimitMs;
  while (begun && clock.monotonicMs() < untilMs) {
    await sleep(clock, pollMs);
    const reading = await unlessAway(() => read(rest));
    if (reading !== undefined && !topologyOf(reading).rebalancing) return;
  }
}

function get(rest: Rest, path: string): Promise<unknown> {
  return rest.call({ method: 'GET', path, limitMs: callLimitMs });
}

/** Undefined where the database does not answer, or answers that it cannot: both mean that nothing is known. */
async function unlessAway<T>(reading: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await reading();
  } catch (thrown) {
    const error = NavigatorError.from(thrown);
    if (error.code === 'unavailable' || error.code === 'timeout' || error.code === 'not_found') return undefined;
    throw error;
  }
}

function lastLog(path: string, lines: number): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, logBytesMax));
    const length = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString('utf8', 0, length).trimEnd();
    return lines > 0 ? text.split('\n').slice(-lines).join('\n') : '';
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
