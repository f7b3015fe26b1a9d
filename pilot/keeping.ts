/**
 * What must outlive this pilot, written down before it is acted upon. Where the disk refuses (it is full, say), nothing
 * that needs it is obeyed, the database runs on, and it is tried again.
 */
import { NavigatorError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { Remembered, StateFile } from './supervisor/ports.ts';
import type { FromServer } from './wire.ts';

export class Keeping {
  readonly #memory: StateFile;
  readonly #log: Logger;
  readonly #unheard = new Map<FromServer['kind'], FromServer>();
  #trouble = '';

  constructor(memory: StateFile, log: Logger) {
    this.#memory = memory;
    this.#log = log;
  }

  /** Why nothing can be written down, for people; empty: it can. */
  get trouble(): string {
    return this.#trouble;
  }

  current(): Remembered {
    return this.#memory.current();
  }

  /** Whether it would survive a power cut now. */
  keep(change: Partial<Remembered>): boolean {
    const before = this.#memory.current();
    try {
      if (this.#memory.remember(change) !== before) this.#trouble = '';
      return true;
    } catch (thrown) {
      const { message } = NavigatorError.from(thrown);
      if (message !== this.#trouble) this.#log.error({ err: thrown }, `this pilot cannot write: ${message}`);
      this.#trouble = message;
      return false;
    }
  }

  /** What the server says once only and could not be obeyed: the last of its kind waits. */
  putOff(message: FromServer): void {
    this.#unheard.set(message.kind, message);
  }

  /** What was put off, to be heard again. */
  takeUp(): readonly FromServer[] {
    const messages = [...this.#unheard.values()];
    this.#unheard.clear();
    return messages;
  }
}
