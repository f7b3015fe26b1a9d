/** Runs a program of this machine to its end, in low priority and bounded in time. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  /** Beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs: number;
}

export interface RunResult {
  readonly ok: boolean;
  /** The end of what it wrote to both. */
  readonly output: string;
}

const keptCharacters = 64_000;

/** Resolves at its end, also where there is no such program. Whoever waits at this machine has other things to do meanwhile. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn('nice', ['-n', '10', program, ...args], {
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      timeout: options.limitMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-keptCharacters));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}
