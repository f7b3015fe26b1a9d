import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Launch } from '../../pilot/model.ts';
import type { DatabaseProcess, Exit, Running } from '../../pilot/supervisor/ports.ts';
import { CONSOLE_FILE, createDatabaseProcess, PROCESS_FILE } from '../../pilot/supervisor/process.ts';
import { systemClock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { createLogger } from '../../shared/log.ts';
import { waitFor } from '../support/wait.ts';

const FIXTURE = fileURLToPath(new URL('process.fixture.ts', import.meta.url));
const STARTED = { specHash: 'hash-1', version: '8.1.0' };

describe('database process', () => {
  let directory = '';
  let database: DatabaseProcess;
  const groups: number[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'navigator-process-'));
    database = reopened();
  });

  afterEach(() => {
    for (const group of groups.splice(0)) killGroup(group);
    rmSync(directory, { recursive: true, force: true });
  });

  /** The same member under a later life of the pilot. */
  function reopened(): DatabaseProcess {
    return createDatabaseProcess({ directory, clock: systemClock(), log: createLogger('test', 'silent') });
  }

  function shell(script: string): Launch {
    return { command: '/bin/sh', args: ['-c', script], env: { WORD: 'hello' }, cwd: directory };
  }

  async function start(script: string): Promise<Running> {
    const running = await database.start(shell(script), STARTED);
    groups.push(running.pid);
    return running;
  }

  /** A pilot of its own starts one and is killed with SIGKILL. */
  async function leaveBehind(): Promise<number> {
    const pilot = spawn(process.execPath, [FIXTURE, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    pilot.stdout.on('data', (text: Buffer) => (output += text.toString()));
    await waitFor(() => output.endsWith('\n'), 'the pid of the database');
    pilot.kill('SIGKILL');
    await waitFor(() => pilot.signalCode === 'SIGKILL', 'the death of its pilot');
    groups.push(Number(output));
    return Number(output);
  }

  function consoleText(): string {
    return readFileSync(join(directory, CONSOLE_FILE), 'utf8');
  }

  function rewrite(change: (entry: { life?: { startTime: number }; bootId: string }) => void): void {
    const path = join(directory, PROCESS_FILE);
    const entry = JSON.parse(readFileSync(path, 'utf8')) as Parameters<typeof change>[0];
    change(entry);
    writeFileSync(path, JSON.stringify(entry));
  }

  it('tells the exit code, and keeps what was written to the console', async () => {
    const running = await start('echo $WORD $HOME; echo there >&2; exit 7');
    expect(await exitOf(running)).to.deep.equal({ code: 7, signal: null });
    expect(await exitOf(running), 'told again to who asks late').to.deep.equal({ code: 7, signal: null });
    expect(consoleText()).to.equal('hello\nthere\n');
    expect(running.signal('SIGTERM'), 'a signal to what is gone').to.equal(false);
    expect(database.adopt()).to.equal(undefined);
  });

  it('runs in a session and process group of its own', async () => {
    const running = await start('exec sleep 1000');
    const [group, session] = statFields(running.pid).slice(2, 4).map(Number);
    expect([group, session]).to.deep.equal([running.pid, running.pid]);
    expect(await refusal(database.start(shell('true'), STARTED))).to.include({ code: 'already_exists' });
    expect(await database.stop(running, { termMs: 60_000 })).to.deep.equal({ code: null, signal: 'SIGTERM' });
  });

  it('is adopted by a later pilot when its own was killed', async () => {
    const pid = await leaveBehind();
    const running = database.adopt();
    expect(running).to.include({ pid, adopted: true, ...STARTED });
    expect(await refusal(database.start(shell('true'), STARTED))).to.include({ code: 'already_exists' });
    const exit = exitOf(running as Running);
    expect(running?.signal('SIGTERM')).to.equal(true);
    expect(await exit).to.deep.equal({ code: null, signal: null });
    expect(database.adopt()).to.equal(undefined);
  });

  it('is adopted when its pilot was killed between the spawn and the record of the pid', async () => {
    const pid = await leaveBehind();
    rewrite((entry) => delete entry.life);
    expect(database.adopt()).to.include({ pid, adopted: true });
    expect(reopened().adopt(), 'on record now').to.include({ pid });
  });

  it('is not adopted where the pid belongs to another process by now', async () => {
    const pid = await leaveBehind();
    rewrite((entry) => entry.life && (entry.life.startTime -= 1));
    expect(database.adopt()).to.equal(undefined);
    await start('exec sleep 1000');
    expect(isAlive(pid), 'a start leaves the other process alone').to.equal(true);
  });

  it('is not adopted from a record of another boot, nor from one that is corrupt', async () => {
    await leaveBehind();
    const whole = readFileSync(join(directory, PROCESS_FILE));
    rewrite((entry) => (entry.bootId = 'another'));
    expect(database.adopt()).to.equal(undefined);
    for (const text of ['{"life":', 'null', '{}', '[]', '{"life":{"pid":1}}']) {
      writeFileSync(join(directory, PROCESS_FILE), text);
      expect(database.adopt(), text).to.equal(undefined);
    }
    writeFileSync(join(directory, PROCESS_FILE), whole);
    expect(database.adopt()).to.not.equal(undefined);
  });

  it('is killed with its whole group when SIGTERM is not enough', async () => {
    const running = await start(`trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1; done`);
    await waitFor(() => consoleText().endsWith('\n'), 'its child');
    const child = Number(consoleText());
    expect(isAlive(child)).to.equal(true);
    expect(await database.stop(running, { termMs: 300 })).to.deep.equal({ code: null, signal: 'SIGKILL' });
    expect(isAlive(child), 'the child of what was killed').to.equal(false);
  });

  it('is not stopped before its group is gone: what outlives its leader is killed at the bound', async () => {
    const running = await start(`(trap '' TERM; echo ready; while :; do sleep 1; done) & wait`);
    await waitFor(() => consoleText() === 'ready\n', 'the child');
    expect(await database.stop(running, { termMs: 300 })).to.deep.equal({ code: null, signal: 'SIGTERM' });
    expect(groupIsAlive(running.pid)).to.equal(false);
  });

  it('starts only when what the last one left in its group is gone', async () => {
    const first = await start('sleep 1000 & exit 1');
    await exitOf(first);
    expect(groupIsAlive(first.pid)).to.equal(true);
    const second = await start('exec sleep 1000');
    expect(groupIsAlive(first.pid)).to.equal(false);
    expect(isAlive(second.pid)).to.equal(true);
  });

  it('refuses a program or a working directory that is not there, by name', async () => {
    const missing = await refusal(database.start({ ...shell(''), command: '/no/such/database' }, STARTED));
    expect(missing).to.include({ code: 'missing_tool' });
    expect(missing.message).to.include('/no/such/database');
    const nowhere = await refusal(database.start({ ...shell(''), cwd: '/no/such/directory' }, STARTED));
    expect(nowhere).to.include({ code: 'not_found' });
    expect(nowhere.message).to.include('/no/such/directory');
    expect(database.adopt()).to.equal(undefined);
    expect(await exitOf(await start('exit 3')), 'a later start').to.include({ code: 3 });
  });

  it('turns the console over at a start when it has grown too long', async () => {
    writeFileSync(join(directory, CONSOLE_FILE), '');
    truncateSync(join(directory, CONSOLE_FILE), 10 * 1024 * 1024 + 1);
    await exitOf(await start('echo new'));
    expect(consoleText()).to.equal('new\n');
    expect(statSync(join(directory, `${CONSOLE_FILE}.1`)).size).to.be.greaterThan(10 * 1024 * 1024);
  });
});

function exitOf(running: Running): Promise<Exit> {
  return new Promise((resolve) => running.onExit(resolve));
}

async function refusal(work: Promise<unknown>): Promise<NavigatorError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).to.be.instanceOf(NavigatorError);
  return thrown as NavigatorError;
}

function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Dead are zombies too: who waits for them here is not the matter of these tests. */
function isAlive(pid: number): boolean {
  try {
    return statFields(pid)[0] !== 'Z';
  } catch {
    return false;
  }
}

function groupIsAlive(group: number): boolean {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.some((pid) => isAlive(pid) && groupOf(pid) === group);
}

function groupOf(pid: number): number | undefined {
  try {
    return Number(statFields(pid)[2]);
  } catch {
    return undefined;
  }
}

function killGroup(group: number): void {
  if (groupIsAlive(group)) process.kill(-group, 'SIGKILL');
}
