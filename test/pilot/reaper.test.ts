import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { startReaper } from '../../pilot/supervisor/reaper.ts';

const FIXTURE = fileURLToPath(new URL('reaper.fixture.ts', import.meta.url));
const NAMESPACE = ['--pid', '--fork', '--kill-child', '--mount-proc'];

interface Outcome {
  readonly pid: number;
  readonly exits: number;
  readonly wrong: readonly unknown[];
  readonly zombies: number;
  readonly reaped: number;
}

/** The arguments with which `unshare` works here. Undefined: neither as root nor through a user namespace. */
function unshareArguments(): string[] | undefined {
  const ways = [NAMESPACE, ['--user', '--map-root-user', ...NAMESPACE]];
  return ways.find((way) => spawnSync('unshare', [...way, 'true']).status === 0);
}

async function run(command: string, args: readonly string[]): Promise<Outcome> {
  const { stdout } = await promisify(execFile)(command, [...args], { timeout: 100_000 });
  return JSON.parse(stdout) as Outcome;
}

describe('reaper', () => {
  describe('as PID 1 of a namespace of its own', () => {
    let unshare: string[] = [];

    before(function () {
      const found = unshareArguments();
      if (found) unshare = found;
      else {
        console.error('SKIPPED: no PID namespace: not root, and unprivileged user namespaces are off');
        this.skip();
      }
    });

    it('reaps 1,000 orphans and loses no exit code of 100 own children', async () => {
      const outcome = await run('unshare', [...unshare, process.execPath, FIXTURE, 'on']);
      expect(outcome).to.deep.equal({ pid: 1, exits: 100, wrong: [], zombies: 0, reaped: 1_000 });
    });

    it('is needed: without it the orphans stay zombies', async () => {
      const outcome = await run('unshare', [...unshare, process.execPath, FIXTURE, 'off']);
      expect(outcome.pid).to.equal(1);
      expect(outcome.wrong).to.deep.equal([]);
      expect(outcome.zombies).to.be.greaterThan(900);
    });
  });

  it('reaps as a child subreaper too', async () => {
    const outcome = await run(process.execPath, [FIXTURE, 'subreaper']);
    expect({ ...outcome, pid: 0 }).to.deep.equal({ pid: 0, exits: 100, wrong: [], zombies: 0, reaped: 1_000 });
    expect(outcome.pid).to.not.equal(1);
  });

  it('is not there where this process is not PID 1 and nobody asked for it', async () => {
    const reaper = await startReaper({ clock: systemClock(), log: createLogger('test', 'silent') });
    expect(reaper).to.equal(undefined);
  });
});
