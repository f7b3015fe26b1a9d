/** Which processes Node itself started and waits for, so that the reaper leaves their exit codes to Node. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';

/** Node tells it of every ChildProcess that it makes, just before the spawn. */
const CHANNEL = 'child_process';

/**
 * The children that Node spawned and has not yet seen exit, by whatever call they were started: the engine's tools are
 * run with `execFile`, and the engine does not know the supervisor. A child that is missing here would be reaped as an
 * orphan, and its exit would never be seen. Children are told apart by object, for the kernel gives pids again.
 */
export class OwnChildren {
  readonly #children = new Set<ChildProcess>();
  readonly #listeners = new Set<() => void>();

  constructor() {
    subscribe(CHANNEL, (message) => this.#add((message as { process: ChildProcess }).process));
  }

  /** True from the spawn of `pid` until its exit event. */
  has(pid: number): boolean {
    for (const child of this.#children) {
      // A spawn is over before anybody can ask, so that a child without a pid was never started.
      if (child.pid === undefined) this.#children.delete(child);
      else if (child.pid === pid) return true;
    }
    return false;
  }

  /** Calls back after each exit of an own child, so that a reaper that stopped at it goes on. Returns how to end that. */
  onExit(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** As `child_process.spawn`; it is listed here even where Node should not tell of it. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn(command, args, options);
    this.#add(child);
    return child;
  }

  #add(child: ChildProcess): void {
    if (this.#children.has(child)) return;
    this.#children.add(child);
    child.once('exit', () => {
      this.#children.delete(child);
      for (const listener of this.#listeners) listener();
    });
  }
}

/** The children of this process. There is one list, because the kernel has one list of what a process may wait for. */
export const ownChildren = new OwnChildren();

/** As `child_process.spawn`, for what must surely never be taken for an orphan. */
export function spawnOwned(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return ownChildren.spawn(command, args, options);
}
