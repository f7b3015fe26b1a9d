/** The journal of one life on a simulated disk: it fails while the disk is full, and is kept only where somebody reads it. */
import type { Recorder } from '../../shared/journal.ts';
import type { PlainObject } from '../../shared/plain.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { type MemoryRecorder } from '../fakes/recorder.ts';

export class SimulatedJournal implements Recorder {
  trouble = '';
  readonly #isFull: () => boolean;
  readonly #kept: MemoryRecorder | undefined;
  #records = 0;

  constructor(isFull: () => boolean, kept: MemoryRecorder | undefined) {
    this.#isFull = isFull;
    this.#kept = kept;
  }

  append(kind: string, body: (segment: number) => PlainObject): number {
    this.retry();
    if (this.trouble !== '') throw new NavigatorError('unavailable', this.trouble);
    this.#records++;
    return this.#kept?.append(kind, body) ?? this.#records;
  }

  retry(): void {
    this.trouble = this.#isFull() ? 'the journal cannot be written: no space is left on the device' : '';
  }
}
