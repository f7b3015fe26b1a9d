/** One pilot a member: two would answer for one database. And one memory a cluster, on volumes that outlive clusters. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeDurably } from '../shared/durable.ts';
import { lifeOf, lives, type Life } from '../shared/proc.ts';

/** False where another living pilot has the member's directory. Otherwise it is on record as this process's. */
export function claimDirectory(directory: string, version: string): boolean {
  const file = join(directory, 'pilot.pid');
  const holder = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Life) : undefined;
  if (holder !== undefined && holder.pid !== process.pid && lives(holder)) return false;
  writeDurably(file, JSON.stringify({ ...lifeOf(process.pid), version }));
  return true;
}

/** Whose a memory is. */
export interface Claim {
  /** A cluster's lasting identity. */
  readonly owner: string;
  /** The identity of the pod that the pilot runs in; absent: it cannot be told from the next one. */
  readonly pod?: string;
}

/**
 * What was remembered for another cluster, such as the last one of that name, is put aside: its terms and revisions
 * say nothing about this one's. So is what a member remembers that has left in another pod: the pilot there may have been
 * killed before it could end, and nothing would ever start here. `memory` is the file of it.
 */
export function claimMemory(memory: string, { owner, pod }: Claim): void {
  const directory = dirname(memory);
  const isOther = isNews(join(directory, 'owner'), owner, owner);
  const isNextPod = pod !== undefined && isNews(join(directory, 'pod'), pod, '');
  if (isOther || (isNextPod && hasLeft(memory))) putMemoryAside(memory);
  // Only now: a pilot that is killed before this puts nothing else aside the next time.
  keep(join(directory, 'owner'), owner);
  if (pod !== undefined) keep(join(directory, 'pod'), pod);
}

function isNews(file: string, value: string, fallback: string): boolean {
  return (existsSync(file) ? readFileSync(file, 'utf8').trim() : fallback) !== value;
}

function keep(file: string, value: string): void {
  if (!existsSync(file) || isNews(file, value, '')) writeDurably(file, value);
}

/** What cannot be read is for whoever opens it. */
function hasLeft(memory: string): boolean {
  try {
    return (JSON.parse(readFileSync(memory, 'utf8')) as { readonly left?: unknown } | null)?.left === true;
  } catch {
    return false;
  }
}

/** The member has left: whoever gets its name and its volume later begins with nothing, and with its data. */
export function putMemoryAside(path: string): void {
  if (existsSync(path)) renameSync(path, `${path}.former`);
}
