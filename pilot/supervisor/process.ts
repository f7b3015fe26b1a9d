/** The database's process: started in a group of its own, found again by a later pilot, stopped in bounded time. */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { sleep, type Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { isDead, lives, readStat, type Life } from '../../shared/proc.ts';
import type { Logger } from '../../shared/log.ts';
import type { Launch } from '../model.ts';
import type { DatabaseProcess, Exit, Running, Started } from './ports.ts';
import { ownChildren, type OwnChildren } from './children.ts';
import { writeDurably } from '../../shared/durable.ts';

/** Says in the member's directory which process is the database's. */
export const PROCESS_FILE = 'process.json';
/** What the database writes to standard output and error, in the member's directory. */
export const CONSOLE_FILE = 'console.log';
/** In the environment of the database: which start it comes from. */
export const START_TOKEN = 'NAVIGATOR_START';

const CONSOLE_BYTES_MAX = 10 * 1024 * 1024;
const ADOPTED_POLL_MS = 500;
const STOP_POLL_MS = 100;
const REMAINS_TERM_MS = 10_000;

export interface ProcessOptions {
  /** The member's own directory. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Absent: the list of this process, which is right everywhere but in tests. */
  readonly children?: OwnChildren;
}

/** What stands in `process.json`. Without a life: it was about to be started, and its environment tells which it is. */
interface Entry extends Started {
  readonly token: string;
  /** A pid means something in one boot and one pid namespace alone. */
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly life?: Life;
}

/**
 * The database process of one member. It has no pipe to the pilot and a session of its own, so that it outlives the
 * pilot's death; and it's on record before and after the spawn, so that there is no moment at which a killed pilot
 * would leave a database that the next one doesn't know.
 */
export function createDatabaseProcess(options: ProcessOptions): DatabaseProcess {
  return new RecordedProcess(options);
}

class RecordedProcess implements DatabaseProcess {
  readonly #directory: string;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #children: OwnChildren;
  #current: Watched | undefined;
  #starting = false;

  constructor(options: ProcessOptions) {
    this.#directory = options.directory;
    this.#file = join(options.directory, PROCESS_FILE);
    this.#clock = options.clock;
    this.#log = options.log;
    this.#children = options.children ?? ownChildren;
  }

  async start(launch: Launch, started: Started): Promise<Running> {
    if (this.#starting || this.adopt()) {
      throw new NavigatorError('already_exists', `a database process of ${this.#directory} runs or starts already`);
    }
    this.#starting = true;
    try {
      await this.#removeRemains();
      return await this.#spawn(launch, started);
    } finally {
      this.#starting = false;
    }
  }

  adopt(): Running | undefined {
    const current = this.#current;
    if (current?.adopted && !lives(current)) current.ended({ code: null, signal: null });
    if (current && !current.exit) return current;
    const entry = readEntry(this.#file, this.#log);
    const life = entry?.life ?? (entry && findByToken(entry.token));
    if (!entry || !life || !lives(life)) return undefined;
    if (!entry.life) this.#record({ ...entry, life });
    const running = new Watched(life, entry, true);
    this.#current = running;
    this.#poll(running);
    return running;
  }

  async stop(running: Running, { termMs }: { readonly termMs: number }): Promise<Exit> {
    let exit: Exit | undefined;
    running.onExit((seen) => (exit = seen));
    running.signal('SIGTERM');
    await this.#untilGone(running, termMs, () => exit !== undefined);
    while (exit === undefined || groupLives(running)) {
      if (killGroup(running)) this.#log.warn({ pid: running.pid, termMs }, 'stopping took too long: SIGKILL');
      await this.#untilGone(running, 10 * STOP_POLL_MS, () => exit !== undefined);
    }
    return exit;
  }

  async #untilGone(life: Life, limitMs: number, exited: () => boolean): Promise<void> {
    const until = this.#clock.monotonicMs() + limitMs;
    while (!(exited() && !groupLives(life))) {
      const left = until - this.#clock.monotonicMs();
      if (left <= 0) return;
      await sleep(this.#clock, Math.min(STOP_POLL_MS, left));
    }
  }

  /** What a dead database left running in its group would hold its ports and its data directory. */
  async #removeRemains(): Promise<void> {
    const life = readEntry(this.#file, this.#log)?.life;
    if (!life || !groupLives(life)) return;
    this.#log.warn({ pid: life.pid }, 'the database has died, but not all of its process group: stopping the rest');
    signalGroup(life, 'SIGTERM');
    await this.#untilGone(life, REMAINS_TERM_MS, () => true);
    killGroup(life);
    await this.#untilGone(life, REMAINS_TERM_MS, () => true);
    if (groupLives(life)) {
      throw new NavigatorError('unavailable', `process group ${life.pid} of the last database does not end`);
    }
  }

  async #spawn(launch: Launch, started: Started): Promise<Running> {
    if (!fs.existsSync(launch.cwd)) throw new NavigatorError('not_found', `no such working directory: ${launch.cwd}`);
    const entry: Entry = { ...started, token: randomUUID(), ...thisMachine() };
    writeDurably(this.#file, JSON.stringify(entry));
    const child = this.#spawnChild(launch, entry.token);
    if (child.pid === undefined) {
      const error = await new Promise<Error>((resolve) => child.once('error', resolve));
      fs.rmSync(this.#file, { force: true });
      throw spawnError(launch, error);
    }
    // Until the loop turns nobody waits for the child, so that this is its start time even where it has exited already.
    const life: Life = { pid: child.pid, startTime: readStat(child.pid)?.startTime ?? -1 };
    const running = new Watched(life, started, false);
    this.#current = running;
    child.once('exit', (code, signal) => running.ended({ code, signal }));
    child.on('error', (err) => this.#log.error({ err, pid: life.pid }, 'database process'));
    this.#record({ ...entry, life });
    return running;
  }

  /** Does not throw: the process runs, and its token is on record already. */
  #record(entry: Entry): void {
    try {
      writeDurably(this.#file, JSON.stringify(entry));
    } catch (err) {
      this.#log.error({ err }, 'the pid of the database is not on record; a later pilot would find it by its token');
    }
  }

  #spawnChild(launch: Launch, token: string): ChildProcess {
    const output = openConsole(join(this.#directory, CONSOLE_FILE));
    try {
      return this.#children.spawn(launch.command, launch.args, {
        cwd: launch.cwd,
        env: { ...launch.env, [START_TOKEN]: token },
        detached: true,
        stdio: ['ignore', output, output],
        ...(launch.uid === undefined ? {} : { uid: launch.uid }),
      });
    } catch (thrown) {
      fs.rmSync(this.#file, { force: true });
      throw spawnError(launch, thrown as Error);
    } finally {
      fs.closeSync(output);
    }
  }

  /** An adopted process is not our child: nobody tells us of its exit. */
  #poll(running: Watched): void {
    this.#clock.after(ADOPTED_POLL_MS, () => {
      if (lives(running)) this.#poll(running);
      else running.ended({ code: null, signal: null });
    });
  }
}

class Watched implements Running {
  readonly pid: number;
  readonly startTime: number;
  readonly specHash: string;
  readonly version: string;
  readonly adopted: boolean;
  exit: Exit | undefined;
  #callbacks: ((exit: Exit) => void)[] = [];

  constructor(life: Life, started: Started, adopted: boolean) {
    this.pid = life.pid;
    this.startTime = life.startTime;
    this.specHash = started.specHash;
    this.version = started.version;
    this.adopted = adopted;
  }

  onExit(callback: (exit: Exit) => void): void {
    const exit = this.exit;
    if (exit) queueMicrotask(() => callback(exit));
    else this.#callbacks.push(callback);
  }

  signal(name: NodeJS.Signals): boolean {
    if (this.exit || !lives(this)) return false;
    return name === 'SIGKILL' ? killGroup(this) : send(this.pid, name);
  }

  ended(exit: Exit): void {
    if (this.exit) return;
    this.exit = exit;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback(exit);
  }
}

function allPids(): number[] {
  return fs.readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** True while the pid names this life, or nobody: a group that outlives its leader keeps the number from new leaders. */
function groupIsOurs(life: Life): boolean {
  const leader = readStat(life.pid);
  return leader === undefined || leader.startTime === life.startTime;
}

function groupLives(life: Life): boolean {
  if (!groupIsOurs(life) || !send(-life.pid, 0)) return false;
  return allPids().some((pid) => {
    const stat = readStat(pid);
    return stat !== undefined && stat.group === life.pid && stat.session === life.pid && !isDead(stat);
  });
}

function signalGroup(life: Life, name: NodeJS.Signals): boolean {
  return life.pid > 1 && groupIsOurs(life) && send(-life.pid, name);
}

function killGroup(life: Life): boolean {
  return signalGroup(life, 'SIGKILL');
}

function send(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** The leader of the session that was started with `token`, for the pilot that was killed before it could note the pid. */
function findByToken(token: string): Life | undefined {
  for (const pid of allPids()) {
    const stat = readStat(pid);
    if (stat?.session === pid && readEnvironment(pid).includes(`${START_TOKEN}=${token}`)) {
      return { pid, startTime: stat.startTime };
    }
  }
  return undefined;
}

function readEnvironment(pid: number): string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function thisMachine(): Pick<Entry, 'bootId' | 'pidNamespace'> {
  return {
    bootId: fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    pidNamespace: fs.readlinkSync('/proc/self/ns/pid'),
  };
}

/** Undefined where there is none, where it cannot be read, and where it speaks of another boot or another container. */
function readEntry(path: string, log: Logger): Entry | undefined {
  let entry: Partial<Entry> | null;
  try {
    entry = JSON.parse(fs.readFileSync(path, 'utf8')) as Partial<Entry> | null;
  } catch (err) {
    const absent = (err as NodeJS.ErrnoException).code === 'ENOENT';
    if (!absent) log.error({ err, path }, 'the record of the database process cannot be read');
    return undefined;
  }
  const texts = [entry?.token, entry?.specHash, entry?.version];
  const life = entry?.life;
  const whole = texts.every((text) => typeof text === 'string') && (!life || (life.pid > 1 && life.startTime >= 0));
  if (!whole) {
    log.error({ path }, 'the record of the database process is not one that a pilot writes');
    return undefined;
  }
  const here = thisMachine();
  return entry?.bootId === here.bootId && entry.pidNamespace === here.pidNamespace ? (entry as Entry) : undefined;
}

/** Opens it for appending. Turned over at a start alone: while a database writes to it, nobody else may move it. */
function openConsole(path: string): number {
  fs.mkdirSync(dirname(path), { recursive: true });
  const bytes = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > CONSOLE_BYTES_MAX) fs.renameSync(path, `${path}.1`);
  return fs.openSync(path, 'a', 0o640);
}

function spawnError(launch: Launch, cause: Error): NavigatorError {
  const system = (cause as NodeJS.ErrnoException).code ?? '';
  const message = `cannot start ${launch.command}: ${cause.message}`;
  if (system === 'ENOENT' || system === 'EACCES') return new NavigatorError('missing_tool', message, { cause });
  if (system === 'EPERM') return new NavigatorError('forbidden', message, { cause });
  if (['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'].includes(system)) {
    return new NavigatorError('exhausted', message, { cause, retryable: true });
  }
  return new NavigatorError('internal', message, { cause });
}
