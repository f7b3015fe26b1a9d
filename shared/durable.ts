/** Files that are whole or not there, also after a power cut. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { NavigatorError } from './errors.ts';

/** What of a file system it takes. Each of these throws where the disk refuses. */
export interface Disk {
  readonly makeDirectory: (path: string) => void;
  /** Opens an empty file for its owner alone. Answers with a handle. */
  readonly create: (path: string) => number;
  readonly openDirectory: (path: string) => number;
  readonly write: (file: number, text: string) => void;
  /** Returns once what was written to the file, or named in the directory, survives a power cut. */
  readonly sync: (file: number) => void;
  readonly close: (file: number) => void;
  readonly rename: (from: string, to: string) => void;
  readonly read: (path: string) => string;
}

/** The one of this machine. */
export const realDisk: Disk = {
  makeDirectory: (path) => mkdirSync(path, { recursive: true }),
  create: (path) => openSync(path, 'w', 0o600),
  openDirectory: (path) => openSync(path, 'r'),
  write: writeFileSync,
  sync: fsyncSync,
  close: closeSync,
  rename: renameSync,
  read: (path) => readFileSync(path, 'utf8'),
};

/**
 * Makes `text` the content of `path`, whole or not at all, even across a power cut: a temporary file, fsync, rename,
 * fsync of the directory. Throws a NavigatorError; the old content is there then, or the new one.
 */
export function writeDurably(path: string, text: string, disk: Disk = realDisk): void {
  const temporary = `${path}.tmp`;
  try {
    disk.makeDirectory(dirname(path));
    const file = disk.create(temporary);
    try {
      disk.write(file, text);
      disk.sync(file);
    } finally {
      disk.close(file);
    }
    disk.rename(temporary, path);
    syncDirectory(dirname(path), disk);
  } catch (cause) {
    throw new NavigatorError('unavailable', `cannot write ${path}: ${NavigatorError.from(cause).message}`, { cause });
  }
}

/** Makes what was created, renamed or removed in a directory survive a power cut. */
export function syncDirectory(path: string, disk: Disk = realDisk): void {
  const directory = disk.openDirectory(path);
  try {
    disk.sync(directory);
  } finally {
    disk.close(directory);
  }
}
