/**
 * What one pilot asks, hears and does, as the flight recorder's journal keeps it: every event that changed anything,
 * with the state before it, so that `step` can be run over it again, and the evidence behind every asking.
 */
import { changeOf, type Change } from '../shared/change.ts';
import type { Recorder } from '../shared/journal.ts';
import { toPlain, type Plain, type PlainObject } from '../shared/plain.ts';
import type { Evidence, Verb } from './model.ts';
import type { Asking, Effect, Event, State, Step } from './supervisor/step.ts';

/** Whose record it is. */
export interface PilotLife {
  /** `namespace/name`. */
  readonly cluster: string;
  readonly member: string;
  readonly incarnation: string;
}

/** One step of the supervisor. `state` is for who has `after` of the record before it of the same life. */
export interface StepBody extends PilotLife {
  readonly nowMs: number;
  readonly event: Plain;
  readonly state: Change;
  readonly after: Change;
  readonly effects: Plain;
}

/** Anything else that a pilot did or heard. */
export interface NoteBody extends PilotLife {
  readonly evidence?: Plain;
  readonly [word: string]: Plain | undefined;
}

export class PilotRecording {
  readonly #life: PilotLife;
  readonly #recorder: Recorder;
  #segment = 0;
  #state: Plain | undefined;
  #asked = '';
  #last = '';

  constructor(life: PilotLife, recorder: Recorder) {
    this.#life = life;
    this.#recorder = recorder;
  }

  /** Why nothing can be written; empty: it can. */
  get trouble(): string {
    return this.#recorder.trouble;
  }

  /** A step that changes nothing is not written. False: it could not be written. */
  stepped(before: State, event: Event, nowMs: number, { state, effects }: Step): boolean {
    if (state === before && effects.length === 0) return true;
    let is: Plain | undefined;
    const recorded = this.#append('step', effects.some(isGrave), () => {
      const was = toPlain(before);
      is = toPlain(state);
      const change = { state: changeOf(this.#state, was), after: changeOf(was, is) };
      const { state: begin, after } = change;
      const words = { nowMs, event: toPlain(event), state: begin, after, effects: toPlain(effects) };
      return { ...this.#life, ...words } satisfies StepBody;
    });
    if (recorded) this.#state = is;
    return recorded;
  }

  /** Writes an asking down the first time. False: nothing can be written now, and it is not to be asked. */
  asks(asking: Asking, evidence: Evidence | undefined): boolean {
    this.#recorder.retry();
    if (this.trouble !== '') return mayBeUnrecorded(asking);
    if (asking.id === this.#asked) return true;
    const recorded = this.note('asked', { ...asking, evidence });
    if (recorded) this.#asked = asking.id;
    return recorded || mayBeUnrecorded(asking);
  }

  /** Writes something down once, until something else of its kind is. False: it could not be written. */
  noteOnce(kind: string, words: object): boolean {
    const text = `${kind} ${JSON.stringify(toPlain(words))}`;
    if (text === this.#last) return true;
    this.#last = text;
    return this.note(kind, words);
  }

  /** Writes down whatever is not a step. False: it could not be written. */
  note(kind: string, words: object, durably = false): boolean {
    return this.#append(kind, durably, () => ({ ...this.#life, ...(toPlain(words) as PlainObject) }));
  }

  #append(kind: string, durably: boolean, body: () => object): boolean {
    try {
      this.#recorder.append(
        kind,
        (segment) => {
          if (segment !== this.#segment) this.#state = undefined;
          this.#segment = segment;
          return body() as PlainObject;
        },
        durably,
      );
      return true;
    } catch {
      this.#state = undefined;
      return false;
    }
  }
}

/** An orderly stop keeps everything, and somebody outside asked for it: a person, or a SIGTERM that does not wait. */
export function mayBeUnrecorded(step: { readonly verb: Verb } | undefined): boolean {
  return step?.verb === 'stop';
}

/** What must survive a power cut before it is done. */
function isGrave({ kind }: Effect): boolean {
  return kind === 'stop' || kind === 'use' || kind === 'wipe' || kind === 'complete' || kind === 'exit';
}
