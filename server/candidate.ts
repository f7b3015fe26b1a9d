/** One server's candidacy for being the active one: does what coordination/tenure.ts says, one thing at a time. */
import { within, type Clock, type Timer } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import {
  beginTenure,
  hasFailed,
  heldTerm,
  leave,
  nextStep,
  wasRead,
  wasWritten,
  type Tenure,
  type TenureStep,
  type TenureTiming,
} from './coordination/tenure.ts';
import type { LeaseStore } from './store/lease.ts';

/** What a candidate tells. */
export interface CandidateWatch {
  /** It holds the lease in this term; undefined: no more. Told late where the process was held up: ask `term()` before an act. */
  readonly changed: (term: number | undefined) => void;
  /** A look or a renewal failed, and is tried again. */
  readonly failed: (error: NavigatorError) => void;
}

/** A failed call is tried again after this part of the time between renewals. */
const retryPart = 1 / 3;

export class Candidate {
  readonly #store: LeaseStore;
  readonly #clock: Clock;
  readonly #timing: TenureTiming;
  readonly #watch: CandidateWatch;
  #tenure: Tenure;
  #told: number | undefined;
  #timer: Timer | undefined;
  #expiry: Timer | undefined;
  #isBusy = false;
  #isOver = false;
  #ended: (() => void) | undefined;

  /** `me` must be the name of this life alone. Nothing happens before `start`. */
  constructor(me: string, where: { store: LeaseStore; clock: Clock; timing: TenureTiming }, watch: CandidateWatch) {
    this.#tenure = beginTenure(me);
    this.#store = where.store;
    this.#clock = where.clock;
    this.#timing = where.timing;
    this.#watch = watch;
  }

  /** The term in which this server is the active one right now. Asked at the moment of every act. */
  term(): number | undefined {
    return this.#isOver ? undefined : heldTerm(this.#tenure, this.#clock.monotonicMs());
  }

  start(): void {
    void this.#go();
  }

  /** Holds nothing from now on, and gives the lease away within `limitMs`, or leaves it to run out. It never rejects. */
  async leave(limitMs: number): Promise<void> {
    this.#tenure = leave(this.#tenure);
    this.#tell();
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    this.#timer?.cancel();
    void this.#go();
    await within(this.#clock, limitMs, ended, () => new Error('late')).catch(() => {});
    this.stop();
  }

  /** Ends without a word to anybody: the lease runs out. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#expiry?.cancel();
    this.#tell();
  }

  async #go(): Promise<void> {
    while (!this.#isBusy && !this.#isOver) {
      const step = nextStep(this.#tenure, this.#clock.monotonicMs(), this.#timing);
      if (step.kind === 'end') return this.#ended?.();
      if (step.kind === 'wait') return this.#wakeIn(step.untilMs - this.#clock.monotonicMs());
      this.#isBusy = true;
      const error = await this.#take(step);
      this.#isBusy = false;
      this.#tell();
      if (error === undefined) continue;
      this.#watch.failed(error);
      return this.#wakeIn(this.#timing.renewEveryMs * retryPart);
    }
  }

  async #take(step: Exclude<TenureStep, { kind: 'end' | 'wait' }>): Promise<NavigatorError | undefined> {
    const sentAtMs = this.#clock.monotonicMs();
    try {
      if (step.kind === 'read') {
        const record = await this.#store.read();
        this.#tenure = wasRead(this.#tenure, record, this.#clock.monotonicMs());
      } else {
        const record = await this.#store.write(step.lease, step.version);
        this.#tenure = wasWritten(this.#tenure, record, { sentAtMs, nowMs: this.#clock.monotonicMs() });
      }
      return undefined;
    } catch (error) {
      this.#tenure = hasFailed(this.#tenure, step.kind);
      return NavigatorError.from(error);
    }
  }

  #wakeIn(delayMs: number): void {
    if (this.#isOver) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => void this.#go());
  }

  /** Tells a change, and looks again when what is held runs out. */
  #tell(): void {
    this.#expiry?.cancel();
    const term = this.term();
    if (term !== this.#told) {
      this.#told = term;
      this.#watch.changed(term);
    }
    if (term === undefined) return;
    const leftMs = this.#tenure.heldUntilMs - this.#clock.monotonicMs();
    this.#expiry = this.#clock.after(Math.ceil(leftMs), () => this.#tell());
  }
}
