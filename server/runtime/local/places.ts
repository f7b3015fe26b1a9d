/** Where the local runtime keeps things on this machine. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What outlives every cluster and can be fetched again: distributions. Another user can read it where this one is root. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const chosen = env['NAVIGATOR_CACHE'];
  if (chosen) return chosen;
  return process.getuid?.() === 0 ? '/var/cache/navigator' : join(homedir(), '.cache/navigator');
}
