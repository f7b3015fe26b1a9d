/** A member's own copy of the distribution, because plugins are installed into the home and members differ in them. */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Place } from '../engine.ts';
import { exists, giveDirectories, removeAll } from '../files.ts';
import { lastLines, runTool } from '../tool.ts';

const copyLimitMs = 120_000;

/** What is needed to make a home. */
export interface HomeOrder {
  readonly place: Place;
  readonly version: string;
  /** Make it anew even if it is there. */
  readonly anew: boolean;
  readonly path: string;
}

/**
 * Makes the home of a version of hard links (of copies on another file system) and removes those of other versions.
 * A home that is there is whole: it gets its name only when it is. The distribution's files stay root's or whose they
 * are; only directories change hands, for the plugin tool.
 */
export async function prepareHome(order: HomeOrder): Promise<string> {
  const { place, version } = order;
  const home = join(place.directory, `home-${version}`);
  for (const name of await readdir(place.directory)) {
    const old = /^home-/.test(name) && (order.anew || name !== `home-${version}`);
    if (old) await removeAll(join(place.directory, name));
  }
  if (!(await exists(home))) await make(order, home);
  if (place.uid !== undefined) await checkReadable(order, home);
  return home;
}

async function make(order: HomeOrder, home: string): Promise<void> {
  const { place, path } = order;
  if (!(await exists(join(place.distribution, 'bin/elasticsearch')))) {
    throw new NavigatorError('not_found', `${place.distribution} is not an unpacked Elasticsearch`);
  }
  const draft = `${home}.draft`;
  const copied = await copy(place.distribution, draft, ['-al'], path);
  // Links are refused across file systems, and to files of other users where fs.protected_hardlinks is on.
  if (!copied.ok) {
    await removeAll(draft);
    const again = await copy(place.distribution, draft, ['-a'], path);
    if (!again.ok) {
      throw new NavigatorError(
        'internal',
        `no copy of ${place.distribution} could be made: ${lastLines(again.output, 3)}`,
      );
    }
  }
  await mkdir(join(draft, 'plugins'), { recursive: true });
  if (place.uid !== undefined) {
    await giveDirectories(join(draft, 'plugins'), place.uid);
    await giveDirectories(join(draft, 'bin'), place.uid);
  }
  await rename(draft, home);
}

function copy(from: string, to: string, flags: string[], path: string): ReturnType<typeof runTool> {
  const args = [...flags, '--', from, to];
  return runTool({ command: 'cp', args, env: { PATH: path }, cwd: '/', limitMs: copyLimitMs });
}

async function checkReadable(order: HomeOrder, home: string): Promise<void> {
  const { place, path } = order;
  if (place.uid === undefined) return;
  for (const file of [join(home, 'bin/elasticsearch'), join(place.javaHome, 'bin/java')]) {
    const tool = {
      command: 'test',
      args: ['-x', file],
      env: { PATH: path },
      cwd: '/',
      uid: place.uid,
      limitMs: 10_000,
    };
    if ((await runTool(tool)).ok) continue;
    throw new NavigatorError('forbidden', `user ${place.uid} cannot run ${file}`, {
      advice: [
        'each folder above it must be open to that user: chmod a+x',
        'or choose another data or cache directory',
      ],
    });
  }
}
