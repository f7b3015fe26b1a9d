/** Chance, passed in, so that a seed can replay it. */
import { randomBytes } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** `bytes` random bytes in hex. */
  hex(bytes: number): string;
}

/** Chance from the machine, fit for tokens. */
export const systemRandom: Random = {
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
