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

/** Writes by renaming, so that a SIGKILL leaves the old or the new, never a part. */
export class Disk {
  readonly #root: string;
  readonly #copies = new Map<string, Set<string>>();
  #identity: Identity;

  constructor(root: string, fresh: () => Identity) {
    this.#root = root;
    mkdirSync(join(root, 'vbuckets'), { recursive: true });
    const file = join(root, 'node.json');
    this.#identity = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Identity) : fresh();
    for (const key of readdirSync(join(root, 'vbuckets')).filter((name) => name.endsWith('.json'))) {
      const items = JSON.parse(readFileSync(join(root, 'vbuckets', key), 'utf8')) as string[];
      this.#copies.set(key.slice(0, -5), new Set(items));
    }
    this.keep(this.#identity);
  }

  get identity(): Identity {
    return this.#identity;
  }

  keep(identity: Identity): void {
    this.#identity = identity;
    this.#write('node.json', JSON.stringify(identity));
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

  put(bucket: string, vb: number, items: readonly string[]): void {
    this.#copies.set(`${bucket}-${vb}`, new Set(items));
    this.#flush(`${bucket}-${vb}`);
  }

  add(bucket: string, vb: number, items: readonly string[]): void {
    const copy = this.#copies.get(`${bucket}-${vb}`) ?? new Set<string>();
    for (const item of items) copy.add(item);
    this.#copies.set(`${bucket}-${vb}`, copy);
    this.#flush(`${bucket}-${vb}`);
  }

  /** Drops what `stays` does not say yes to. */
  prune(stays: (bucket: string, vb: number) => boolean): void {
    for (const key of this.#copies.keys()) {
      const dash = key.lastIndexOf('-');
      if (stays(key.slice(0, dash), Number(key.slice(dash + 1)))) continue;
      this.#copies.delete(key);
      rmSync(join(this.#root, 'vbuckets', `${key}.json`), { force: true });
    }
  }

  #flush(key: string): void {
    const items = this.#copies.get(key)!;
    this.#write(join('vbuckets', `${key}.json`), JSON.stringify([...items]));
  }

  #write(name: string, text: string): void {
    const path = join(this.#root, name);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
