/** Who somebody is, is asked once however many wait for it, remembered for a short time, and the asking is bounded. */
import { expect } from 'chai';
import { isRefusal, refusal, type Identity, type Refusal, type TokenHolder } from '../../../server/rpc/access.ts';
import { KnownPilots } from '../../../server/rpc/known-pilots.ts';
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';

const holder = (member: string): TokenHolder => ({ cluster: 'default/demo', member });

/** Answers when it is told to. */
class SlowIdentity implements Identity {
  readonly asked: string[] = [];
  readonly #waiting: ((answer: TokenHolder | Refusal | Error) => void)[] = [];

  holderOf(token: string): Promise<TokenHolder | Refusal> {
    this.asked.push(token);
    return new Promise((done, fail) => {
      this.#waiting.push((answer) => (answer instanceof Error ? fail(answer) : done(answer)));
    });
  }

  async answer(...answers: readonly (TokenHolder | Refusal | Error)[]): Promise<void> {
    for (const answer of answers) this.#waiting.shift()?.(answer);
    await settled();
  }
}

/** Everything that waits for nothing but others like it is done. */
const settled = (): Promise<void> => new Promise((done) => void setImmediate(done));

describe('who is known', () => {
  let nowMs: number;
  let slow: SlowIdentity;
  let known: KnownPilots;
  const clock = { monotonicMs: () => nowMs } as Clock;
  beforeEach(() => {
    nowMs = 0;
    slow = new SlowIdentity();
    known = new KnownPilots(slow, clock, { keptMax: 2, atOnce: 2, waitingMax: 4 });
  });

  async function know(token: string, answer: TokenHolder | Refusal = holder(token)): Promise<void> {
    const asked = known.holderOf(token);
    await slow.answer(answer);
    expect(await asked).to.deep.equal(answer);
  }

  it('is asked once for all who wait', async () => {
    const all = [known.holderOf('a'), known.holderOf('a'), known.holderOf('a')];
    await slow.answer(holder('a'));
    expect(await Promise.all(all)).to.deep.equal([holder('a'), holder('a'), holder('a')]);
    expect(slow.asked).to.deep.equal(['a']);
  });

  it('is remembered for half a minute', async () => {
    await know('a');
    nowMs = 29_999;
    expect(await known.holderOf('a')).to.deep.equal(holder('a'));
    expect(slow.asked).to.deep.equal(['a']);
    nowMs = 30_000;
    await know('a');
    expect(slow.asked).to.deep.equal(['a', 'a']);
  });

  it('is remembered for two seconds where it is a refusal', async () => {
    await know('a', refusal('unknown_token', 'no'));
    nowMs = 1_999;
    expect(isRefusal(await known.holderOf('a'))).to.equal(true);
    nowMs = 2_000;
    await know('a');
  });

  it('is not remembered where it could not be found out', async () => {
    const asked = known.holderOf('a').catch(NavigatorError.from);
    await slow.answer(new NavigatorError('unavailable', 'away'));
    expect(await asked).to.include({ code: 'unavailable' });
    await know('a');
  });

  it('is forgotten, the oldest first, where there are too many', async () => {
    for (const token of ['a', 'b', 'c']) await know(token);
    expect(await known.holderOf('b')).to.deep.equal(holder('b'));
    await know('a');
    expect(slow.asked).to.deep.equal(['a', 'b', 'c', 'a']);
  });

  it('is asked of so many at once, the others in turn, and nobody waits on top of that', async () => {
    const all = Promise.allSettled(['a', 'b', 'c', 'd'].map((token) => known.holderOf(token)));
    await settled();
    expect(slow.asked).to.deep.equal(['a', 'b']);
    const surplus = await known.holderOf('e').catch(NavigatorError.from);
    expect(surplus).to.include({ code: 'exhausted', retryable: true });
    expect(await known.holderOf('a').catch(NavigatorError.from)).to.include({ code: 'exhausted' });
    await slow.answer(holder('a'));
    expect(slow.asked).to.deep.equal(['a', 'b', 'c']);
    await slow.answer(new Error('broken'), holder('c'));
    await slow.answer(holder('d'));
    expect((await all).map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    // Room again.
    nowMs = 60_000;
    const more = ['f', 'g', 'h', 'i'].map((token) => known.holderOf(token));
    await slow.answer(holder('f'), holder('g'));
    await slow.answer(holder('h'), holder('i'));
    expect(await Promise.all(more)).to.have.lengthOf(4);
  });
});
