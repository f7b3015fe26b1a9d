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

const ownerFile = 'owner';

/**
 * What was remembered for another cluster, such as the last one of that name, is put aside: its terms and revisions
 * say nothing about this one's. `memory` is the file of it, `owner` is a cluster's lasting identity.
 */
export function claimMemory(memory: string, owner: string): void {
  const file = join(dirname(memory), ownerFile);
  const before = existsSync(file) ? readFileSync(file, 'utf8').trim() : owner;
  if (before !== owner) putMemoryAside(memory);
  if (before !== owner || !existsSync(file)) writeDurably(file, owner);
}

/** The member has left: whoever gets its name and its volume later begins with nothing, and with its data. */
export function putMemoryAside(path: string): void {
  if (existsSync(path)) renameSync(path, `${path}.former`);
}
