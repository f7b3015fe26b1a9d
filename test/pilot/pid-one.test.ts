/** The whole pilot as PID 1 of a namespace of its own, as in a container: it reaps, and it ends when it is told to. */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { readStat } from '../../shared/proc.ts';
import { waitFor } from '../support/wait.ts';

const pilotMain = resolve(import.meta.dirname, '../../pilot/main.ts');
const orphans = 50;

describe('the pilot as PID 1', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nav-'));
  let unshare: ChildProcess | undefined;
  let pilot = 0;

  before(async function () {
    const args = ['--pid', '--fork', '--kill-child', '--mount-proc'];
    if (spawnSync('unshare', [...args, 'true']).status !== 0) {
      console.error('SKIPPED: no PID namespace: not root');
      this.skip();
    }
    writeFileSync(join(directory, 'token'), 'token');
    const flags = {
      server: `unix:${directory}/nobody`,
      'token-file': join(directory, 'token'),
      cluster: 'demo',
      member: 'demo-node-0',
      version: '6.8.23',
      distribution: directory,
      directory,
      address: '127.0.0.1',
      'java-home': directory,
      probe: join(directory, 'probe.sock'),
      'log-file': join(directory, 'pilot.log'),
    };
    const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    unshare = spawn('unshare', [...args, process.execPath, pilotMain, ...words], { stdio: 'inherit' });
    await waitFor(() => readdirSync(directory).includes('probe.sock'), 'the pilot');
    pilot = childrenOf(unshare.pid ?? -1)[0] ?? 0;
    expect(readFileSync(`/proc/${pilot}/status`, 'utf8')).to.match(/^NSpid:\t\d+\t1$/m);
  });
  after(() => {
    unshare?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it('leaves no zombie of the orphans that fall to it', async () => {
    const script = `i=0; while [ $i -lt ${orphans} ]; do (sh -c 'exit 3' & ); i=$((i+1)); done; sleep 600 &`;
    const enter = ['--target', `${pilot}`, '--pid', '--mount', 'sh', '-c', `(${script}) > /dev/null 2>&1`];
    await promisify(execFile)('nsenter', enter);
    // One that lives on shows that orphans do fall to it.
    await waitFor(() => childrenOf(pilot).length === 1, 'all of them to be reaped, but the one that lives', 30_000);
    const [last = 0] = childrenOf(pilot);
    expect(readFileSync(`/proc/${last}/comm`, 'utf8').trim()).to.equal('sleep');
    process.kill(last, 'SIGKILL');
    await waitFor(() => childrenOf(pilot).length === 0, 'the last one to be reaped', 30_000);
  });

  it('ends on SIGTERM where it has nothing to look after', async () => {
    process.kill(pilot, 'SIGTERM');
    await waitFor(() => unshare?.exitCode === 0, 'the end of the pilot', 30_000);
  });
});

/** The children of a process, dead ones that nobody has waited for among them. */
function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  if (readStat(pid) === undefined) return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
