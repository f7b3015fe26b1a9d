/** The engine of Couchbase: all that speaks to one member's node, and, where the pilot leads, to the cluster through it. */
import { closeSync, openSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Random } from '../../../shared/random.ts';
import { same } from '../../../shared/same.ts';
import type {
  AutoFailover,
  ClusterObservation,
  Evidence,
  Launch,
  MemberSpec,
  NodeObservation,
  Settings,
} from '../../model.ts';
import { refuseUnlessLeading, type Engine, type MayWrite } from '../engine.ts';
import { accessSteps } from './access.ts';
import { groundAt, type Ground, type GroundPlace } from './ground.ts';
import { handOver } from './hand-over.ts';
import { quotaForm, servicesOf, stepsOf } from './orders.ts';
import { Papers } from './papers.ts';
import { createRest, type Rest } from './rest.ts';
import {
  basisOf,
  clusterOf,
  evidenceOf,
  isRebalancing,
  nodeOf,
  semverOf,
  type PoolAnswer,
  type Reading,
} from './state.ts';

const callLimitMs = 5_000;
const setUpLimitMs = 30_000;
const readTriesMax = 3;
const logBytesMax = 64 * 1024;
/** Another one at each start of the process. */
const lifeFile = 'couchbase-life';
/** This node has been part of a cluster: it never makes one of itself again. */
const foundedFile = 'couchbase-founded';
const consoleFile = 'console.log';
const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CouchbasePlace extends GroundPlace {
  /** With the certificate that the node is to show, `chain.pem` and `pkey.key`. Absent: it shows what it has. */
  readonly certificateDirectory?: string;
}

export interface CouchbaseDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** PATH of the server; absent: that of a usual system. */
  readonly path?: string;
  /** Absent: the machine that the pilot runs on. */
  readonly ground?: Ground;
}

/** The engine of the member at `place`. What it remembers saves calls, and is nothing that its death would lose. */
export function createCouchbaseEngine(place: CouchbasePlace, deps: CouchbaseDeps): Engine {
  const ground = deps.ground ?? groundAt(place, deps.clock);
  const rest = createRest(ground);
  const working = new Working();
  const checked = new Map<string, string>();
  const papers = papersOf(place, deps.clock);
  const look = (): Promise<Evidence | undefined> => unlessAway(() => readEvidence(rest, ground));
  return {
    prepare: () => prepare(ground, deps.random),
    launch: (spec) => launch(place, spec, deps.path ?? standardPath),
    settle: async (spec) => {
      await unlessAway(async () => papers?.bring());
      await settle({ rest, ground, place }, spec);
    },
    observeNode: () => unlessAway(() => observeNode(rest, ground)),
    observeCluster: () => unlessAway(() => observeCluster(rest)),
    readEvidence: look,
    applySettings: (settings, mayWrite) => applySettings({ rest, ground, working, checked }, settings, mayWrite),
    beforeStop: async (permit) => {
      const comesBack = permit?.verb === 'restart' || permit?.verb === 'upgrade';
      return comesBack ? handOver({ rest, clock: deps.clock, look }, permit.approvedHolds) : undefined;
    },
    wipe: async () => {
      await rest.call({ method: 'POST', path: '/controller/hardResetNode', limitMs: setUpLimitMs });
    },
    lastLog: (lines) => lastLog(join(place.directory, consoleFile), lines),
  };
}

function papersOf(place: CouchbasePlace, clock: Clock): Papers | undefined {
  const { caFile, certificateDirectory, ...own } = place;
  if (caFile === undefined || certificateDirectory === undefined) return undefined;
  return new Papers({ ...own, caFile, certificateDirectory }, createRest(groundAt(own, clock)), clock);
}

async function prepare(ground: Ground, random: Random): Promise<void> {
  ground.credentials();
  await ground.makeDirectories();
  await ground.write(lifeFile, random.hex(8));
}

/** In the foreground, as the official image does it. A command of another kind is told in its environment where it is to run. */
function launch(place: CouchbasePlace, spec: MemberSpec, path: string): Launch {
  const args = ['--', '-kernel', 'global_enable_tracing', 'false', '-noinput'];
  const data = join(place.directory, 'data');
  const told = {
    NAVIGATOR_ADDRESS: place.address,
    NAVIGATOR_DIRECTORY: data,
    NAVIGATOR_VERSION: spec.version,
    ...(place.bind !== undefined && { NAVIGATOR_BIND: place.bind }),
  };
  return {
    command: join(place.distribution, 'bin/couchbase-server'),
    args,
    env: { PATH: path, HOME: data, ...told },
    cwd: data,
    ...(place.uid !== undefined && { uid: place.uid }),
  };
}

interface Settling {
  readonly rest: Rest;
  readonly ground: Ground;
  readonly place: CouchbasePlace;
}

/**
 * Sets the paths of a node of no cluster, and has the founder make a cluster of itself, once in its life: one that was
 * part of a cluster and is none any more was taken out of it, whatever it was told when it began.
 */
async function settle({ rest, ground, place }: Settling, spec: MemberSpec): Promise<void> {
  const { couchbase } = spec;
  const pools = await unlessAway(() => readPools(rest));
  if (couchbase === undefined || pools === undefined) return;
  const wasMember = ground.read(foundedFile) !== undefined;
  if (pools.member) {
    if (!wasMember) await ground.write(foundedFile, place.address);
    return;
  }
  if (!couchbase.founds || wasMember) return;
  const { username, password } = ground.credentials();
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
    const [one, other] = [pool, after].map((each) => basisOf({ pool: each, tasks }));
    if (same(one, other)) {
      const lists = { tasks: tasks as Reading['tasks'], buckets: buckets as Reading['buckets'] };
      return { pool: after, ...lists, administrator: rest.administrator() };
    }
    pool = after;
  }
  return undefined;
}

function lifeOf(ground: Ground): string {
  return ground.read(lifeFile) ?? '';
}

async function observeNode(rest: Rest, ground: Ground): Promise<NodeObservation | undefined> {
  const pools = await readPools(rest);
  if (pools === undefined) return undefined;
  const { member, version } = pools;
  const fresh = {
    nodeId: '',
    processId: lifeOf(ground),
    joined: false,
    shards: 0,
    version,
    standing: 'fresh',
  } as const;
  if (!member) return fresh;
  const reading = await read(rest);
  return reading && nodeOf(reading, lifeOf(ground));
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

async function readEvidence(rest: Rest, ground: Ground): Promise<Evidence | undefined> {
  const pools = await readPools(rest);
  if (pools === undefined) return undefined;
  if (!pools.member) return { nodeId: '', processId: lifeOf(ground), stateVersion: 0n, shards: 0, standing: 'fresh' };
  const reading = await read(rest);
  return reading && evidenceOf(reading, lifeOf(ground));
}

/** What was begun and takes longer than a look may. Its end, good or bad, is seen in the next topology. */
class Working {
  #busy = '';
  #trouble = '';

  /** Throws while something is under way: what is true now may not be true when it ends. */
  mustBeIdle(): void {
    if (this.#busy !== '') throw new NavigatorError('unavailable', `under way: ${this.#busy}`);
  }

  /** Begins, where nothing is under way; always rejects, because nothing is true yet. */
  begin(what: string, work: () => Promise<unknown>): never {
    this.mustBeIdle();
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
  readonly ground: Ground;
  readonly working: Working;
  readonly checked: Map<string, string>;
}

async function applySettings(leading: Leading, settings: Settings, mayWrite?: MayWrite): Promise<void> {
  const { rest, ground, working, checked } = leading;
  const { topology: order } = settings;
  if (order === undefined) return;
  const [reading, auto] = await Promise.all([read(rest), get(rest, '/settings/autoFailover')]);
  if (reading === undefined) throw new NavigatorError('unavailable', 'the topology cannot be read');
  const autoFailover = auto as AutoFailover;
  const first = stepsOf({ rest, credentials: ground.credentials, order, reading, autoFailover });
  const isCalm = first.length === 0 && !isRebalancing(reading);
  const steps = isCalm ? await accessSteps({ rest, order, ground, checked }) : first;
  if (steps.length === 0) return working.mustBeIdle();
  const what = steps.map((step) => step.what).join(', ');
  working.begin(what, async () => {
    for (const step of steps) {
      refuseUnlessLeading(mayWrite);
      await step.run();
    }
  });
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
