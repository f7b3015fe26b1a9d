/** A real Navigator server in a directory of its own, with real pilots and real Elasticsearch, ended by pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createHttp, type Call } from '../../pilot/engine/elasticsearch/http.ts';
import { connectClient, type Cluster, type Member, type NavigatorClient } from '../../server/cli/client.ts';
import { socketPath } from '../../server/cli/places.ts';
import { systemClock } from '../../shared/clock.ts';
import { lives, type Life } from '../../shared/proc.ts';
import { waitFor } from './wait.ts';

const executable = resolve(import.meta.dirname, '../../server/navigator');
const clock = systemClock();

/** The manifest of a small cluster whose members all do everything. */
export function manifest(replicas: number, change: { version?: string; lines?: readonly string[] } = {}): string {
  return [
    'apiVersion: navigator.jetstack.io/v1alpha1',
    'kind: ElasticsearchCluster',
    'metadata:',
    '  name: demo',
    'spec:',
    `  version: ${change.version ?? '5.6.16'}`,
    ...(change.lines ?? []).map((line) => `  ${line}`),
    '  nodePools:',
    '    - name: node',
    `      replicas: ${replicas}`,
    '      roles: [master, data, ingest]',
    '',
  ].join('\n');
}

export const demo = { namespace: 'default', name: 'demo' };

export class RealNavigator {
  readonly directory: string;
  readonly #flags: readonly string[];
  client: NavigatorClient;
  #server: ChildProcess | undefined;

  /** `flags` are more of the server's. */
  constructor(flags: readonly string[] = []) {
    this.#flags = flags;
    this.directory = mkdtempSync(join(tmpdir(), 'navigator-'));
    chmodSync(this.directory, 0o755);
    this.client = connectClient({ socket: socketPath(this.directory) }, clock);
  }

  /** Starts the server, or starts it again on what the last one left. */
  async start(): Promise<void> {
    const args = ['--state-directory', this.directory, 'server', '--log-level', 'debug', ...this.#flags];
    const loud = process.env['NAVIGATOR_TEST_LOG'] !== undefined;
    this.#server = spawn(executable, args, { stdio: ['ignore', 'ignore', loud ? 'inherit' : 'ignore'] });
    this.client.close();
    this.client = connectClient({ socket: socketPath(this.directory) }, clock);
    await waitFor(async () => (await this.client.listClusters()).length >= 0, 'the server to answer');
  }

  get isUp(): boolean {
    return this.#server?.exitCode === null && this.#server.signalCode === null;
  }

  /** SIGKILL to the server. Pilots and databases are left alone. */
  async killServer(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  apply(text: string): Promise<unknown> {
    return this.client.apply(text);
  }

  async cluster(): Promise<Cluster> {
    return (await this.client.getCluster(demo)).cluster;
  }

  members(): Promise<readonly Member[]> {
    return this.client.listMembers(demo);
  }

  /** Resolves once exactly `count` members are there, green, with nothing under way and no setting left behind. */
  async ready(count: number, version?: string): Promise<void> {
    await waitFor(() => this.isReady(count, version), `${count} ready members`, 600_000);
  }

  /** Whether it is so now. */
  async isReady(count: number, version?: string): Promise<boolean> {
    const cluster = await this.cluster();
    const members = await this.members();
    const isReady = cluster.conditions.some(({ type, status }) => type === 'Ready' && status);
    const same = version === undefined || members.every((member) => member.version === version);
    return isReady && members.length === count && same && cluster.observedGeneration === cluster.generation;
  }

  /** Resolves once each of these is known to hold a shard: what a member holds is told with its heartbeats, a moment later. */
  async holding(names: readonly string[]): Promise<void> {
    await waitFor(
      async () => {
        const members = await this.members();
        const shards = names.map((name) => members.find((member) => member.name === name)?.shards ?? 0n);
        return shards.every((count) => count > 0n);
      },
      `shards on ${names.join(', ')}`,
    );
  }

  /** The hold names that stand against a member now. */
  async holds(member: string): Promise<readonly string[]> {
    const { holds } = await this.client.why(demo, member);
    return holds.map((hold) => hold.name);
  }

  /** Asks Elasticsearch itself, at the first member that answers. */
  async ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<unknown> {
    let last: unknown = new Error('no member is known');
    for (const address of this.addresses()) {
      try {
        return await this.askAt(address, { method, path, ...(body !== undefined && { body }) });
      } catch (thrown) {
        last = thrown;
      }
    }
    throw last;
  }

  askAt(address: string, call: Omit<Call, 'limitMs'>): Promise<unknown> {
    return createHttp(clock, address, 9200).call({ ...call, limitMs: 30_000 });
  }

  addresses(): readonly string[] {
    const file = join(this.directory, 'addresses.json');
    return existsSync(file) ? Object.values(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : [];
  }

  /** An index of single-copy shards with `documents` documents: whoever takes a node away carelessly loses some. */
  async fill(index: string, documents: number, replicas = 0): Promise<void> {
    const settings = { number_of_shards: 6, number_of_replicas: replicas };
    await this.ask('PUT', `/${index}`, { settings });
    for (let id = 0; id < documents; id++) {
      await this.ask('PUT', `/${index}/doc/${id}`, { id });
    }
    await this.ask('POST', `/${index}/_refresh`);
  }

  async count(index: string): Promise<number> {
    await this.ask('POST', `/${index}/_refresh`);
    const answer = (await this.ask('GET', `/${index}/_count`)) as { count: number };
    return answer.count;
  }

  /** Holds every recovery back, so that a drain stays half-way for as long as the test wants. */
  async holdRecoveries(held: boolean): Promise<void> {
    const transient = { 'cluster.routing.allocation.node_concurrent_recoveries': held ? 0 : null };
    await this.ask('PUT', '/_cluster/settings', { transient });
  }

  /** What Navigator left in the database's settings. */
  async settings(): Promise<{ exclude: string; enable: string; quorum: string }> {
    const answer = (await this.ask('GET', '/_cluster/settings?flat_settings=true')) as {
      persistent: Record<string, string>;
    };
    return {
      exclude: answer.persistent['cluster.routing.allocation.exclude._name'] ?? '',
      enable: answer.persistent['cluster.routing.allocation.enable'] ?? 'all',
      quorum: answer.persistent['discovery.zen.minimum_master_nodes'] ?? '',
    };
  }

  /** The life of a member's database process, as its pilot has it on record. */
  database(member: string): Life {
    return (JSON.parse(readFileSync(join(this.#member(member), 'process.json'), 'utf8')) as { life: Life }).life;
  }

  pilot(member: string): Life {
    return JSON.parse(readFileSync(join(this.#member(member), 'pilot.pid'), 'utf8')) as Life;
  }

  /** How many of these members' databases have a living process. */
  alive(members: readonly string[]): number {
    return members.filter((member) => {
      try {
        return lives(this.database(member));
      } catch {
        return false;
      }
    }).length;
  }

  /** Ends everything of this directory by pid, and removes it. */
  async end(): Promise<void> {
    await this.killServer();
    this.client.close();
    const clusters = join(this.directory, 'members/default');
    const directories = existsSync(clusters)
      ? readdirSync(clusters).flatMap((cluster) =>
          readdirSync(join(clusters, cluster)).map((name) => join(clusters, cluster, name)),
        )
      : [];
    for (const file of ['pilot.pid', 'process.json']) {
      for (const directory of directories) {
        const life = lifeIn(join(directory, file));
        if (life !== undefined && lives(life)) process.kill(life.pid, 'SIGKILL');
      }
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }

  #member(member: string): string {
    return join(this.directory, 'members/default/demo', member);
  }
}

function lifeIn(file: string): Life | undefined {
  if (!existsSync(file)) return undefined;
  const found = JSON.parse(readFileSync(file, 'utf8')) as Life & { readonly life?: Life };
  return found.life ?? (typeof found.pid === 'number' ? found : undefined);
}
