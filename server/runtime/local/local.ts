/**
 * The embedded runtime: each member is a pilot process of this machine, in a session of its own, so that it outlives
 * the server. A server that starts again finds its pilots by pid and start time, and starts none twice.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import { sleep } from '../../../shared/clock.ts';
import { writeDurably } from '../../../shared/durable.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { JOURNAL_FILE, olderSegment } from '../../../shared/journal.ts';
import type { Logger } from '../../../shared/log.ts';
import { lifeOf, lives, type Life } from '../../../shared/proc.ts';
import { clusterKey, type ClusterSpec } from '../../model/cluster.ts';
import type { MemberRecord } from '../../model/ledger.ts';
import type { RuntimeMember } from '../../model/observation.ts';
import type { Runtime } from '../runtime.ts';
import { AddressBook } from './addresses.ts';

export interface LocalOptions {
  readonly stateDirectory: string;
  /** What a pilot dials. */
  readonly server: string;
  /** The token of a member, for its pilot alone. */
  readonly tokenFor: (cluster: string, member: string) => string;
  /** What it takes to run a version of a cluster's application here, on an address. Rejects where that cannot be had. */
  readonly equip: (cluster: ClusterSpec, version: string, address?: string) => Promise<Equipment>;
  readonly logLevel: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a pilot is told of the database that it runs. */
export interface Equipment {
  /** The unpacked distribution. */
  readonly distribution: string;
  /** Flags of the pilot that only this application has. */
  readonly flags: Readonly<Record<string, string>>;
  /** Whether the database runs as the pilot's own user, also where that is root. */
  readonly asOwnUser: boolean;
}

/** What `pilot.pid` holds. */
interface PilotProcess extends Life {
  readonly version: string;
}

/** The pilot's entry point, beside the server in the same package. */
const pilotMain = join(import.meta.dirname, '../../../pilot/main.ts');
const pidFile = 'pilot.pid';
const tokenFile = 'token';
/** How long a pilot whose database is stopped may take to end. */
const endWithinMs = 30_000;
const pollMs = 50;
/** The lean flags of Node that halve what a pilot keeps: measured, see docs/decisions/0001-node-24.md. */
const leanFlags = ['--max-semi-space-size=1', '--max-old-space-size=64', '--optimize-for-size', '--v8-pool-size=0'];

export class LocalRuntime implements Runtime {
  readonly #options: LocalOptions;
  readonly #addresses: AddressBook;
  readonly #members: string;
  #onChange: (cluster: string) => void = () => undefined;

  constructor(options: LocalOptions) {
    this.#options = options;
    this.#members = join(options.stateDirectory, 'members');
    this.#addresses = new AddressBook(join(options.stateDirectory, 'addresses.json'));
    mkdirSync(this.#members, { recursive: true });
  }

  async prepare(cluster: ClusterSpec): Promise<void> {
    await this.#options.equip(cluster, cluster.version);
  }

  observe(cluster: ClusterSpec): Promise<readonly RuntimeMember[]> {
    const directory = this.#clusterDirectory(cluster);
    const names = existsSync(directory) ? readdirSync(directory) : [];
    const members = names.flatMap((name): RuntimeMember[] => {
      const pilot = readPilot(join(directory, name));
      return pilot === undefined ? [] : [{ name, version: pilot.version, alive: lives(pilot) }];
    });
    return Promise.resolve(members);
  }

  async addresses(cluster: ClusterSpec, members: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const addresses = new Map<string, string>();
    for (const member of members)
      addresses.set(member, await this.#addresses.of(`${clusterKey(cluster.id)}/${member}`));
    return addresses;
  }

  async create(cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    const directory = this.#directoryOf(cluster, record.name);
    const present = readPilot(directory);
    if (present !== undefined && lives(present)) return;
    const equipment = await this.#options.equip(cluster, record.version, record.address);
    mkdirSync(directory, { recursive: true });
    for (const part of [this.#members, join(directory, '../..'), join(directory, '..'), directory])
      chmodSync(part, 0o711);
    const token = this.#options.tokenFor(clusterKey(cluster.id), record.name);
    writeFileSync(join(directory, tokenFile), token, { mode: 0o600 });
    const args = this.#pilotArgs(cluster, record, { directory, equipment });
    const environment = { PATH: process.env['PATH'] ?? '', MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2' };
    const child = spawn(process.execPath, [...leanFlags, pilotMain, ...args], {
      detached: true,
      stdio: 'ignore',
      env: environment,
    });
    const { pid } = child;
    if (pid === undefined) throw new NavigatorError('internal', `the pilot of ${record.name} cannot be started`);
    writeDurably(join(directory, pidFile), JSON.stringify({ ...lifeOf(pid), version: record.version }));
    child.once('exit', (code, signal) => {
      this.#options.log.info({ member: record.name, pid, code, signal }, 'a pilot has ended');
      this.#onChange(clusterKey(cluster.id));
    });
    child.unref();
  }

  async replace(cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    const directory = this.#directoryOf(cluster, record.name);
    if (readPilot(directory)?.version !== record.version) await this.#endPilot(directory);
    await this.create(cluster, record);
  }

  async remove(cluster: ClusterSpec, record: MemberRecord, keepData: boolean): Promise<void> {
    const directory = this.#directoryOf(cluster, record.name);
    await this.#endPilot(directory);
    // What its pilot has recorded stays with the data, as the black box of what became of it.
    const kept = ['data', JOURNAL_FILE, olderSegment(JOURNAL_FILE)];
    for (const entry of existsSync(directory) ? readdirSync(directory) : []) {
      if (!keepData || !kept.includes(entry)) rmSync(join(directory, entry), { recursive: true, force: true });
    }
    if (!keepData) rmSync(directory, { recursive: true, force: true });
    this.#addresses.forget(`${clusterKey(cluster.id)}/${record.name}`);
  }

  /** Ends every pilot of a cluster whose databases are stopped. */
  async endPilots(cluster: ClusterSpec): Promise<void> {
    const directory = this.#clusterDirectory(cluster);
    const names = existsSync(directory) ? readdirSync(directory) : [];
    await Promise.all(names.map((name) => this.#endPilot(join(directory, name))));
  }

  onChange(callback: (cluster: string) => void): void {
    this.#onChange = callback;
  }

  close(): Promise<void> {
    this.#onChange = () => undefined;
    return Promise.resolve();
  }

  /** SIGTERM and patience. A pilot that looks after a running database asks first, and is not killed for it. */
  async #endPilot(directory: string): Promise<void> {
    const { clock } = this.#options;
    const pilot = readPilot(directory);
    if (pilot === undefined || !lives(pilot)) return;
    process.kill(pilot.pid, 'SIGTERM');
    const untilMs = clock.monotonicMs() + endWithinMs;
    while (lives(pilot)) {
      if (clock.monotonicMs() > untilMs)
        throw new NavigatorError('timeout', `pilot ${pilot.pid} has not ended in ${endWithinMs} ms`);
      await sleep(clock, pollMs);
    }
  }

  #pilotArgs(
    cluster: ClusterSpec,
    record: MemberRecord,
    places: { directory: string; equipment: Equipment },
  ): string[] {
    const { server, logLevel } = this.#options;
    const { distribution, flags: own, asOwnUser } = places.equipment;
    const flags: Record<string, string> = {
      server,
      'token-file': join(places.directory, tokenFile),
      namespace: cluster.id.namespace,
      cluster: cluster.id.name,
      member: record.name,
      version: record.version,
      application: cluster.application,
      distribution,
      directory: places.directory,
      address: record.address,
      ...own,
      probe: join(places.directory, 'probe.sock'),
      'log-file': join(places.directory, 'pilot.log'),
      'log-level': logLevel,
      ...(process.getuid?.() === 0 && !asOwnUser && { uid: String(cluster.runAsUser) }),
    };
    return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  }

  #clusterDirectory(cluster: ClusterSpec): string {
    return join(this.#members, cluster.id.namespace, cluster.id.name);
  }

  #directoryOf(cluster: ClusterSpec, member: string): string {
    return join(this.#clusterDirectory(cluster), member);
  }
}

function readPilot(directory: string): PilotProcess | undefined {
  const path = join(directory, pidFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as PilotProcess) : undefined;
}
