/** Three real Elasticsearch nodes on loopback addresses of their own, started and ended by the test itself. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, Place } from '../../pilot/engine/engine.ts';
import { createElasticsearchEngine } from '../../pilot/engine/elasticsearch/engine.ts';
import { createHttp, type Http } from '../../pilot/engine/elasticsearch/http.ts';
import { installedPlugins } from '../../pilot/engine/elasticsearch/plugins.ts';
import type { MemberSpec } from '../../pilot/model.ts';
import { distributionFor } from '../../server/runtime/local/distribution.ts';
import { findJava } from '../../server/runtime/local/java.ts';
import { cacheDirectory } from '../../server/runtime/local/places.ts';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { systemRandom } from '../../shared/random.ts';
import type { EngineWorld, WorldMember } from '../contract/engine.contract.ts';
import { buildPlugin } from './plugin.ts';
import { waitFor } from './wait.ts';

const names = ['shop-all-0', 'shop-all-1', 'shop-all-2'];
const ports = { httpPort: 9200, transportPort: 9300 };

interface Running {
  readonly child: ChildProcess;
  /** Code and signal of its end. */
  readonly ended: Promise<[number | null, string | null]>;
}

export interface RealMember extends WorldMember {
  readonly place: Place;
  readonly http: Http;
}

export interface RealWorld extends EngineWorld {
  readonly members: readonly [RealMember, RealMember, RealMember];
  readonly directory: string;
  /** Requests straight to a member that runs, for what no engine does. */
  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<unknown>;
  /** The pid of a member's process. */
  pid(name: string): number;
}

/** A directory, three addresses and the distribution; nothing runs yet. */
export async function createRealWorld(version: string, uid?: number): Promise<RealWorld> {
  const distribution = await distributionFor(version, {
    cacheDir: cacheDirectory(process.env),
    log: createLogger('test', 'silent'),
  });
  const javaHome = findJava(version, process.env);
  const directory = mkdtempSync(join(tmpdir(), 'navigator-contract-'));
  chmodSync(directory, 0o755);
  const addresses = await freeAddresses();
  const clock = systemClock();
  const spec: MemberSpec = {
    hash: 'first',
    version,
    roles: ['master', 'data', 'ingest'],
    plugins: [],
    config: { 'action.auto_create_index': false },
    heapBytes: 128 * 1024 ** 2,
    seeds: addresses.map((address) => `${address}:${ports.transportPort}`),
    quorum: 2,
  };
  const members = names.map((name, index): RealMember => {
    const address = addresses[index] as string;
    const where = { cluster: 'shop', address, ...ports, distribution, directory: join(directory, name), javaHome };
    const place: Place = { member: name, ...where, ...(uid === undefined ? {} : { uid }) };
    const engine = createElasticsearchEngine(place, { clock });
    return { name, engine, spec, place, http: createHttp(clock, address, ports.httpPort) };
  });
  return worldOf(members as unknown as RealWorld['members'], directory);
}

function worldOf(members: RealWorld['members'], directory: string): RealWorld {
  const running = new Map<string, Running>();
  const member = (name: string): RealMember => members.find((each) => each.name === name) as RealMember;
  const end = async (name: string, signal: NodeJS.Signals): Promise<number> => {
    const process = running.get(name);
    if (!process) return 0;
    process.child.kill(signal);
    const [code] = await process.ended;
    running.delete(name);
    return code ?? -1;
  };
  const ask: RealWorld['ask'] = (method, path, body) => {
    const up = members.find(({ name }) => running.has(name)) ?? members[0];
    return up.http.call({ method, path, limitMs: 30_000, ...(body === undefined ? {} : { body }) });
  };
  return {
    members,
    directory,
    ask,
    pid: (name) => running.get(name)?.child.pid ?? 0,
    async start(name, spec) {
      const { engine, spec: usual } = member(name);
      await engine.prepare(spec ?? usual);
      running.set(name, spawnLaunch(engine, spec ?? usual));
    },
    stop: (name) => end(name, 'SIGTERM'),
    kill: async (name) => {
      await end(name, 'SIGKILL');
    },
    ...indices(ask),
    excludeByHand: (excluded) => setByHand(ask, { persistent: { [excludeKey]: excluded.join(',') } }),
    hideExclusions: (excluded) => setByHand(ask, { transient: { [excludeKey]: excluded.join(',') } }),
    plugin: (name) => buildPlugin(directory, name, member(names[0] as string).place),
    installed: (name) => installedPlugins(join(member(name).place.directory, `home-${member(name).spec.version}`)),
    async close() {
      await Promise.all([...running.keys()].map((name) => end(name, 'SIGKILL')));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const excludeKey = 'cluster.routing.allocation.exclude._name';

function indices(ask: RealWorld['ask']): Pick<EngineWorld, 'createIndex' | 'deleteIndex' | 'write' | 'documents'> {
  return {
    async createIndex(index, shards, replicas) {
      const settings = { number_of_shards: shards, number_of_replicas: replicas };
      await ask('PUT', `/${index}`, { settings });
    },
    async deleteIndex(index) {
      // The client of Navigator knows no DELETE: an index is closed to be out of the way.
      await ask('POST', `/${index}/_close`);
    },
    async write(index, count) {
      for (let number = 0; number < count; number++) await ask('PUT', `/${index}/doc/${number}`, { number });
      await ask('POST', `/${index}/_refresh`);
    },
    async documents(index) {
      // A shard whose node has just gone refuses for a moment.
      const answer = await waitFor(async () => {
        await ask('POST', `/${index}/_refresh`);
        return (await ask('GET', `/${index}/_count`)) as { count: number };
      }, `every shard of ${index} to answer`);
      return answer.count;
    },
  };
}

async function setByHand(ask: RealWorld['ask'], body: unknown): Promise<void> {
  await ask('PUT', '/_cluster/settings', body);
}

/** Also where the run is broken off, no database outlives its test. */
const children = new Set<ChildProcess>();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

function spawnLaunch(engine: Engine, spec: MemberSpec): Running {
  const { command, args, env, cwd } = engine.launch(spec);
  const child = spawn(command, [...args], { env, cwd, stdio: 'ignore' });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return { child, ended: once(child, 'exit') as Promise<[number | null, string | null]> };
}

/** Three neighbours in 127.77.x.0 where both ports are free. */
async function freeAddresses(): Promise<string[]> {
  return await waitFor(async () => {
    const third = 1 + Math.floor(systemRandom.fraction() * 250);
    const addresses = [1, 2, 3].map((last) => `127.77.${third}.${last}`);
    const probes = addresses.flatMap((address) => Object.values(ports).map((port) => isFree(address, port)));
    return (await Promise.all(probes)).every(Boolean) ? addresses : undefined;
  }, 'three free loopback addresses');
}

async function isFree(address: string, port: number): Promise<boolean> {
  const server = createServer();
  const bound = new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host: address, port }, () => resolve(true));
  });
  const free = await bound;
  if (free) await new Promise((done) => server.close(done));
  return free;
}
