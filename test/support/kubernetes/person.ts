/** The `navigator` command, as a person at a terminal has it. */
import { Readable } from 'node:stream';
import { createProgram } from '../../../server/cli/program.ts';
import { systemClock } from '../../../shared/clock.ts';
import { Sink } from '../../unit/cli.fixture.ts';

const machine = systemClock(true);

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one line of it, in this process. */
export async function navigator(line: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const unserved = { up: async () => 0, server: async () => 0 };
  const around = {
    stdin: Readable.from([]),
    stdout,
    stderr,
    clock: machine,
    userName: () => 'root',
    onInterrupt: () => () => undefined,
  };
  const code = await createProgram(unserved, { ...around, env }).run(line.split(' '));
  return { code, out: stdout.text, err: stderr.text };
}
