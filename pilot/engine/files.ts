/** The few file operations of a member's directory. */
import { chmod, chown, lchown, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Writes a file so that a crash leaves the old or the new text, never a part. The directory may belong to the
 * database's user: what lies at the draft's path is removed, never written through.
 */
export async function writeWhole(path: string, text: string, uid?: number): Promise<void> {
  const draft = `${path}.draft`;
  await removeAll(draft);
  const file = await open(draft, 'wx', 0o640);
  try {
    await file.writeFile(text);
    if (uid !== undefined) await file.chown(uid, uid);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** Makes a directory of the pilot's own that another user may pass through, but not list. */
export async function passableDirectory(path: string, uid?: number): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o750 });
  const mode = (await stat(path)).mode & 0o7777;
  if (uid !== undefined && (mode & 0o001) === 0) await chmod(path, mode | 0o011);
}

/** Makes a directory that belongs to `uid`. What is in it is given over only where the directory had another owner. */
export async function ownedDirectory(path: string, uid?: number): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o750 });
  if (uid === undefined || (await stat(path)).uid === uid) return;
  await giveContents(path, uid);
  // Last, so that an interrupted run is done again from the start.
  await chown(path, uid, uid);
}

/** Gives a directory and the directories in it to `uid`, but no file: those may be links that others share. */
export async function giveDirectories(path: string, uid: number): Promise<void> {
  await chown(path, uid, uid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await giveDirectories(join(path, entry.name), uid);
  }
}

async function giveContents(path: string, uid: number): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isSymbolicLink()) continue;
    if (entry.isDirectory()) await giveContents(inner, uid);
    await lchown(inner, uid, uid);
  }
}

/** Whether something is at the path. */
export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Removes whatever is at the path, if anything is. */
export async function removeAll(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
