/** A journal in memory, as it would be read back. It begins a new segment after so many records. */
import type { Recorder } from '../../shared/journal.ts';
import { journalFormat, type JournalRecord } from '../../shared/journal-lines.ts';
import type { PlainObject } from '../../shared/plain.ts';

const recordsPerSegment = 50;

/** The version that it says has written it. */
export const writtenBy = '0.0.0';

export class MemoryRecorder implements Recorder {
  readonly trouble = '';
  readonly segments: JournalRecord[][] = [];
  #n = 0;

  append(kind: string, body: (segment: number) => PlainObject): number {
    if (this.segments.length === 0 || this.segments.at(-1)!.length >= recordsPerSegment) {
      this.segments.push([]);
      this.#keep('header', { format: journalFormat, navigator: writtenBy, by: 'test', previous: '', cutOff: 0 });
    }
    return this.#keep(kind, body(this.segments.length));
  }

  retry(): void {}

  /** As a line of a file would give it back. */
  #keep(kind: string, words: PlainObject): number {
    this.#n++;
    const body = JSON.parse(JSON.stringify(words)) as PlainObject;
    this.segments.at(-1)!.push({ n: this.#n, at: 0, kind, body, file: 'memory', line: this.#n });
    return this.#n;
  }
}
