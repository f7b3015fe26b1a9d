/**
 * Which member a pilot may speak for. A token names one member of one cluster and is signed with the server's secret,
 * so that it survives restarts of the server and nobody can make one for a neighbour.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { refusal, type Identity, type Refusal, type TokenHolder } from './access.ts';

/** Makes and checks tokens with one secret of at least 32 bytes. */
export class SignedTokens implements Identity {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    if (secret.length < 32) throw new RangeError('the secret needs 32 bytes');
    this.#secret = secret;
  }

  tokenFor(holder: TokenHolder): string {
    const named = Buffer.from(JSON.stringify([holder.cluster, holder.member])).toString('base64url');
    return `${named}.${this.#sign(named)}`;
  }

  async holderOf(token: string): Promise<TokenHolder | Refusal> {
    const [named = '', signature = '', ...more] = token.split('.');
    const right = Buffer.from(this.#sign(named));
    const given = Buffer.from(signature);
    if (more.length > 0 || right.length !== given.length || !timingSafeEqual(right, given)) {
      return refusal('unknown_token', 'the token is none that this server has made');
    }
    const [cluster, member] = JSON.parse(Buffer.from(named, 'base64url').toString()) as [string, string];
    return { cluster, member };
  }

  #sign(named: string): string {
    return createHmac('sha256', this.#secret).update(named).digest('base64url');
  }
}
