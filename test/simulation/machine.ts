/** Database processes in virtual time: they outlive their pilots, and take a moment to stop. */
import { NavigatorError } from '../../shared/errors.ts';
import type { DatabaseProcess, Exit, Running, Started } from '../../pilot/supervisor/ports.ts';
import type { SimulatedDatabase } from './application.ts';
import type { SeededRandom } from './random.ts';
import type { ActorClock } from './time.ts';
import type { World } from './world.ts';

/** As the pilot does it. */
const killAfterMs = 60_000;

interface Life extends Started {
  readonly pid: number;
  readonly onEnd: Set<(exit: Exit) => void>;
}

export class Machine {
  readonly #world: World;
  readonly #database: SimulatedDatabase;
  readonly #random: SeededRandom;
  readonly #lives = new Map<string, Life>();
  readonly #ending = new WeakSet<Life>();
  #pids = 1_000;

  constructor(world: World, database: SimulatedDatabase) {
    this.#world = world;
    this.#database = database;
    this.#random = world.random.fork('machine');
  }

  runs(member: string): boolean {
    return this.#lives.has(member);
  }

  /** Whether it has had its SIGTERM: it still serves, and will not for long. */
  isEnding(member: string): boolean {
    const life = this.#lives.get(member);
    return life !== undefined && this.#ending.has(life);
  }

  life(member: string): Life | undefined {
    return this.#lives.get(member);
  }

  begin(member: string, started: Started): Life {
    if (this.runs(member)) throw new NavigatorError('already_exists', `the database of ${member} runs already`);
    this.#pids++;
    const life: Life = { ...started, pid: this.#pids, onEnd: new Set() };
    this.#lives.set(member, life);
    this.#world.say(member, `database starts, pid ${life.pid}, ${started.version}`);
    this.#database.start(member, started.version);
    return life;
  }

  /** SIGTERM: it ends a moment later. */
  terminate(member: string, life: Life): void {
    this.#ending.add(life);
    const longMs = this.#world.rough('slow_starts') ? 8_000 : 1_500;
    this.#stopIn(member, life, { inMs: this.#random.between(100, longMs), leftMs: killAfterMs });
  }

  /** A stopped process takes no SIGTERM; SIGKILL it does. */
  #stopIn(member: string, life: Life, { inMs, leftMs }: { readonly inMs: number; readonly leftMs: number }): void {
    this.#world.time.after(inMs, () => {
      if (this.#lives.get(member) !== life) return;
      if (this.#database.isHung(member) && leftMs > 0)
        this.#stopIn(member, life, { inMs: 1_000, leftMs: leftMs - 1_000 });
      else this.#end(member, 'stopped', { code: 143, signal: null });
    });
  }

  crash(member: string): void {
    if (!this.runs(member)) return;
    this.#world.disturb();
    this.#end(member, 'crashed', { code: 1, signal: null });
  }

  #end(member: string, how: string, exit: Exit): void {
    const life = this.#lives.get(member);
    if (life === undefined) return;
    this.#lives.delete(member);
    this.#world.say(member, `database has ${how}`);
    this.#database.kill(member);
    for (const tell of life.onEnd) tell(exit);
  }
}

/** The port as one life of a pilot has it. */
export class Hands implements DatabaseProcess {
  readonly #machine: Machine;
  readonly #member: string;
  readonly #clock: ActorClock;
  readonly #onStop: () => void;

  constructor(machine: Machine, member: string, clock: ActorClock, onStop: () => void) {
    this.#machine = machine;
    this.#member = member;
    this.#clock = clock;
    this.#onStop = onStop;
  }

  async start(_launch: unknown, started: Started): Promise<Running> {
    await this.#clock.sleep(20);
    return this.#view(this.#machine.begin(this.#member, started), false);
  }

  adopt(): Running | undefined {
    const life = this.#machine.life(this.#member);
    return life && this.#view(life, true);
  }

  stop(running: Running): Promise<Exit> {
    this.#onStop();
    const life = this.#machine.life(this.#member);
    return new Promise((resolve) => {
      running.onExit(resolve);
      if (life !== undefined && life.pid === running.pid) this.#machine.terminate(this.#member, life);
    });
  }

  #view(life: Life, adopted: boolean): Running {
    let gone: Exit | undefined;
    life.onEnd.add((exit) => (gone = exit));
    const { pid, specHash, version } = life;
    return {
      pid,
      startTime: pid,
      specHash,
      version,
      adopted,
      onExit: (callback) => {
        const tell = (exit: Exit): void => this.#clock.defer(() => callback(exit));
        if (gone !== undefined) tell(gone);
        else life.onEnd.add(tell);
      },
      signal: () => gone === undefined,
    };
  }
}
