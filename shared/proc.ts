/** Processes of this machine, as /proc shows them. A pid alone is no identity: it is given out again. */
import { readFileSync } from 'node:fs';

/** One life of one process: nothing else ever has the same pid and start time in one boot. */
export interface Life {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly startTime: number;
}

export interface Stat {
  /** One letter, as `ps` shows it. */
  readonly state: string;
  readonly group: number;
  readonly session: number;
  readonly startTime: number;
}

/** Undefined where there is no such process. */
export function readStat(pid: number): Stat | undefined {
  try {
    // The name before the last parenthesis may hold blanks and parentheses of its own.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, , group, session] = fields;
    return { state: state ?? 'X', group: Number(group), session: Number(session), startTime: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

/** A zombie has exited, whoever may be slow to wait for it. */
export function isDead(stat: Stat): boolean {
  return stat.state === 'Z' || stat.state === 'X';
}

/** Whether this very process is still there. */
export function lives(life: Life): boolean {
  const stat = readStat(life.pid);
  return stat !== undefined && stat.startTime === life.startTime && !isDead(stat);
}

/** The life that a pid names now. Where there is none, one that nothing lives. */
export function lifeOf(pid: number): Life {
  return { pid, startTime: readStat(pid)?.startTime ?? -1 };
}
