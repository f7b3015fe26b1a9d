/** What a pilot needs of the machine: a database process, and a memory that outlives it. */
import type { Life } from '../../shared/proc.ts';
import type { Desired, Launch, MemberSpec } from '../model.ts';

export interface Exit {
  /** Null where a signal ended it, or where it was adopted: only a parent learns the code. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What was started, in the server's words. */
export interface Started {
  readonly specHash: string;
  readonly version: string;
}

export interface Running extends Life, Started {
  /** True where an earlier life of this pilot started it. */
  readonly adopted: boolean;
  /** Calls back once, at its exit, or soon where that has been. */
  onExit(callback: (exit: Exit) => void): void;
  /** To the process itself; SIGKILL to its whole group. False where it is gone: another process is never signalled. */
  signal(name: NodeJS.Signals): boolean;
}

export interface DatabaseProcess {
  /**
   * Starts it, once what an earlier one left in its group is gone. Rejects with `already_exists` where one runs, with
   * `missing_tool` where there is no such program, with `not_found` where there is no such working directory.
   */
  start(launch: Launch, started: Started): Promise<Running>;
  /** The one that runs, be it started in this life or an earlier one. Undefined: none does, and none is presumed. */
  adopt(): Running | undefined;
  /** SIGTERM, and after `termMs` SIGKILL to whatever is left of its group; resolves when all of that is gone. */
  stop(running: Running, limits: { readonly termMs: number }): Promise<Exit>;
}

export interface Remembered {
  /** No order of a lower term is obeyed. */
  readonly highestTerm: number;
  readonly highestRevision: number;
  /** The last that the server said. Absent: it never said anything. */
  readonly desired?: Desired;
  /** It has left its cluster by permit: no later life starts the database again. */
  readonly left?: boolean;
  /** What the database was last started with. */
  readonly applied?: MemberSpec;
}

export interface StateFile {
  /** What is remembered now. It costs no I/O. */
  current(): Remembered;
  /**
   * Returns once the change would survive a power cut; throws a NavigatorError, and changes nothing, where it cannot be
   * kept. `highestTerm` and `highestRevision` never fall. A change that changes nothing costs no I/O.
   */
  remember(change: Partial<Remembered>): Remembered;
}
