/**
 * The flight recorder's journal: an append-only file of records in two segments, FILE and the older FILE.1.
 * Invariant: what `append` has answered is in the file, whole and in order, and with `durably` survives a power cut.
 * What could not be written is not there in part, and is counted: the next record that can be written says so.
 */
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './durable.ts';
import { NavigatorError } from './errors.ts';
import {
  journalBegin,
  journalFormat,
  lineOf,
  readSegment,
  type Header,
  type JournalEnd,
  type Segment,
} from './journal-lines.ts';
import type { PlainObject } from './plain.ts';

/** The name of a journal in the directory of whoever writes it. */
export const JOURNAL_FILE = 'journal';

/** Where decisions are written down before they take effect. */
export interface Recorder {
  /** Why nothing can be written now; empty: the last record could be. */
  readonly trouble: string;
  /**
   * Writes one record and answers with its number. `body` is given the number of the segment that it will stand in:
   * a reader may have nothing that was written in an earlier one. The record survives a SIGKILL, and with `durably` a
   * power cut. Throws NavigatorError `unavailable`; nothing of the record is there then.
   */
  append(kind: string, body: (segment: number) => PlainObject, durably?: boolean): number;
  /** Where there is trouble, tries whether there still is. Never throws. */
  retry(): void;
}

export interface JournalOptions {
  readonly by: string;
  readonly version: string;
  /** A segment that has as much is closed, and the one before it dropped. */
  readonly segmentBytes: number;
  readonly wallMs: () => number;
  /** What writes to the disk; a test may have it fail. */
  readonly disk?: JournalDisk;
}

/** The two calls that a full or broken disk refuses. Both throw then. */
export interface JournalDisk {
  write(file: number, text: string): void;
  /** Returns once what was written survives a power cut. */
  sync(file: number): void;
}

const realDisk: JournalDisk = { write: writeFileSync, sync: fdatasyncSync };

/** The segment before the one that is written. */
export function olderSegment(path: string): string {
  return `${path}.1`;
}

export class Journal implements Recorder {
  readonly #path: string;
  readonly #options: JournalOptions;
  readonly #disk: JournalDisk;
  #file: number | undefined;
  #end: JournalEnd = journalBegin;
  #segment = 0;
  /** The header that is to be written before the next record. */
  #header: Header | undefined;
  #lost = 0;
  #trouble = '';

  /** Opens nothing yet: whoever records must start also where nothing can be written. */
  constructor(path: string, options: JournalOptions) {
    this.#path = path;
    this.#options = options;
    this.#disk = options.disk ?? realDisk;
  }

  get trouble(): string {
    return this.#trouble;
  }

  append(kind: string, body: (segment: number) => PlainObject, durably = false): number {
    try {
      this.#ready();
      this.#put([...this.#gap(), [kind, body(this.#segment)]], durably);
    } catch (cause) {
      this.#lost++;
      throw this.#failed(cause);
    }
    return this.#end.n;
  }

  retry(): void {
    if (this.#trouble === '') return;
    try {
      this.#ready();
      this.#put(this.#gap(), true);
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** Closes the file. A later record opens it again. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #gap(): readonly (readonly [string, PlainObject])[] {
    return this.#lost === 0 ? [] : [['gap', { lost: this.#lost, why: this.#trouble }]];
  }

  #put(records: readonly (readonly [string, PlainObject])[], durably: boolean): void {
    if (this.#file === undefined) return;
    const header: readonly (readonly [string, PlainObject])[] =
      this.#header === undefined ? [] : [['header', { ...this.#header, previous: this.#end.sum }]];
    let end = this.#end;
    let text = '';
    for (const [kind, body] of [...header, ...records]) {
      const line = lineOf(end, kind, this.#options.wallMs(), body);
      end = line.end;
      text += line.text;
    }
    this.#disk.write(this.#file, text);
    if (durably) this.#disk.sync(this.#file);
    this.#end = end;
    this.#header = undefined;
    this.#lost = 0;
    this.#trouble = '';
  }

  /** Cuts off whatever has been written in part. Where even that fails, the file is opened and read anew. */
  #failed(cause: unknown): NavigatorError {
    const { message } = NavigatorError.from(cause);
    this.#trouble = message;
    try {
      if (this.#file !== undefined) ftruncateSync(this.#file, this.#end.bytes);
    } catch {
      this.close();
    }
    return new NavigatorError('unavailable', `the journal ${this.#path} cannot be written: ${message}`, { cause });
  }

  #ready(): void {
    if (this.#file === undefined) this.#open();
    else if (this.#end.bytes >= this.#options.segmentBytes) this.#rotate();
  }

  #rotate(): void {
    if (this.#file !== undefined) this.#disk.sync(this.#file);
    this.close();
    renameSync(this.#path, olderSegment(this.#path));
    this.#open();
  }

  /** Goes on where the last life has ended. */
  #open(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const found = this.#read();
    const file = openSync(this.#path, 'a', 0o600);
    if (found.torn > 0) ftruncateSync(file, found.end.bytes);
    syncDirectory(dirname(this.#path));
    const { by, version: navigator } = this.#options;
    this.#file = file;
    this.#end = found.end;
    this.#header = { format: journalFormat, navigator, by, previous: found.end.sum, cutOff: found.torn };
    this.#segment++;
  }

  #read(): Segment {
    const present = readOrPutAside(this.#path);
    if (present.records.length > 0) return present;
    const { end } = readOrPutAside(olderSegment(this.#path));
    return { ...present, end: { ...end, bytes: 0 } };
  }
}

/** A segment that is damaged is put aside as `.corrupt`: to go on recording is worth more. */
function readOrPutAside(path: string): Segment {
  const bytes = readIfThere(path) ?? Buffer.alloc(0);
  try {
    return readSegment(bytes, path);
  } catch {
    renameSync(path, `${path}.corrupt`);
    return readSegment(Buffer.alloc(0), path);
  }
}

/** The bytes of a file; undefined where there is none. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
