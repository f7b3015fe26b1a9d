/** Navigator's part of an object, and its own over what somebody wrote. */
import { expect } from 'chai';
import fc from 'fast-check';
import { merged, partOf } from '../../../server/kubernetes/merge.ts';

describe('the part of an object that is Navigator’s', () => {
  const cases: readonly {
    readonly sentence: string;
    readonly live: unknown;
    readonly shape: unknown;
    readonly part: unknown;
  }[] = [
    { sentence: 'leaves out fields of others', live: { a: 1, b: 2 }, shape: { a: 0 }, part: { a: 1 } },
    { sentence: 'shows what was changed', live: { a: { b: 2 } }, shape: { a: { b: 1 } }, part: { a: { b: 2 } } },
    { sentence: 'shows what was taken away', live: {}, shape: { a: 1 }, part: { a: undefined } },
    {
      sentence: 'finds elements by their names',
      live: [{ name: 'x', v: 1 }, { name: 'sidecar' }, { name: 'y', v: 2, w: 3 }],
      shape: [{ name: 'y', v: 0 }, { name: 'x' }],
      part: [{ name: 'y', v: 2 }, { name: 'x' }],
    },
    { sentence: 'takes a list without names as a whole', live: ['a', 'b'], shape: ['a'], part: ['a', 'b'] },
    { sentence: 'shows a list that became something else', live: 'no list', shape: [1], part: 'no list' },
  ];
  for (const { sentence, live, shape, part } of cases) {
    it(sentence, () => expect(partOf(live, shape)).to.deep.equal(part));
  }

  it('of an object that is as it was wanted, whatever others have added, is what was wanted', () => {
    const plain = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(fc.integer(), fc.string()), { maxKeys: 3 });
    fc.assert(
      fc.property(plain, plain, (wanted, foreign) => {
        expect(partOf({ ...foreign, ...wanted }, wanted)).to.deep.equal(wanted);
        expect(partOf(merged(foreign, wanted), wanted)).to.deep.equal(wanted);
      }),
    );
  });
});

describe('Navigator’s own over what somebody wrote', () => {
  it('wins where both speak, and keeps the rest', () => {
    const written = { metadata: { labels: { team: 'x' } }, spec: { hostNetwork: true, priority: 1 } };
    const own = { metadata: { labels: { app: 'y' } }, spec: { priority: 2 } };
    expect(merged(written, own)).to.deep.equal({
      metadata: { labels: { team: 'x', app: 'y' } },
      spec: { hostNetwork: true, priority: 2 },
    });
  });

  it('merges containers by their names, and keeps those of others after its own', () => {
    const written = [{ name: 'sidecar' }, { name: 'elasticsearch', env: [{ name: 'A', value: '1' }], image: 'mine' }];
    const own = [{ name: 'elasticsearch', env: [{ name: 'B', value: '2' }], image: 'navigator' }];
    expect(merged(written, own)).to.deep.equal([
      {
        name: 'elasticsearch',
        env: [
          { name: 'B', value: '2' },
          { name: 'A', value: '1' },
        ],
        image: 'navigator',
      },
      { name: 'sidecar' },
    ]);
  });
});
