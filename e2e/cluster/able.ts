/** Whether this machine can have a cluster of its own at all: told before an hour of building is spent on it. */
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.ts';
import { placesUnder } from './places.ts';
import { hierarchies } from './remains.ts';

/** Why it cannot, in words; undefined: nothing that is known of speaks against it. */
export async function whyUnable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `it runs on Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'it takes root, for namespaces, mounts and control groups';
  return (await namespacesFail()) ?? (await overlayFails()) ?? groupsFail();
}

async function namespacesFail(): Promise<string | undefined> {
  try {
    await command('unshare', ['--net', '--mount', '--pid', '--fork', 'true']);
    return undefined;
  } catch (error) {
    return `no namespaces can be made: ${(error as Error).message}`;
  }
}

/** Images are layers of an overlay, on the disk that they will lie on. */
async function overlayFails(): Promise<string | undefined> {
  const folder = mkdtempSync(`${placesUnder}/navigator-able-`);
  try {
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(folder, name));
    for (const path of [lower, upper, work, merged]) mkdirSync(path!);
    const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await command('unshare', ['--mount', 'mount', '-t', 'overlay', 'overlay', '-o', layers, merged!]);
    return undefined;
  } catch (error) {
    return `no overlay can be mounted in ${placesUnder}: ${(error as Error).message}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function groupsFail(): string | undefined {
  const found = hierarchies();
  if (found.length === 0) return 'there are no control groups under /sys/fs/cgroup';
  for (const hierarchy of found) {
    const group = join(hierarchy, `navigator-able-${process.pid}`);
    try {
      mkdirSync(group);
      if (!existsSync(join(group, 'cgroup.procs'))) return `${hierarchy} makes no control groups`;
      rmdirSync(group);
    } catch (error) {
      return `no control group can be made in ${hierarchy}: ${(error as Error).message}`;
    }
  }
  return undefined;
}
