/** Where a server keeps its state and where it answers. Pure but for the one question of who runs it. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** Environment variables by name. */
export type Env = Readonly<Record<string, string | undefined>>;

/**
 * The absolute path of the state directory: what the flag says, else NAVIGATOR_STATE_DIRECTORY, else the place that is
 * customary for root or for a person. A relative XDG_STATE_HOME is ignored, as the XDG specification asks.
 */
export function stateDirectory(flag: string | undefined, env: Env): string {
  const chosen = flag || env['NAVIGATOR_STATE_DIRECTORY'];
  if (chosen) return resolve(chosen);
  if (process.getuid?.() === 0) return '/var/lib/navigator';
  const xdg = env['XDG_STATE_HOME'];
  if (xdg && isAbsolute(xdg)) return join(xdg, 'navigator');
  return join(env['HOME'] || homedir(), '.local/state/navigator');
}

/** The Unix socket that the server of a state directory answers on. */
export function socketPath(directory: string): string {
  return join(directory, 'navigator.sock');
}
