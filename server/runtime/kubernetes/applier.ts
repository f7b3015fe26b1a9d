/**
 * Makes objects as they are wanted, and writes nothing where they are: it remembers what Navigator's part of an object
 * looked like after its last write, and writes again when another part is wanted or that part has been changed. An
 * object of that name that somebody else made is left alone.
 */
import { digest } from '../../../shared/ids.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { labels, managedBy } from '../../kubernetes/kinds.ts';
import { keyOf, type Kind, type KubeObject, type KubeObjects } from '../../kubernetes/objects.ts';
import type { Wanted } from './desired.ts';
import { partOf } from '../../kubernetes/merge.ts';

interface Written {
  /** What was wanted. */
  readonly wanted: string;
  /** What Navigator's part was after the write, defaults and other forms of numbers included. */
  readonly part: string;
  /** What the copy held when it was written; while it holds that still, it is behind. */
  readonly before: string | undefined;
  readonly after: KubeObject;
}

export class Applier {
  readonly #objects: KubeObjects;
  readonly #written = new Map<string, Written>();

  constructor(objects: KubeObjects) {
    this.#objects = objects;
  }

  /** The newest that is known of an object: the copy's, or the answer to a write that the copy has not seen yet. */
  newest(kind: Kind, key: string, copy: KubeObject | undefined): KubeObject | undefined {
    const written = this.#written.get(`${kind.plural} ${key}`);
    return written !== undefined && isBehind(copy, written) ? written.after : copy;
  }

  /** Resolves to the object as it is then, and whether anything was written. Rejects with `conflict`: look again. */
  async apply({ kind, object }: Wanted, copy: KubeObject | undefined): Promise<KubeObject> {
    const id = `${kind.plural} ${keyOf(object)}`;
    const written = this.#written.get(id);
    const live = this.newest(kind, keyOf(object), copy) ?? (await this.#objects.find(kind, object.metadata));
    if (live !== undefined) {
      checkOurs(kind, object, live);
      if (live.metadata.deletionTimestamp !== undefined)
        throw new NavigatorError('conflict', `${kind.kind} ${keyOf(object)} is being deleted; it is made again then`);
      const isSame = written?.wanted === digest(object) && written.part === digest(partOf(live, object));
      if (isSame) return live;
    }
    const { resourceVersion } = live?.metadata ?? {};
    const metadata = { ...object.metadata, ...(resourceVersion !== undefined && { resourceVersion }) };
    try {
      const after = await this.#objects.apply(kind, { ...object, metadata });
      const part = digest(partOf(after, object));
      this.#written.set(id, { wanted: digest(object), part, before: copy?.metadata.resourceVersion, after });
      return after;
    } catch (error) {
      this.#written.delete(id);
      throw error;
    }
  }

  /** Forgets an object that is gone. */
  forget(kind: Kind, key: string): void {
    this.#written.delete(`${kind.plural} ${key}`);
  }
}

function isBehind(copy: KubeObject | undefined, { before, after }: Written): boolean {
  return copy?.metadata.resourceVersion === before && before !== after.metadata.resourceVersion;
}

function checkOurs(kind: Kind, wanted: KubeObject, live: KubeObject): void {
  const cluster = wanted.metadata.labels?.[labels.cluster];
  const ours = live.metadata.labels?.[labels.managedBy] === managedBy;
  if (ours && live.metadata.labels[labels.cluster] === cluster) return;
  throw new NavigatorError('already_exists', `${kind.kind} ${keyOf(live)} is not this cluster's: it is left alone`, {
    advice: ['delete or rename it, or give the cluster or the pool another name'],
  });
}
