/** A list is bounded whatever is asked for, and its pages together are the list. */
import { expect } from 'chai';
import fc from 'fast-check';
import { page } from '../../../server/rpc/page.ts';
import { NavigatorError } from '../../../shared/errors.ts';

const key = (item: string): string => item;
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `item-${index}`);

describe('a page', () => {
  const rows: readonly (readonly [string, number, number, number])[] = [
    ['a hundred where no size is given', 5_000, 0, 100],
    ['a thousand at most', 5_000, 4_000, 1_000],
    ['what is asked for', 5_000, 3, 3],
    ['all there is where that is less', 2, 3, 2],
    ['nothing of nothing', 0, 3, 0],
  ];
  for (const [what, count, size, items] of rows) {
    it(`has ${what}`, () => expect(page(numbered(count), size, '', key).items).to.have.length(items));
  }

  it('names the next one, and the last page names none', () => {
    expect(page(['a', 'b', 'c'], 2, '', key)).to.deep.equal({ items: ['a', 'b'], nextPageToken: 'b' });
    expect(page(['a', 'b', 'c'], 2, 'b', key)).to.deep.equal({ items: ['c'], nextPageToken: '' });
    expect(page(['a', 'b'], 2, '', key).nextPageToken, 'exactly full').to.equal('');
    expect(page(['a', 'b'], 2, 'b', key)).to.deep.equal({ items: [], nextPageToken: '' });
  });

  const refused: readonly (readonly [string, number, string, string])[] = [
    ['a negative size', -1, '', 'page_size'],
    ['a token of nothing that is there', 1, 'z', 'page_token'],
  ];
  for (const [what, size, token, field] of refused) {
    it(`is refused for ${what}, by the field's name`, () => {
      expect(() => page(['a'], size, token, key))
        .to.throw(NavigatorError, field)
        .with.property('code', 'invalid');
    });
  }

  it('after page, each item comes once, in order', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        (all, size) => {
          const seen: string[] = [];
          let token = '';
          do {
            const next = page(all, size, token, key);
            expect(next.items.length).to.be.at.most(size);
            seen.push(...next.items);
            token = next.nextPageToken;
          } while (token !== '');
          expect(seen).to.deep.equal(all);
        },
      ),
    );
  });
});
