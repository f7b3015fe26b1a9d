/** Chance from a seed: the same seed brings the same chance, and each part has a stream of its own. */
import type { Random } from '../../shared/random.ts';

/** splitmix32: small, fast, and good enough to choose what goes wrong. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A stream of its own, so that what one part draws changes nothing for the others. */
  fork(label: string): SeededRandom {
    let hash = this.#next();
    for (const letter of label) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
    return new SeededRandom(hash);
  }

  fraction(): number {
    return (this.#next() >>> 0) / 2 ** 32;
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () => this.whole(0, 255).toString(16).padStart(2, '0')).join('');
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.fraction();
  }

  /** A whole number from `least` to `most`, both among them. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  /** Mostly short, seldom long: the wait before something that comes every `mean` or so. */
  wait(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean;
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.whole(0, from.length - 1)];
  }

  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  }
}
