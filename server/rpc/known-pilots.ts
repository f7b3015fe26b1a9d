/** An identity that remembers for a short time whom it has seen, so that a storm of reconnecting pilots stays bounded. */
import type { Clock } from '../../shared/clock.ts';
import { isRefusal, type Identity, type Refusal, type TokenHolder } from './access.ts';
import { Answers, digest, reviewRule } from './answers.ts';

/** So long a token may be used after it has ended, or its pod has gone. */
const knownMs = 30_000;
/** Shorter: a pod's labels may be seen a moment after its pilot. */
const refusedMs = 2_000;

/** `identity`, with its answers kept for 30 s and its refusals for 2 s, by a digest of the token. */
export class KnownPilots implements Identity {
  readonly #identity: Identity;
  readonly #answers: Answers<TokenHolder | Refusal>;

  constructor(identity: Identity, clock: Clock, rule = reviewRule) {
    this.#identity = identity;
    this.#answers = new Answers(clock, rule);
  }

  holderOf(token: string): Promise<TokenHolder | Refusal> {
    const ask = (): Promise<TokenHolder | Refusal> => this.#identity.holderOf(token);
    return this.#answers.get(digest(token), ask, (answer) => (isRefusal(answer) ? refusedMs : knownMs));
  }
}
