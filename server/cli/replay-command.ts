/** `navigator replay`: what the flight recorder's journals tell, and whether their decisions come out the same. */
import { readJournals, type Journal } from '../../replay/journals.ts';
import { storyOf } from '../../replay/story.ts';
import { verify, type Verified } from '../../replay/verify.ts';
import { actLines } from '../../replay/words.ts';
import { navigatorVersion } from '../../shared/version.ts';
import { exit } from './call.ts';
import { toJson, type OutputFormat } from './output.ts';
import type { Output } from './surroundings.ts';

/** What `navigator replay` was asked for. */
export interface ReplayOptions {
  /** A journal, or a directory. */
  readonly path: string;
  readonly verify: boolean;
  readonly output: OutputFormat;
  readonly stdout: Output;
}

/** Tells the story of the journals, or verifies them, and answers with the exit code. */
export function replay({ path, verify: verifies, output, stdout }: ReplayOptions): number {
  const journals = readJournals(path);
  const { view, lines, code } = verifies ? verified(journals) : told(journals);
  stdout.write(output === 'json' ? `${toJson(view)}\n` : lines.map((line) => `${line}\n`).join(''));
  return code;
}

interface Told {
  readonly view: unknown;
  readonly lines: readonly string[];
  readonly code: number;
}

function told(journals: readonly Journal[]): Told {
  const acts = storyOf(journals.map(({ records }) => records));
  const notes = journals.flatMap(notesOf);
  const none = acts.length === 0 ? ['nothing destructive is recorded'] : [];
  const lines = [...notes, ...none, ...acts.flatMap((act) => [...actLines(act), ''])];
  return { view: { journals: journals.map(viewOf), acts }, lines, code: exit.ok };
}

function viewOf({ path, by, records, torn }: Journal): object {
  return { path, by, first: records[0]?.n, last: records.at(-1)?.n, torn };
}

/** What a reader has to know of a journal before believing that it is all there is. */
function notesOf({ path, records, torn }: Journal): readonly string[] {
  const first = records[0]?.n ?? 1;
  return [
    ...(first > 1 ? [`${path}: begins with record ${first}; what came before has been rotated away`] : []),
    ...(torn > 0
      ? [`${path}: ends with ${torn} bytes of a record that is not whole: the writer was killed, or writes`]
      : []),
  ];
}

function verified(journals: readonly Journal[]): Told {
  const version = navigatorVersion();
  const results = journals.map((journal) => ({
    ...viewOf(journal),
    path: journal.path,
    ...verify(journal.records, version),
  }));
  const wrong = results.some((result) => result.difference !== undefined || foreign(result) > 0);
  const lines = [
    ...journals.flatMap(notesOf),
    ...results.flatMap((result) => resultLines(result.path, result, version)),
  ];
  return { view: { version, journals: results }, lines, code: wrong ? exit.failed : exit.ok };
}

function foreign({ otherVersions }: Verified): number {
  return Object.values(otherVersions).reduce((sum, count) => sum + count, 0);
}

function resultLines(path: string, result: Verified, version: string): readonly string[] {
  const { rerun, unfounded, otherVersions, difference } = result;
  const others = Object.entries(otherVersions).map(
    ([other, count]) =>
      `${path}: ${count} decisions were made by Navigator ${other || 'unknown'} and are not judged: this is ${version}`,
  );
  const lost = unfounded === 0 ? [] : [`${path}: ${unfounded} records build on ones that are gone, and are not judged`];
  if (difference === undefined)
    return [...others, ...lost, `${path}: ${rerun} decisions were made again, and came out the same`];
  const { file, line, n, of, what } = difference;
  return [
    ...others,
    ...lost,
    `${path}: ${rerun} decisions were made again, and the last of them came out differently:`,
    `  ${file} line ${line}, record ${n}, ${of}`,
    ...what.map((part) => `  ${part}`),
  ];
}
