/** Programs that the distribution packages, installed where they are missing and this process may do so. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './run.ts';

const installWithinMs = 10 * 60_000;
const places = ['/usr/sbin', '/sbin', '/usr/local/go/bin', '/usr/lib/cni'];

/** The path of a program, looked for also where a login shell of an administrator looks. */
export function onPath(program: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...places];
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

/**
 * Sees to it that each program is there; `packages` names for each the Debian package that brings it. Rejects with words
 * about what to install where that is not possible.
 */
export async function needPrograms(
  packages: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<void> {
  const missing = (): string[] => Object.keys(packages).filter((program) => onPath(program) === undefined);
  if (missing().length === 0) return;
  const names = [...new Set(missing().map((program) => packages[program] ?? program))];
  const advice = `${missing().join(', ')} not found. Debian, Ubuntu: apt-get install ${names.join(' ')}`;
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) throw new Error(advice);
  say(`installing ${names.join(', ')} (apt-get), once …`);
  const install = ['install', '-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends', ...names];
  for (const args of [install, ['update'], install]) {
    const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, limitMs: installWithinMs };
    const { ok, output } = await run('apt-get', args, options);
    if (missing().length === 0) return;
    if (!ok) say(output.trim().split('\n').at(-1) ?? '');
  }
  throw new Error(`${advice}\n  (which was tried, and did not bring it)`);
}
