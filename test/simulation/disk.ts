/** A disk in memory that can be full, and that loses in a power cut what was not synced, in whole or in part. */
import type { Disk } from '../../shared/durable.ts';
import type { SeededRandom } from './random.ts';

interface Inode {
  text: string;
  /** What of it a power cut leaves in any case. */
  synced: string;
}

export class SimulatedDisk implements Disk {
  readonly #isFull: () => boolean;
  #names = new Map<string, Inode>();
  /** The names that a power cut leaves in any case. */
  #syncedNames = new Map<string, Inode>();
  /** Open files; a directory stands for all names. */
  readonly #open = new Map<number, Inode | 'directory'>();
  #handles = 0;

  constructor(isFull: () => boolean) {
    this.#isFull = isFull;
  }

  makeDirectory(): void {}

  create(path: string): number {
    this.#takeRoom();
    const inode = { text: '', synced: '' };
    this.#names.set(path, inode);
    return this.#opened(inode);
  }

  openDirectory(): number {
    return this.#opened('directory');
  }

  write(file: number, text: string): void {
    this.#takeRoom();
    const inode = this.#open.get(file);
    if (typeof inode === 'object') inode.text += text;
  }

  sync(file: number): void {
    const inode = this.#open.get(file);
    if (inode === 'directory') this.#syncedNames = new Map(this.#names);
    else if (inode !== undefined) inode.synced = inode.text;
  }

  close(file: number): void {
    this.#open.delete(file);
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from);
    if (inode === undefined) throw absent(from);
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  read(path: string): string {
    const inode = this.#names.get(path);
    if (inode === undefined) throw absent(path);
    return inode.text;
  }

  /** A file is lost for good. */
  lose(path: string): void {
    this.#names.delete(path);
    this.#syncedNames.delete(path);
  }

  /** The power is cut: each name that was not synced is there or as it was before, and of each text that was not, so much. */
  cutPower(random: SeededRandom): void {
    const names = new Set([...this.#names.keys(), ...this.#syncedNames.keys()]);
    const left = new Map<string, Inode>();
    for (const name of names) {
      const inode = (random.chance(0.5) ? this.#names : this.#syncedNames).get(name);
      if (inode !== undefined) left.set(name, inode);
    }
    for (const inode of left.values()) {
      const written = inode.text.length - inode.synced.length;
      inode.text = inode.text.slice(0, inode.synced.length + (written > 0 ? random.whole(0, written) : 0));
      inode.synced = inode.text;
    }
    this.#names = left;
    this.#syncedNames = new Map(left);
    this.#open.clear();
  }

  #opened(what: Inode | 'directory'): number {
    this.#handles++;
    this.#open.set(this.#handles, what);
    return this.#handles;
  }

  #takeRoom(): void {
    if (this.#isFull()) throw Object.assign(new Error('no space is left on the device'), { code: 'ENOSPC' });
  }
}

function absent(path: string): Error {
  return Object.assign(new Error(`there is no ${path}`), { code: 'ENOENT' });
}
