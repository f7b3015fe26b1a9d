/** Finds journals and reads them, both segments in order. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NavigatorError } from '../shared/errors.ts';
import { JOURNAL_FILE, olderSegment, readIfThere } from '../shared/journal.ts';
import { readSegment, type Header, type JournalRecord } from '../shared/journal-lines.ts';

/** One journal, whole. */
export interface Journal {
  readonly path: string;
  /** Who wrote it. */
  readonly by: string;
  readonly records: readonly JournalRecord[];
  /** Bytes at its end that are no whole record yet. */
  readonly torn: number;
}

/** The journals that a path names: a file, or a directory and all below it. Throws where there are none. */
export function readJournals(path: string): readonly Journal[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new NavigatorError('not_found', `there is no file or directory ${path}`, {
      advice: ['name a journal, or the state directory that it is in (--state-directory)'],
    });
  }
  const paths = found.isDirectory() ? journalsBelow(path) : [path];
  if (paths.length === 0) {
    throw new NavigatorError('not_found', `there is no journal in ${path}`, {
      advice: ['a server keeps `journal` in its state directory, a pilot in the directory of its member'],
    });
  }
  return paths.map(readJournal);
}

/** How deep a journal lies in a state directory: members/NAMESPACE/CLUSTER/MEMBER/journal. */
const depthMax = 4;

function journalsBelow(directory: string, depth = 0): readonly string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const isJournal = entries.some((entry) => entry.isFile() && [JOURNAL_FILE, `${JOURNAL_FILE}.1`].includes(entry.name));
  const own = isJournal ? [join(directory, JOURNAL_FILE)] : [];
  if (depth === depthMax) return own;
  // What a database keeps is none of ours, and may be large.
  const below = entries.filter((entry) => entry.isDirectory() && !['data', 'logs', 'config'].includes(entry.name));
  return [...own, ...below.flatMap((entry) => journalsBelow(join(directory, entry.name), depth + 1))];
}

/** A writer may rotate between the reading of one segment and the other: then both are read again. */
const attempts = 3;

function readJournal(path: string): Journal {
  for (let attempt = 1; ; attempt++) {
    try {
      return readOnce(path);
    } catch (thrown) {
      if (attempt === attempts) throw thrown;
    }
  }
}

function readOnce(path: string): Journal {
  const older = readIfThere(olderSegment(path));
  const before = older && readSegment(older, olderSegment(path));
  if (before !== undefined && before.torn > 0) {
    const line = before.records.length + 1;
    throw new NavigatorError('invalid', `${olderSegment(path)} line ${line}: it ends in the middle of a record`);
  }
  const present = readIfThere(path);
  if (present !== undefined && !isJournal(present)) throw new NavigatorError('invalid', `${path} is no journal`);
  const after = readSegment(present ?? Buffer.alloc(0), path, before?.end);
  const records = [...(before?.records ?? []), ...after.records];
  const by = (records[0]?.body as Header | undefined)?.by ?? 'nobody';
  return { path, by, records, torn: after.torn };
}

function isJournal(bytes: Buffer): boolean {
  const begin = '{"sum":"';
  return begin.startsWith(bytes.toString('utf8', 0, begin.length));
}
