/** What a command finds around it: streams, environment, clock, person. Passed in, so that tests need no child process. */
import { userInfo } from 'node:os';
import pc from 'picocolors';
import { systemClock, type Clock } from '../../shared/clock.ts';
import type { Env } from './places.ts';

/** A stream that may be a terminal. `columns` and `rows` are absent where it is none. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** What a command reads, writes and listens to, besides the server. */
export interface Surroundings {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: NodeJS.WritableStream;
  readonly env: Env;
  readonly clock: Clock;
  /** Who rules over permits, for the ledger. */
  readonly userName: () => string;
  /** Calls back when the person presses Ctrl-C, until the returned function is called. */
  readonly onInterrupt: (stop: () => void) => () => void;
}

/** Paints text, or leaves it as it is. */
export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for a terminal whose person has not turned them off; none for a pipe. */
export function colorsFor({ stdout, env }: Pick<Surroundings, 'stdout' | 'env'>): Colors {
  return pc.createColors(stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb');
}

/** The surroundings of this process itself. */
export function processSurroundings(): Surroundings {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock(),
    userName: currentUser,
    onInterrupt: (stop) => {
      process.once('SIGINT', stop);
      return () => process.off('SIGINT', stop);
    },
  };
}

/** A container may run as a user that no passwd file knows. */
function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
