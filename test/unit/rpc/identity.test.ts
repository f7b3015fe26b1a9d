/** A token speaks for one member of one cluster, and nobody can make or change one. */
import { expect } from 'chai';
import fc from 'fast-check';
import { SignedTokens } from '../../../server/rpc/identity.ts';

const tokens = new SignedTokens(Buffer.alloc(32, 7));
const holder = { cluster: 'default/demo', member: 'demo-node-0' };
const token = tokens.tokenFor(holder);
const unknown = { refused: 'unknown_token', code: 'unauthenticated' };
const [named = '', signature = ''] = token.split('.');

describe('a token', () => {
  it('names the member that it was made for', async () => {
    expect(await tokens.holderOf(token)).to.deep.equal(holder);
  });

  it('is the same after a restart of the server with the same secret', async () => {
    expect(await new SignedTokens(Buffer.alloc(32, 7)).holderOf(token)).to.deep.equal(holder);
  });

  it('is not accepted by a server with another secret', async () => {
    expect(await new SignedTokens(Buffer.alloc(32, 8)).holderOf(token)).to.include(unknown);
  });

  it('cannot be made with a secret that is short', () => {
    expect(() => new SignedTokens(Buffer.alloc(31))).to.throw(RangeError, '32 bytes');
  });

  const other = tokens.tokenFor({ ...holder, member: 'demo-node-1' });
  const rows: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a dot', '.'],
    ['no signature', named],
    ['an empty signature', `${named}.`],
    ['only a signature', `.${signature}`],
    ['a truncated signature', token.slice(0, -1)],
    ['a truncated name', token.slice(1)],
    ['something behind it', `${token}.x`],
    ['a character behind it', `${token}x`],
    ['another member with this signature', `${other.split('.')[0]}.${signature}`],
    ['this member with another signature', `${named}.${other.split('.')[1]}`],
    ['a signature with other letters', `${named}.${signature.toUpperCase()}`],
    ['letters of more than one byte', `${named}.${'é'.repeat(signature.length)}`],
    ['half as many of them', `${named}.${'é'.repeat(Math.floor(signature.length / 2))}x`],
  ];
  for (const [what, text] of rows) {
    it(`is refused: ${what}`, async () => expect(await tokens.holderOf(text)).to.include(unknown));
  }

  it('is refused with any one character changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom('A', 'b', '0', '-', '.', '=', ' '),
        async (at, letter) => {
          fc.pre(token[at] !== letter);
          expect(await tokens.holderOf(token.slice(0, at) + letter + token.slice(at + 1))).to.include(unknown);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is refused whatever text it is, and never an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (text) => {
        expect(await tokens.holderOf(text)).to.include(unknown);
      }),
      { numRuns: 500 },
    );
  });

  it('comes back as what it was made for, whatever the names', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), async (cluster, member) => {
        expect(await tokens.holderOf(tokens.tokenFor({ cluster, member }))).to.deep.equal({ cluster, member });
      }),
      { numRuns: 300 },
    );
  });
});
