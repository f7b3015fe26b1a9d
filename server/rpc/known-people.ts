/** Access that remembers for a short time who somebody is and what they may do: a watch asks again with every event. */
import type { Clock } from '../../shared/clock.ts';
import { isRefusal, type Access, type AccessScope, type AccessVerb, type Caller, type Refusal } from './access.ts';
import { Answers, digest, type AnswersRule } from './answers.ts';

/** So long somebody may go on whose right or token has been taken away. */
const knownMs = 10_000;
const refusedMs = 2_000;

/** People ask by hand and by dashboards, not by the thousand. */
const peopleRule: AnswersRule = { keptMax: 5_000, atOnce: 16, waitingMax: 1_000 };

/** `access`, with what it says kept for 10 s and its refusals for 2 s. */
export class KnownPeople implements Access {
  readonly #access: Access;
  readonly #callers: Answers<Caller | Refusal>;
  readonly #rights: Answers<boolean>;

  constructor(access: Access, clock: Clock, rule = peopleRule) {
    this.#access = access;
    this.#callers = new Answers(clock, rule);
    this.#rights = new Answers(clock, rule);
  }

  callerOf(token: string): Promise<Caller | Refusal> {
    const ask = (): Promise<Caller | Refusal> => this.#access.callerOf(token);
    return this.#callers.get(digest(token), ask, (answer) => (isRefusal(answer) ? refusedMs : knownMs));
  }

  may(caller: Caller, verb: AccessVerb, scope: AccessScope): Promise<boolean> {
    const { application, namespace, name } = scope;
    const key = digest(JSON.stringify(caller), verb, application, namespace, name);
    const ask = (): Promise<boolean> => this.#access.may(caller, verb, scope);
    return this.#rights.get(key, ask, (allowed) => (allowed ? knownMs : refusedMs));
  }
}
