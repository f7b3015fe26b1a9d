/** Gives the server's account each right once it was refused it, and writes down which these were. */
import { sleep, systemClock } from '../../../shared/clock.ts';
import { give, refusedSoFar, rightFor, wordsOf, type Right } from './rights.ts';
import type { Kubernetes } from './shared.ts';

const clock = systemClock();
const pauseMs = 50;

export class Lender {
  /** By the words of the right: what the API server said when the account did not have it. */
  readonly needed = new Map<string, string>();
  /** Rejects when something is refused that is not shipped at all. */
  readonly lacking: Promise<never>;
  readonly #kubernetes: Kubernetes;
  readonly #shipped: readonly Right[];
  readonly #work: Promise<void>;
  #given: Promise<void> = Promise.resolve();
  #lack: (error: Error) => void = () => undefined;
  #seen: number;
  #withheld: string | undefined;
  #isEnded = false;

  /** The account has no rights yet. */
  constructor(kubernetes: Kubernetes, shipped: readonly Right[]) {
    this.#kubernetes = kubernetes;
    this.#shipped = shipped;
    this.#seen = refusedSoFar(kubernetes).length;
    this.lacking = new Promise((_, reject) => (this.#lack = reject));
    this.lacking.catch(() => undefined);
    this.#work = this.#lend();
  }

  /** Takes one away while `work` runs. */
  async without(words: string, work: () => Promise<void>): Promise<void> {
    this.#withheld = words;
    await this.#give();
    await work();
    this.#withheld = undefined;
    await this.#give();
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#work;
  }

  async #lend(): Promise<void> {
    while (!this.#isEnded) {
      if (this.#look()) await this.#give();
      await sleep(clock, pauseMs);
    }
  }

  /** Whether anything was needed that it does not have. */
  #look(): boolean {
    const refused = refusedSoFar(this.#kubernetes);
    const before = this.needed.size;
    for (const one of refused.slice(this.#seen)) {
      const right = rightFor(one, this.#shipped);
      if (right === undefined) this.#lack(new Error(`deploy/ does not give the right to do this: ${one.message}`));
      else if (!this.needed.has(wordsOf(right))) this.needed.set(wordsOf(right), one.message);
    }
    this.#seen = refused.length;
    return this.needed.size > before;
  }

  /** One after the other: of two at once, the one that knew less could be the one that stays. */
  #give(): Promise<void> {
    this.#given = this.#given.then(() => this.#giveNow());
    return this.#given;
  }

  #giveNow(): Promise<void> {
    const given = this.#shipped.map((right) => [wordsOf(right), right] as const);
    const lent = given.filter(([words]) => this.needed.has(words) && words !== this.#withheld);
    return give(
      this.#kubernetes.call,
      lent.map(([, right]) => right),
    );
  }
}
