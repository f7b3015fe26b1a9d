/** Runs one of the small programs that a start needs, bounded in time. */
import { execFile } from 'node:child_process';
import { NavigatorError } from '../../shared/errors.ts';

const outputBytesMax = 1024 * 1024;

export interface Tool {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absent: the pilot's own user. */
  readonly uid?: number;
  readonly limitMs: number;
}

export interface ToolResult {
  readonly ok: boolean;
  /** Standard output and error, as far as they were kept. */
  readonly output: string;
}

/** The command line that execs `command` as another user with no group but its own. */
export function asUser(
  uid: number | undefined,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  if (uid === undefined) return command;
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--', ...command];
}

/** Runs a tool to its end. A failure of the tool is a result; a tool that is not there is a `missing_tool`. */
export function runTool(tool: Tool): Promise<ToolResult> {
  const [command, ...args] = asUser(tool.uid, [tool.command, ...tool.args]);
  const options = {
    env: tool.env,
    cwd: tool.cwd,
    timeout: tool.limitMs,
    killSignal: 'SIGKILL' as const,
    maxBuffer: outputBytesMax,
  };
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      if (!error) return resolve({ ok: true, output });
      if (error.code === 'ENOENT') {
        return reject(new NavigatorError('missing_tool', `${command} was not found`, { cause: error }));
      }
      const note = error.killed ? `\nstopped after ${tool.limitMs} ms` : '';
      resolve({ ok: false, output: output + note });
    });
    child.stdin?.end();
  });
}

/** A line of a Java stack trace below the one that says what went wrong. */
const stackFrame = /^\s+(at |\.\.\. \d+ more$)/;

/** The last lines that say something, joined for an error's text: of a stack trace its causes alone. */
export function lastLines(output: string, count: number): string {
  const lines = output.split('\n').map((line) => line.trimEnd());
  return lines
    .filter((line) => line !== '' && !stackFrame.test(line))
    .slice(-count)
    .join('\n');
}
