import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { waitFor } from '../support/wait.ts';

const FIXTURE = fileURLToPath(new URL('signals.fixture.ts', import.meta.url));

describe('signals', () => {
  it('tells each stop and each forward, lives through the others, and gives the defaults back', async () => {
    const pilot = spawn(process.execPath, [FIXTURE], { stdio: 'pipe' });
    let output = '';
    let errors = '';
    pilot.stdout.on('data', (text: Buffer) => (output += text.toString()));
    pilot.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const lines: string[] = ['ready'];
    await waitFor(() => output === 'ready\n', 'ready');

    for (const signal of ['SIGPIPE', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR'] as const) pilot.kill(signal);
    const told = [
      ['forward', 'SIGHUP'],
      ['forward', 'SIGUSR1'],
      ['forward', 'SIGUSR2'],
      ['forward', 'SIGQUIT'],
      ['forward', 'SIGWINCH'],
      ['stop', 'SIGTERM'],
      ['stop', 'SIGTERM'],
      ['stop', 'SIGINT'],
    ] as const;
    for (const [what, signal] of told) {
      pilot.kill(signal);
      lines.push(`${what} ${signal}`);
      await waitFor(() => output === `${lines.join('\n')}\n`, `${lines.join(', ')}; there is ${output}`);
    }
    expect(errors, 'SIGUSR1 opens no inspector').to.equal('');

    pilot.kill('SIGTERM');
    await waitFor(() => pilot.signalCode !== null, 'the default of SIGTERM');
    expect(pilot.signalCode).to.equal('SIGTERM');
  });
});
