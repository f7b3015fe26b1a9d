/**
 * Makes 1,000 orphans that fall to this process while it runs 100 own children, and writes what became of them to
 * standard output. Argument: `on`, `off` (no reaper), or `subreaper` (not PID 1).
 */
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { spawnOwned } from '../../pilot/supervisor/children.ts';
import { becomeSubreaper, startReaper } from '../../pilot/supervisor/reaper.ts';
import { waitFor } from '../support/wait.ts';

const BATCHES = 20;
const ORPHANS_A_BATCH = 50;
const OWN_CHILDREN = 100;

const mode = process.argv[2];
const log = createLogger('reaper-fixture', 'info');
if (mode === 'subreaper' && !(await becomeSubreaper(log))) process.exit(70);
const reaper = await startReaper({ clock: systemClock(), log, reap: mode !== 'off' });

const exits = new Map<number, number | null>();
const batches = new Set<number>();
/** Most are alive together with the orphans, some exit at once; some are started without the supervisor's knowledge. */
function startOwn(code: number): void {
  const args = ['-c', `${code % 4 === 0 ? '' : `sleep 0.0${code % 10};`} exit ${code}`];
  const child = code % 3 === 0 ? execFile('sh', args) : spawnOwned('sh', args);
  child.once('exit', (seen) => exits.set(code, seen));
}
execFile('/no/such/program').once('error', () => undefined);
for (let batch = 0; batch < BATCHES; batch += 1) {
  const script = `i=0; while [ $i -lt ${ORPHANS_A_BATCH} ]; do (sleep 0.1 &); i=$((i + 1)); done`;
  spawnOwned('sh', ['-c', script], { stdio: 'ignore' }).once('exit', () => batches.add(batch));
  for (let own = 1; own <= OWN_CHILDREN / BATCHES; own += 1) startOwn(batch * (OWN_CHILDREN / BATCHES) + own);
}

await waitFor(() => exits.size === OWN_CHILDREN && batches.size === BATCHES, 'every exit of an own child', 30_000);
await waitFor(() => states().every((state) => state === 'Z'), 'every orphan dead', 30_000);
// Dead is not yet reaped: without a reaper it never comes to that, so that this wait would be in vain.
if (mode !== 'off') await waitFor(() => states().length === 0, 'no zombie', 30_000);

const wrong = [...exits].filter(([code, seen]) => code !== seen);
process.stdout.write(
  JSON.stringify({ pid: process.pid, exits: exits.size, wrong, zombies: states().length, reaped: reaper?.reaped ?? 0 }),
  () => process.exit(0),
);

/** The states of all children of this process, as /proc has them. */
function states(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) === process.pid) found.push(state ?? '?');
    } catch {
      // It is gone since the listing.
    }
  }
  return found;
}
