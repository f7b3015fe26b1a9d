/** What holds of the small pure modules: backoff, changes, who leads by the pilot's own clock, and what people may rule. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Leading } from '../../pilot/leading.ts';
import { approve, deny, revoke } from '../../server/coordination/rulings.ts';
import { isOpen } from '../../server/model/permit.ts';
import { backoffMs } from '../../shared/backoff.ts';
import { changed, changeOf } from '../../shared/change.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { toPlain } from '../../shared/plain.ts';
import { remembered } from '../../shared/remembered.ts';
import { anyLedger } from '../support/arbitrary.ts';

describe('the wait before the next try', () => {
  it('is at least half of what doubles, and never above its cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 600_000 }),
        fc.nat({ max: 100 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (firstMs, capMs, attempt, chance) => {
          const wait = backoffMs({ firstMs, capMs }, attempt, { fraction: () => chance, hex: () => '' });
          const full = Math.min(capMs, firstMs * 2 ** Math.min(attempt, 30));
          expect(wait).to.be.within(Math.floor(full / 2), Math.min(capMs, Math.ceil(full)));
        },
      ),
    );
  });
});

describe('a change', () => {
  it('gives back what there was after it, to the letter', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const [before, after] = [toPlain(one), toPlain(other)];
        for (const was of [undefined, before])
          expect(JSON.stringify(changed(was, changeOf(was, after)))).to.equal(JSON.stringify(after));
        expect(changeOf(before, before)).to.equal('same');
      }),
    );
  });
});

describe('what is remembered', () => {
  it('is what would be computed, and is computed once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 4 })), (asked) => {
        const keys = Array.from({ length: 5 }, (_, number) => ({ number }));
        let computed = 0;
        const square = remembered(({ number }: { readonly number: number }) => {
          computed++;
          return number ** 2;
        });
        for (const at of asked) expect(square(keys[at]!)).to.equal(at ** 2);
        expect(computed).to.equal(new Set(asked).size);
      }),
    );
  });
});

const heartbeats = fc.array(
  fc.record({
    waitMs: fc.nat({ max: 4_000 }),
    term: fc.nat({ max: 4 }),
    yours: fc.boolean(),
    /** How many heartbeats ago the one was sent that is answered now. */
    ago: fc.nat({ max: 5 }),
  }),
);

describe('who leads by its own clock', () => {
  it('never leads longer than a lease from the sending of a heartbeat that said so, nor in a term below one it knows', () => {
    const leaseMs = 6_000;
    fc.assert(
      fc.property(heartbeats, (words) => {
        const leading = new Leading();
        const sentAtMs: number[] = [];
        let [nowMs, highest, until] = [0, 0, 0];
        for (const { waitMs, term, yours, ago } of words) {
          nowMs += waitMs;
          leading.sent(BigInt(sentAtMs.length), nowMs);
          sentAtMs.push(nowMs);
          const sequence = Math.max(0, sentAtMs.length - 1 - ago);
          leading.answered({ sequence: BigInt(sequence), term, yours }, leaseMs);
          if (yours) until = Math.max(until, sentAtMs[sequence]! + leaseMs);
          const leads = leading.term(nowMs);
          if (leads === 0) continue;
          expect(nowMs).to.be.lessThan(until);
          expect(leads).to.be.at.least(highest);
          highest = leads;
        }
        expect(leading.term(nowMs + leaseMs)).to.equal(0);
      }),
    );
  });
});

describe('what people rule', () => {
  const rulings = { approve: ['queued', 'denied'], deny: ['queued'], revoke: ['granted'] } as const;

  it('changes that permit alone, only from a state that allows it, and opens none', () => {
    fc.assert(
      fc.property(anyLedger(), fc.constantFrom('approve', 'deny', 'revoke'), fc.nat(), (ledger, ruling, which) => {
        const permit = ledger.permits[which % Math.max(1, ledger.permits.length)];
        if (permit === undefined) return;
        const person = { who: 'ada', why: 'a test', wallMs: 1 };
        const rule = () =>
          ruling === 'approve'
            ? approve(ledger, permit.id, person, [])
            : (ruling === 'deny' ? deny : revoke)(ledger, permit.id, person);
        if (!(rulings[ruling] as readonly string[]).includes(permit.state)) {
          expect(rule).to.throw(NavigatorError, /only one that is/);
          return;
        }
        const after = rule();
        const others = (list: typeof ledger) => list.permits.filter(({ id }) => id !== permit.id);
        expect(others(after)).to.deep.equal(others(ledger));
        expect(after.permits.filter(isOpen).length).to.be.at.most(ledger.permits.filter(isOpen).length);
        expect(after.permits.find(({ id }) => id === permit.id)?.decidedBy).to.equal('ada');
      }),
    );
  });
});
