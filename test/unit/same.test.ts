/** Two values are the same where their canonical JSON is, and the members that do not count are left out. */
import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalJson } from '../../shared/ids.ts';
import { same } from '../../shared/same.ts';

/** -0 is written as 0. */
const values = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe('whether two values are the same', () => {
  it('is what their canonical JSON says', () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        expect(same(one, other)).to.equal(canonicalJson(one) === canonicalJson(other));
        expect(same(one, structuredClone(one))).to.equal(true);
      }),
    );
  });

  it('takes an undefined member for an absent one, and both ways', () => {
    expect(same({ a: 1, b: undefined }, { a: 1 })).to.equal(true);
    expect(same({ a: 1 }, { a: 1, b: undefined })).to.equal(true);
    expect(same({ a: 1 }, { a: 1, b: null })).to.equal(false);
    expect(same({ a: 1, b: 0 }, { a: 1 })).to.equal(false);
  });

  it('passes over what does not count, at any depth', () => {
    const without = new Set(['at']);
    expect(same({ x: { at: 1, y: [{ at: 2 }] } }, { x: { at: 3, y: [{ at: 4 }] } }, without)).to.equal(true);
    expect(same({ x: { at: 1, y: 1 } }, { x: { at: 1, y: 2 } }, without)).to.equal(false);
    expect(same({ at: 1 }, {}, without)).to.equal(true);
  });
});
