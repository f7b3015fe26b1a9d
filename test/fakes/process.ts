/** Database processes in memory: they outlive their pilots, and end when a pilot or a test ends them. */
import { NavigatorError } from '../../shared/errors.ts';
import type { DatabaseProcess, Exit, Running, Started } from '../../pilot/supervisor/ports.ts';
import type { FakeCluster } from './engine.ts';

export interface Happening {
  readonly member: string;
  readonly what: 'started' | 'adopted' | 'stopped' | 'crashed';
}

/** One life of one process. */
interface Life extends Started {
  readonly pid: number;
  /** Told of its end, one for each life of a pilot that looked after it. */
  readonly views: Set<FakeRunning>;
}

/** The machine that the databases of one cluster run on. Whoever looks after a member gets hands of his own. */
export class FakeMachine {
  readonly history: Happening[] = [];
  /** The most members that were away at once, of those that have run and are not forgotten. */
  awayMost = 0;
  readonly #cluster: FakeCluster;
  readonly #lives = new Map<string, Life>();
  readonly #known = new Set<string>();
  #pids = 1_000;

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  /** What one life of a pilot does to its member's process. */
  hands(member: string): FakeHands {
    return new FakeHands(this, member);
  }

  /** Whether its process is there. */
  runs(member: string): boolean {
    return this.#lives.has(member);
  }

  /** How often something has happened to a member. */
  count(member: string, what: Happening['what']): number {
    return this.history.filter((one) => one.member === member && one.what === what).length;
  }

  /** Its process ends, asked by nobody. */
  crash(member: string): void {
    this.end(member, 'crashed', { code: 1, signal: null });
  }

  /** The member is gone for good and no longer counts as away. */
  forget(member: string): void {
    this.#known.delete(member);
  }

  begin(member: string, started: Started): Life {
    if (this.runs(member)) throw new NavigatorError('already_exists', `the database of ${member} runs already`);
    this.#cluster.start(member);
    this.#pids++;
    const life: Life = { ...started, pid: this.#pids, views: new Set() };
    this.#lives.set(member, life);
    this.#known.add(member);
    this.#note(member, 'started');
    return life;
  }

  present(member: string): Life | undefined {
    const life = this.#lives.get(member);
    if (life !== undefined) this.#note(member, 'adopted');
    return life;
  }

  end(member: string, what: 'stopped' | 'crashed', exit: Exit): void {
    const life = this.#lives.get(member);
    if (life === undefined) return;
    this.#lives.delete(member);
    this.#cluster.kill(member);
    this.#note(member, what);
    for (const view of life.views) view.ended(exit);
  }

  #note(member: string, what: Happening['what']): void {
    this.history.push({ member, what });
    const away = [...this.#known].filter((name) => !this.runs(name)).length;
    this.awayMost = Math.max(this.awayMost, away);
  }
}

/** The port as one life of a pilot has it. After `cut` nothing that it does has an effect: that life is over. */
export class FakeHands implements DatabaseProcess {
  readonly #machine: FakeMachine;
  readonly #member: string;
  #cut = false;

  constructor(machine: FakeMachine, member: string) {
    this.#machine = machine;
    this.#member = member;
  }

  cut(): void {
    this.#cut = true;
  }

  async start(_launch: unknown, started: Started): Promise<Running> {
    if (this.#cut) throw new NavigatorError('internal', 'this pilot is dead');
    return this.#view(this.#machine.begin(this.#member, started), false);
  }

  adopt(): Running | undefined {
    const life = this.#cut ? undefined : this.#machine.present(this.#member);
    return life && this.#view(life, true);
  }

  async stop(running: Running): Promise<Exit> {
    const exit = { code: 143, signal: null };
    if (!this.#cut && running.signal('SIGTERM')) this.#machine.end(this.#member, 'stopped', exit);
    return exit;
  }

  #view(life: Life, adopted: boolean): Running {
    const view = new FakeRunning(life, adopted, () => !this.#cut);
    life.views.add(view);
    return view;
  }
}

class FakeRunning implements Running {
  readonly pid: number;
  readonly startTime: number;
  readonly specHash: string;
  readonly version: string;
  readonly adopted: boolean;
  readonly #listens: () => boolean;
  #exit: Exit | undefined;
  #callbacks: ((exit: Exit) => void)[] = [];

  constructor(life: Life, adopted: boolean, listens: () => boolean) {
    this.pid = life.pid;
    this.startTime = life.pid;
    this.specHash = life.specHash;
    this.version = life.version;
    this.adopted = adopted;
    this.#listens = listens;
  }

  onExit(callback: (exit: Exit) => void): void {
    const exit = this.#exit;
    if (exit) queueMicrotask(() => callback(exit));
    else this.#callbacks.push(callback);
  }

  /** It takes none of them; it says whether there is a process to take it. */
  signal(): boolean {
    return this.#exit === undefined;
  }

  ended(exit: Exit): void {
    this.#exit = exit;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    queueMicrotask(() => {
      if (this.#listens()) for (const callback of callbacks) callback(exit);
    });
  }
}
