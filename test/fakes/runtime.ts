/**
 * A runtime in this process: its members are real pilots with real sessions over a real socket; only the database and
 * its process are fakes. A test may freeze a pilot, kill it, hold back what it hears, and let its time pass.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FromServer } from '../../pilot/wire.ts';
import { Pilot } from '../../pilot/pilot.ts';
import { dialer, Session, type Papers } from '../../pilot/session.ts';
import { openState } from '../../pilot/supervisor/state.ts';
import { clusterKey, type ClusterSpec } from '../../server/model/cluster.ts';
import type { MemberRecord } from '../../server/model/ledger.ts';
import type { RuntimeMember } from '../../server/model/observation.ts';
import type { Runtime } from '../../server/runtime/runtime.ts';
import { systemClock, within, type Clock, type Timer } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { Journal, JOURNAL_FILE, type JournalDisk } from '../../shared/journal.ts';
import type { Logger } from '../../shared/log.ts';
import { systemRandom } from '../../shared/random.ts';
import { navigatorVersion } from '../../shared/version.ts';
import { FakeCluster } from './engine.ts';
import { FakeMachine, type FakeHands } from './process.ts';

const machineClock = systemClock();

interface Waiting {
  readonly dueAtMs: number;
  readonly callback: () => void;
  timer: Timer | undefined;
}

/** The machine's clock, which a test can stop for good, freeze as SIGSTOP does, and push forward. */
export class PushedClock implements Clock {
  readonly #waiting = new Set<Waiting>();
  #pushedMs = 0;
  #frozen = false;
  #stopped = false;

  monotonicMs(): number {
    return machineClock.monotonicMs() + this.#pushedMs;
  }

  wallMs(): number {
    return machineClock.wallMs() + this.#pushedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const waiting: Waiting = { dueAtMs: this.monotonicMs() + delayMs, callback, timer: undefined };
    if (!this.#stopped) this.#arm(waiting);
    return { cancel: () => this.#drop(waiting) };
  }

  /** So much time has passed: whatever is due by then comes now. */
  push(ms: number): void {
    this.#pushedMs += ms;
    for (const waiting of [...this.#waiting]) this.#arm(waiting);
  }

  /** Time goes on and nobody is called until `thaw`. */
  freeze(): void {
    this.#frozen = true;
    for (const waiting of this.#waiting) waiting.timer?.cancel();
  }

  thaw(): void {
    this.#frozen = false;
    for (const waiting of [...this.#waiting]) this.#arm(waiting);
  }

  /** Nobody is ever called again. */
  stop(): void {
    this.#stopped = true;
    for (const waiting of [...this.#waiting]) this.#drop(waiting);
  }

  #arm(waiting: Waiting): void {
    waiting.timer?.cancel();
    this.#waiting.add(waiting);
    if (this.#frozen) return;
    waiting.timer = machineClock.after(waiting.dueAtMs - this.monotonicMs(), () => {
      this.#waiting.delete(waiting);
      waiting.callback();
    });
  }

  #drop(waiting: Waiting): void {
    waiting.timer?.cancel();
    this.#waiting.delete(waiting);
  }
}

/** The database of one cluster and the machine that it runs on. Both outlive pilots and servers. */
export class FakeWorld {
  readonly database = new FakeCluster();
  readonly machine = new FakeMachine(this.database);
}

export interface PilotPlace {
  readonly namespace: string;
  readonly cluster: string;
  readonly member: string;
  /** Of the distribution that the pilot is launched with. */
  readonly version: string;
  /** Of the pod that it is launched in, where there are any. */
  readonly template?: string;
  /** The member's own directory, for pilot.json. */
  readonly directory: string;
  readonly server: string;
  readonly papers: Papers;
  /** What its journal is written to, where that is not simply the disk. */
  readonly disk?: JournalDisk;
}

/** One life of a pilot, and all that a test can do to it. */
export class FakePilot {
  readonly place: PilotPlace;
  readonly pilot: Pilot;
  readonly clock = new PushedClock();
  /** Resolves when it has ended by itself or was killed. */
  readonly gone: Promise<void>;
  ended = false;
  /** How many streams of it the server has welcomed. */
  welcomes = 0;
  readonly #session: Session;
  readonly #hands: FakeHands;
  readonly #held: FromServer[] = [];
  #holds: (message: FromServer) => boolean = () => false;
  #leave: () => void = () => undefined;

  constructor(place: PilotPlace, world: FakeWorld, log: Logger) {
    this.place = place;
    const { clock } = this;
    const random = systemRandom;
    mkdirSync(place.directory, { recursive: true });
    this.gone = new Promise((resolve) => (this.#leave = resolve));
    this.#hands = world.machine.hands(place.member);
    const engine = world.database.engine(place.member);
    const memory = openState(place.directory, log);
    const identity = { ...place, application: 'elasticsearch', pilotVersion: '0.0.0' };
    const wallMs = (): number => clock.wallMs();
    const keeping = { by: `pilot ${place.member}`, version: navigatorVersion(), segmentBytes: 2 ** 22, wallMs };
    const disk = place.disk && { disk: place.disk };
    const record = new Journal(join(place.directory, JOURNAL_FILE), { ...keeping, ...disk });
    const ports = { clock, random, log, engine, process: this.#hands, memory, record };
    this.pilot = new Pilot(identity, ports, () => this.#end());
    const options = { hello: () => this.pilot.hello(), onChange: () => undefined };
    const dial = dialer(place.server, place.papers);
    this.#session = new Session(
      { ...options, onMessage: (message) => this.#hear(message) },
      { clock, random, log, dial },
    );
    this.pilot.start(this.#session);
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  get incarnation(): string {
    return this.pilot.hello().incarnation;
  }

  /** What it is told and this is true of waits, and everything after it waits, too. */
  hold(which: (message: FromServer) => boolean): void {
    this.#holds = which;
  }

  /** Whether something that was told to it waits. */
  get holding(): boolean {
    return this.#held.length > 0;
  }

  /** It hears all that has waited. */
  release(): void {
    this.#holds = () => false;
    for (const message of this.#held.splice(0)) this.pilot.hear(message);
  }

  /** As SIGSTOP: its stream stays open, and it neither hears nor does anything. */
  freeze(): void {
    this.hold(() => true);
    this.clock.freeze();
  }

  /** As SIGCONT. */
  thaw(): void {
    this.clock.thaw();
    this.release();
  }

  /** As SIGKILL: its stream breaks, its database runs on. */
  kill(): void {
    this.clock.stop();
    this.#hands.cut();
    void this.#session.close();
    this.#end();
  }

  #hear(message: FromServer): void {
    if (message.kind === 'welcome') this.welcomes++;
    if (this.holding || this.#holds(message)) this.#held.push(message);
    else this.pilot.hear(message);
  }

  #end(): void {
    this.ended = true;
    this.clock.stop();
    this.#leave();
  }
}

export interface FakeRuntimeOptions {
  readonly directory: string;
  /** What a pilot dials. */
  readonly server: () => string;
  /** The CA of the server, where it is to be dialled over TLS. */
  readonly ca?: () => Buffer;
  readonly tokenFor: (cluster: string, member: string) => string;
  readonly log: Logger;
  /** What journals are written to, where that is not simply the disk. */
  readonly disk?: JournalDisk;
}

interface Place {
  readonly version: string;
  /** Absent for a member whose part the test itself plays. */
  readonly pilot?: FakePilot;
}

/** How long a pilot whose database is stopped may take to end, in ms. */
const endWithinMs = 10_000;

export class FakeRuntime implements Runtime {
  /** Members whose pilot the test itself plays: none is launched for them. */
  readonly played = new Set<string>();
  readonly #options: FakeRuntimeOptions;
  /** By cluster, then by member. */
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #worlds = new Map<string, FakeWorld>();
  #onChange: (cluster: string) => void = () => undefined;

  constructor(options: FakeRuntimeOptions) {
    this.#options = options;
  }

  /** The database of a cluster; it exists from the first question on. */
  world(key: string): FakeWorld {
    const known = this.#worlds.get(key) ?? new FakeWorld();
    this.#worlds.set(key, known);
    return known;
  }

  /** The pilot of a member as it is now. */
  pilot(key: string, member: string): FakePilot {
    const pilot = this.#places.get(key)?.get(member)?.pilot;
    if (pilot === undefined) throw new Error(`${key} has no pilot ${member}`);
    return pilot;
  }

  async prepare(): Promise<void> {}

  async observe(cluster: ClusterSpec): Promise<readonly RuntimeMember[]> {
    const places = this.#placesOf(cluster);
    return [...places].map(([name, { version, pilot }]) => ({ name, version, alive: pilot?.ended !== true }));
  }

  async addresses(_cluster: ClusterSpec, members: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(members.map((member) => [member, `${member}.fake`]));
  }

  async create(cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    const places = this.#placesOf(cluster);
    const present = places.get(record.name);
    if (present !== undefined && present.pilot?.ended !== true) return;
    const { version } = record;
    places.set(
      record.name,
      this.played.has(record.name) ? { version } : { version, pilot: this.#launch(cluster, record) },
    );
  }

  async replace(cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    if (this.#placesOf(cluster).get(record.name)?.version !== record.version) {
      await this.#endPilot(cluster, record.name);
      this.#placesOf(cluster).delete(record.name);
    }
    await this.create(cluster, record);
  }

  async remove(cluster: ClusterSpec, record: MemberRecord, keepData: boolean): Promise<void> {
    await this.#endPilot(cluster, record.name);
    this.#placesOf(cluster).delete(record.name);
    this.world(clusterKey(cluster.id)).machine.forget(record.name);
    if (!keepData) rmSync(this.#directoryOf(cluster, record.name), { recursive: true, force: true });
  }

  onChange(callback: (cluster: string) => void): void {
    this.#onChange = callback;
  }

  async close(): Promise<void> {
    this.#onChange = () => undefined;
  }

  /** The end of the test: every pilot is killed. */
  killAll(): void {
    this.#onChange = () => undefined;
    for (const places of this.#places.values()) for (const { pilot } of places.values()) pilot?.kill();
  }

  #launch(cluster: ClusterSpec, record: MemberRecord): FakePilot {
    const key = clusterKey(cluster.id);
    const { server, ca, tokenFor, log, disk } = this.#options;
    const token = tokenFor(key, record.name);
    const place: PilotPlace = {
      namespace: cluster.id.namespace,
      cluster: cluster.id.name,
      member: record.name,
      version: record.version,
      directory: this.#directoryOf(cluster, record.name),
      server: server(),
      papers: { token: () => token, ...(ca && { ca }) },
      ...(disk && { disk }),
    };
    const pilot = new FakePilot(place, this.world(key), log);
    void pilot.gone.then(() => this.#onChange(key));
    return pilot;
  }

  async #endPilot(cluster: ClusterSpec, member: string): Promise<void> {
    const pilot = this.#placesOf(cluster).get(member)?.pilot;
    if (pilot === undefined || pilot.ended) return;
    pilot.pilot.terminate(endWithinMs);
    const late = (): Error =>
      new NavigatorError('timeout', `the pilot of ${member} has not ended in ${endWithinMs} ms`);
    await within(machineClock, endWithinMs, pilot.gone, late);
  }

  #placesOf(cluster: ClusterSpec): Map<string, Place> {
    const key = clusterKey(cluster.id);
    const known = this.#places.get(key) ?? new Map<string, Place>();
    this.#places.set(key, known);
    return known;
  }

  #directoryOf(cluster: ClusterSpec, member: string): string {
    return join(this.#options.directory, clusterKey(cluster.id), member);
  }
}
