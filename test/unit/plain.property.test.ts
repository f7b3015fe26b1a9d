/** Whatever is written down is what is read back, and a step between two things leads from the one to the other. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { changed, changeOf } from '../../shared/change.ts';
import { fromPlain, toPlain, type Plain } from '../../shared/plain.ts';
import { ledgerToPlain } from '../../server/recording.ts';
import { anyLedger, anyObservation } from '../support/arbitrary.ts';

const key = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('~map', '~number', '__proto__', '1', '0', 'a'));

const { any } = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.string(), fc.double(), fc.bigInt(), fc.boolean(), fc.constantFrom(null, undefined, -0, NaN, Infinity)),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(key, tie('any'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(key, tie('any')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}));

/** Through a line of a file. */
function written(value: unknown): Plain {
  return JSON.parse(JSON.stringify(toPlain(value))) as Plain;
}

describe('what is written down', () => {
  it('is read back as it was, maps in their order, and what JSON has no words for', () => {
    fc.assert(
      fc.property(any, (value) => {
        const back = fromPlain(written(value));
        expect(isDeepStrictEqual(back, value)).to.equal(true);
        expect(JSON.stringify(toPlain(back))).to.equal(JSON.stringify(toPlain(value)));
      }),
      { numRuns: 500 },
    );
  });

  it('as a change gives what it was made of, to the order of the keys', () => {
    fc.assert(
      fc.property(any, any, (one, other) => {
        const [before, after] = [written(one), written(other)];
        for (const [from, to] of [
          [before, after],
          [undefined, after],
          [after, after],
        ] as const) {
          const change = JSON.parse(JSON.stringify(changeOf(from, to))) as ReturnType<typeof changeOf>;
          expect(JSON.stringify(changed(from, change))).to.equal(JSON.stringify(to));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('of ledgers and observations is read back as it was', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), anyObservation(), (...arbitrary) => {
        const [ledger, one, other] = structuredClone(arbitrary);
        expect(isDeepStrictEqual(fromPlain(written(one)), one)).to.equal(true);
        const change = changeOf(written(one), written(other));
        expect([...(fromPlain(changed(written(one), change)!) as typeof one).members]).to.deep.equal([
          ...other.members,
        ]);
        const { permits } = fromPlain(JSON.parse(JSON.stringify(ledgerToPlain(ledger))) as Plain) as {
          permits: Map<string, unknown>;
        };
        expect([...permits.values()]).to.deep.equal(ledger.permits);
      }),
      { numRuns: 200 },
    );
  });
});
