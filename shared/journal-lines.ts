/**
 * The text of a journal: one record a line, JSON, each with its number and a checksum over itself and the checksum
 * before it. So no line can be altered, left out or put elsewhere without the next reader naming it. Pure.
 */
import { createHash } from 'node:crypto';
import { NavigatorError } from './errors.ts';
import type { PlainObject } from './plain.ts';

/** What this Navigator writes and reads. */
export const journalFormat = 1;

export interface JournalRecord {
  readonly n: number;
  /** Wall ms since the epoch, for people. */
  readonly at: number;
  readonly kind: string;
  readonly body: PlainObject;
  /** Where it stands, for people. */
  readonly file: string;
  readonly line: number;
}

/** How far a journal has come: the next record goes on from here. */
export interface JournalEnd {
  readonly n: number;
  readonly sum: string;
  /** Bytes of the segment up to here. */
  readonly bytes: number;
}

/** The first words of a segment, and of every life that goes on in one. */
export interface Header {
  readonly format: number;
  /** The version of the Navigator that writes. */
  readonly navigator: string;
  /** Who writes: `server`, or `pilot` and its member. */
  readonly by: string;
  /** The checksum of the record before it, in whatever segment. */
  readonly previous: string;
  /** Bytes of a record that was never finished, which have been cut off. */
  readonly cutOff: number;
}

export const journalBegin: JournalEnd = { n: 0, sum: '', bytes: 0 };

/** One record as the line that follows `end`, and the end after it. */
export function lineOf(
  end: JournalEnd,
  kind: string,
  at: number,
  body: PlainObject,
): { text: string; end: JournalEnd } {
  const n = end.n + 1;
  const rest = `"n":${n},"at":${JSON.stringify(at)},"kind":${JSON.stringify(kind)},"body":${JSON.stringify(body)}}`;
  const sum = sumOf(end.sum, rest);
  const text = `{"sum":"${sum}",${rest}\n`;
  return { text, end: { n, sum, bytes: end.bytes + Buffer.byteLength(text) } };
}

function sumOf(previous: string, rest: string): string {
  return createHash('sha256').update(previous).update(rest).digest('hex').slice(0, 16);
}

/** One segment as it was read. */
export interface Segment {
  readonly records: readonly JournalRecord[];
  readonly end: JournalEnd;
  /** Bytes after the last whole record: a record that was being written. 0: there are none. */
  readonly torn: number;
}

const newline = 0x0a;

/**
 * Reads one segment. `before` is the end of the segment before it, where there is one.
 * Throws NavigatorError `invalid` with the file, the line and what is wrong with it. What comes after the last end of
 * a line is no error: it is what a SIGKILL or a power cut leaves of the record that was being written.
 */
export function readSegment(bytes: Buffer, file: string, before?: JournalEnd): Segment {
  const records: JournalRecord[] = [];
  let end: JournalEnd = { ...(before ?? journalBegin), bytes: 0 };
  for (let to = bytes.indexOf(newline); to >= 0; to = bytes.indexOf(newline, end.bytes)) {
    const line = records.length + 1;
    const text = bytes.toString('utf8', end.bytes, to);
    const wrong = (why: string): NavigatorError =>
      new NavigatorError('invalid', `${file} line ${line}: ${why}`, {
        advice: ['the lines before it are as they were written; nothing after it can be trusted'],
      });
    const parts = /^\{"sum":"([0-9a-f]{16})",(.*)$/s.exec(text);
    if (parts === null) throw wrong('this is no record of a journal');
    const [, sum = '', rest = ''] = parts;
    const record = parse(`{${rest}`);
    if (record === undefined) throw wrong('this is no record of a journal');
    if (line === 1) end = { ...startOf(record, before, wrong), bytes: 0 };
    const expected = sumOf(end.sum, rest);
    if (sum !== expected)
      throw wrong(`its checksum is ${sum} and should be ${expected}: it, or what preceded it, was altered`);
    if (record.n !== end.n + 1) throw wrong(`it is record ${record.n}, and ${end.n + 1} should follow`);
    records.push({ ...record, file, line });
    end = { n: record.n, sum, bytes: to + 1 };
  }
  return { records, end, torn: bytes.length - end.bytes };
}

type Words = Omit<JournalRecord, 'file' | 'line'>;

function parse(text: string): Words | undefined {
  try {
    return JSON.parse(text) as Words;
  } catch {
    return undefined;
  }
}

/** A segment begins with a header, which says what it goes on from. */
function startOf(first: Words, before: JournalEnd | undefined, wrong: (why: string) => NavigatorError): JournalEnd {
  if (first.kind !== 'header') throw wrong('a journal begins with its header, and this is none');
  const { format, previous, navigator } = first.body as unknown as Header;
  if (format !== journalFormat) {
    throw wrong(`it is of format ${format} (Navigator ${navigator}), and this Navigator reads format ${journalFormat}`);
  }
  if (before !== undefined && (previous !== before.sum || first.n !== before.n + 1)) {
    throw wrong(`it does not go on from record ${before.n}, the last one of the segment before it`);
  }
  return { n: first.n - 1, sum: previous, bytes: 0 };
}
