/** What one simulated node keeps on its disk: who it is, what it knows of its cluster, and its copies of vBuckets. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';

export interface Identity {
  readonly uuid: string;
  readonly host: string;
  readonly services: readonly string[];
  readonly paths: Readonly<Record<string, string>>;
  /** Absent: not part of any cluster. */
  readonly config?: Config;
}

/** Of a node that has never been part of a cluster. */
export function freshIdentity(uuid: string): Identity {
  return { uuid, host: '127.0.0.1', services: [], paths: {} };
}

/** Where the content of a disk is written to. */
export interface Shelf {
  put(name: string, text: () => string): void;
  remove(name: string): void;
}

/** Without an identity it is a new one. */
export interface Content {
  readonly identity: Identity;
  /** The keys of the items in each copy. */
  readonly copies?: ReadonlyMap<string, ReadonlySet<string>>;
}

export class Disk {
  readonly #shelf: Shelf;
  readonly #copies: Map<string, ReadonlySet<string>>;
  #identity: Identity;

  constructor(shelf: Shelf, { identity, copies }: Content) {
    this.#shelf = shelf;
    this.#identity = identity;
    this.#copies = new Map(copies);
    this.keep(identity);
  }

  get identity(): Identity {
    return this.#identity;
  }

  keep(identity: Identity): void {
    this.#identity = identity;
    this.#shelf.put('node.json', () => JSON.stringify(identity));
  }

  /** The keys in a copy; undefined: there is no such copy here. */
  items(bucket: string, vb: number): readonly string[] | undefined {
    const found = this.#copies.get(`${bucket}-${vb}`);
    return found && [...found];
  }

  /** How many keys are in a copy. */
  count(bucket: string, vb: number): number {
    return this.#copies.get(`${bucket}-${vb}`)?.size ?? 0;
  }

  add(bucket: string, vb: number, items: readonly string[]): void {
    const key = `${bucket}-${vb}`;
    const copy = new Set([...(this.#copies.get(key) ?? []), ...items]);
    this.#copies.set(key, copy);
    this.#shelf.put(fileOf(key), () => JSON.stringify([...copy]));
  }

  /** Drops what `stays` does not say yes to. */
  prune(stays: (bucket: string, vb: number) => boolean): void {
    for (const key of this.#copies.keys()) {
      const dash = key.lastIndexOf('-');
      if (stays(key.slice(0, dash), Number(key.slice(dash + 1)))) continue;
      this.#copies.delete(key);
      this.#shelf.remove(fileOf(key));
    }
  }
}

const fileOf = (key: string): string => join('vbuckets', `${key}.json`);

/** The disk in a directory. It is written by renaming, so that a SIGKILL leaves the old or the new, never a part. */
export function openDisk(root: string, freshUuid: string): Disk {
  mkdirSync(join(root, 'vbuckets'), { recursive: true });
  const shelf: Shelf = {
    put: (name, text) => {
      const path = join(root, name);
      writeFileSync(`${path}.new`, text(), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    remove: (name) => rmSync(join(root, name), { force: true }),
  };
  const file = join(root, 'node.json');
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Identity) : undefined;
  const copies = new Map<string, ReadonlySet<string>>();
  for (const name of readdirSync(join(root, 'vbuckets')).filter((one) => one.endsWith('.json'))) {
    const items = JSON.parse(readFileSync(join(root, 'vbuckets', name), 'utf8')) as string[];
    copies.set(name.slice(0, -5), new Set(items));
  }
  return new Disk(shelf, { identity: known ?? freshIdentity(freshUuid), copies });
}
