/**
 * Reaps the orphans that fall to the pilot as PID 1. libuv waits for those processes alone that Node spawned; every
 * other one would stay a zombie until the container has no pids left.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import { ownChildren, type OwnChildren } from './children.ts';

const P_ALL = 0;
const WNOHANG = 0x1;
const WEXITED = 0x4;
const WNOWAIT = 0x1000000;
const PR_SET_CHILD_SUBREAPER = 36;
const SIGINFO_BYTES = 128;
/** Where si_pid stands in siginfo_t, on x86_64 and arm64. */
const SI_PID_OFFSET = 16;
/** One pass reaps no more, so that a storm of orphans cannot hold up the pilot's loop. */
const PASS_ORPHANS_MAX = 10_000;
const TIMER_MS = 2_000;

interface LibC {
  waitid(idType: number, id: number, siginfo: Buffer, options: number): number;
  waitpid(pid: number, status: null, options: number): number;
  prctl(option: number, ...values: number[]): number;
}

export interface Reaper {
  /** How many orphans it has reaped so far. */
  readonly reaped: number;
  /** One pass at once, beside those that SIGCHLD and the timer bring. */
  reapNow(): void;
  close(): void;
}

export interface ReaperOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Absent: only where this process is PID 1. */
  readonly reap?: boolean;
  /** Absent: the list of this process, which is right everywhere but in tests. */
  readonly children?: OwnChildren;
}

/**
 * Reaps orphans until it is closed; undefined where there is nothing to do or no way to do it. It never takes the exit
 * of a process that `children` lists: it looks first (WNOWAIT), and takes only what is not there. A pilot without a
 * reaper still supervises its database, so that a missing koffi is logged and not thrown.
 */
export async function startReaper(options: ReaperOptions): Promise<Reaper | undefined> {
  if (!(options.reap ?? process.pid === 1)) return undefined;
  const libc = await loadLibC(options.log);
  return libc && new OrphanReaper(libc, options);
}

/**
 * Makes the orphans among this process's descendants fall to it instead of to the machine's PID 1; true when it worked.
 * For the embedded runtime, where the pilot is not PID 1. Start the reaper with `reap: true` beside it.
 */
export async function becomeSubreaper(log: Logger): Promise<boolean> {
  const libc = await loadLibC(log);
  if (!libc) return false;
  const done = libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) === 0;
  if (!done) log.error('prctl(PR_SET_CHILD_SUBREAPER) failed: orphans of the database fall to PID 1');
  return done;
}

class OrphanReaper implements Reaper {
  reaped = 0;
  readonly #libc: LibC;
  readonly #clock: Clock;
  readonly #children: OwnChildren;
  readonly #siginfo = Buffer.alloc(SIGINFO_BYTES);
  readonly #onSigchld = (): void => this.reapNow();
  readonly #stopListening: () => void;
  #timer: Timer | undefined;
  #closed = false;

  constructor(libc: LibC, options: ReaperOptions) {
    this.#libc = libc;
    this.#clock = options.clock;
    this.#children = options.children ?? ownChildren;
    process.on('SIGCHLD', this.#onSigchld);
    // A pass ends at the first of Node's own; when that one is gone, the orphans behind it can be seen.
    this.#stopListening = this.#children.onExit(this.#onSigchld);
    this.reapNow();
  }

  reapNow(): void {
    if (this.#closed) return;
    const more = this.#pass();
    this.#timer?.cancel();
    this.#timer = this.#clock.after(more ? 0 : TIMER_MS, this.#onSigchld);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#stopListening();
    process.removeListener('SIGCHLD', this.#onSigchld);
  }

  /** True where the bound ended it while there was more to do. */
  #pass(): boolean {
    for (let done = 0; done < PASS_ORPHANS_MAX; done += 1) {
      const pid = this.#firstDead();
      if (pid === 0 || this.#children.has(pid)) return false;
      if (this.#libc.waitpid(pid, null, WNOHANG) !== pid) return false;
      this.reaped += 1;
    }
    return true;
  }

  /** The pid that the kernel would give to the next wait, left in place; 0 where nobody is dead. */
  #firstDead(): number {
    this.#siginfo.fill(0);
    const failed = this.#libc.waitid(P_ALL, 0, this.#siginfo, WEXITED | WNOHANG | WNOWAIT) !== 0;
    return failed ? 0 : this.#siginfo.readInt32LE(SI_PID_OFFSET);
  }
}

/** Loads koffi on first need only: a pilot that does not reap does not pay its memory. */
async function loadLibC(log: Logger): Promise<LibC | undefined> {
  try {
    const { default: koffi } = await import('koffi');
    const lib = koffi.load(null);
    return {
      waitid: lib.func('int waitid(int idType, uint32_t id, _Out_ uint8_t *siginfo, int options)') as LibC['waitid'],
      waitpid: lib.func('int waitpid(int pid, int *status, int options)') as LibC['waitpid'],
      prctl: lib.func(
        'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
      ) as LibC['prctl'],
    };
  } catch (thrown) {
    log.error({ err: thrown }, 'koffi cannot be loaded: orphans that fall to this pilot will stay zombies');
    return undefined;
  }
}
