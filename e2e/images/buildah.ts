/** Builds images without a daemon, in a store of their own, and hands them on as archives that are kept in the cache. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../cluster/command.ts';

const buildWithinMs = 15 * 60_000;

export interface Build {
  /** With its registry, repository and tag. */
  readonly name: string;
  readonly dockerfile: string;
  /** The folder that COPY takes from. */
  readonly context: string;
  readonly arguments: Readonly<Record<string, string>>;
}

export interface Image {
  readonly name: string;
  readonly archive: string;
  readonly bytes: number;
}

/** A store of images below `folder`. */
export class ImageStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(join(folder, 'archives'), { recursive: true });
  }

  buildah(...args: string[]): Promise<string> {
    const store = ['--root', join(this.folder, 'store'), '--runroot', join(this.folder, 'run')];
    return command('buildah', [...store, '--storage-driver', 'overlay', ...args], { limitMs: buildWithinMs });
  }

  async has(name: string): Promise<boolean> {
    return (await this.buildah('images', '-q', name).catch(() => '')).trim() !== '';
  }

  /** Builds it, unless an archive is there that was built of the very same files. */
  async build(order: Build): Promise<Image> {
    const archive = join(this.folder, 'archives', `${order.name.replace(/[^\w.-]+/g, '_')}-${hashOf(order)}.tar`);
    if (!existsSync(archive)) {
      const args = Object.entries(order.arguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
      const flags = ['--isolation', 'chroot', '--pull-never', '--layers=false', ...args];
      await this.buildah('bud', ...flags, '-f', order.dockerfile, '-t', order.name, order.context);
      await this.save(order.name, archive);
    }
    return { name: order.name, archive, bytes: statSync(archive).size };
  }

  /** Writes an image of the store to an archive that keeps its name; it appears whole. */
  async save(name: string, archive: string): Promise<void> {
    const draft = `${archive}.${process.pid}`;
    await this.buildah('push', '-q', name, `docker-archive:${draft}:${name}`);
    renameSync(draft, archive);
  }

  /** Removes archives of other builds of the same image. */
  forgetOthers(image: Image): void {
    const prefix = image.name.replace(/[^\w.-]+/g, '_');
    for (const file of readdirSync(join(this.folder, 'archives'))) {
      const path = join(this.folder, 'archives', file);
      if (file.startsWith(`${prefix}-`) && path !== image.archive) rmSync(path, { force: true });
    }
  }
}

/** Of everything that decides what an image is. */
function hashOf(order: Build): string {
  const hash = createHash('sha256').update(readFileSync(order.dockerfile)).update(JSON.stringify(order.arguments));
  const add = (path: string): void => {
    const stat = statSync(path);
    hash.update(`${path.slice(order.context.length)} ${stat.mode} ${stat.size}\n`);
    if (stat.isDirectory()) for (const name of readdirSync(path).toSorted()) add(join(path, name));
    else hash.update(readFileSync(path));
  };
  add(order.context);
  return hash.digest('hex').slice(0, 12);
}
