/** Runs small programs of this machine to their end. */
import { execFile, type ExecFileOptions } from 'node:child_process';

export interface CommandOptions extends Pick<ExecFileOptions, 'cwd' | 'env'> {
  readonly input?: string;
  readonly limitMs?: number;
}

const limitMsDefault = 120_000;
const outputBytesMax = 64 * 2 ** 20;

/** What the program wrote to standard output. Rejects with what it wrote to standard error where it fails. */
export function command(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { input, limitMs = limitMsDefault, ...rest } = options;
  const limits = { timeout: limitMs, killSignal: 'SIGKILL' as const, maxBuffer: outputBytesMax };
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], { ...rest, ...limits, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const late = error.killed ? ` (ended after ${limitMs} ms)` : '';
      const said = `${stderr}${stdout}`.trim().slice(-2_000);
      reject(new Error(`${program} ${args.join(' ')}${late}: ${said || error.message}`, { cause: error }));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

/** As `command`, and content with a failure: undefined then. */
export async function attempt(program: string, args: readonly string[]): Promise<string | undefined> {
  return await command(program, args).catch(() => undefined);
}
