/**
 * Answers to questions that cost a call elsewhere: each kept for a short time, asked once however many wait for it, and only
 * so many at once. A storm of pilots becomes a bounded queue, and whoever comes on top of that is told to come again.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { Latest } from '../../shared/latest.ts';

export interface AnswersRule {
  /** How many answers are kept. */
  readonly keptMax: number;
  /** How many calls are under way at once. */
  readonly atOnce: number;
  /** How many may wait for an answer. */
  readonly waitingMax: number;
}

interface Kept<T> {
  readonly answer: T;
  readonly untilMs: number;
}

/** Enough for the pilots of the largest server, all at once: a review takes the API server a few milliseconds. */
export const reviewRule: AnswersRule = { keptMax: 20_000, atOnce: 32, waitingMax: 20_000 };

/** Answers by key. A key is never the token itself: see `digest`. */
export class Answers<T> {
  readonly #clock: Clock;
  readonly #rule: AnswersRule;
  readonly #kept: Latest<string, Kept<T>>;
  readonly #asked = new Map<string, Promise<T>>();
  readonly #queue: (() => void)[] = [];
  #underWay = 0;
  #waiting = 0;

  constructor(clock: Clock, rule = reviewRule) {
    this.#clock = clock;
    this.#rule = rule;
    this.#kept = new Latest(rule.keptMax);
  }

  /**
   * The kept answer, or what `ask` says. `keepMs` says how long that is kept; a rejection is never kept. Rejects with
   * `exhausted` where too many wait already.
   */
  async get(key: string, ask: () => Promise<T>, keepMs: (answer: T) => number): Promise<T> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#clock.monotonicMs() < kept.untilMs) return kept.answer;
    if (this.#waiting >= this.#rule.waitingMax) {
      throw new NavigatorError('exhausted', `${this.#waiting} wait to be known already; come again`, {
        retryable: true,
      });
    }
    this.#waiting++;
    try {
      const asked = this.#asked.get(key) ?? this.#ask(key, ask, keepMs);
      return await asked;
    } finally {
      this.#waiting--;
    }
  }

  #ask(key: string, ask: () => Promise<T>, keepMs: (answer: T) => number): Promise<T> {
    const asked = this.#inTurn(ask)
      .then((answer) => {
        this.#kept.delete(key);
        this.#kept.set(key, { answer, untilMs: this.#clock.monotonicMs() + keepMs(answer) });
        return answer;
      })
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return asked;
  }

  async #inTurn(ask: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#rule.atOnce) await new Promise<void>((turn) => this.#queue.push(turn));
    else this.#underWay++;
    try {
      return await ask();
    } finally {
      // Whoever is next takes over this place.
      const next = this.#queue.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }
}

/** What a secret is remembered by: whoever reads it cannot use it. */
export function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
