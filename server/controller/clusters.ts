/**
 * The objects of all clusters, of whatever application. A name is one cluster's, since Services and pods are named after it:
 * where objects of two kinds have the same, it belongs to the older one, and the others are its rivals.
 */
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Reflector } from '../kubernetes/reflector.ts';

export class Clusters {
  readonly #copies: readonly Reflector[];

  /** A copy for each kind. */
  constructor(copies: readonly Reflector[]) {
    this.#copies = copies;
  }

  /** Resolves when everything was read once. */
  async start(): Promise<void> {
    await Promise.all(this.#copies.map((copy) => copy.start()));
  }

  onChange(listener: (object: KubeObject) => void): void {
    for (const copy of this.#copies) copy.onChange(listener);
  }

  /** By `namespace/name`. */
  get(key: string): KubeObject | undefined {
    return this.#named(key)[0];
  }

  rivalsOf(key: string): readonly KubeObject[] {
    return this.#named(key).slice(1);
  }

  all(): readonly KubeObject[] {
    return this.#copies.flatMap((copy) => copy.all());
  }

  close(): void {
    for (const copy of this.#copies) copy.close();
  }

  /** The oldest first; of the same second, in the order of their kinds. */
  #named(key: string): readonly KubeObject[] {
    const found = this.#copies.map((copy) => copy.get(key)).filter((object) => object !== undefined);
    const bornAt = ({ metadata }: KubeObject): string => metadata.creationTimestamp ?? '';
    return found.toSorted((a, b) => bornAt(a).localeCompare(bornAt(b)));
  }
}
