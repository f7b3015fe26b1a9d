/** What the flight recorder costs: `npm run bench:journal [DIRECTORY]`, on the disk of that directory. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterRecording } from '../../server/recording.ts';
import { plan, type PlanInput } from '../../server/reconcile/plan.ts';
import { defaultTiming } from '../../server/model/timing.ts';
import { systemClock } from '../../shared/clock.ts';
import { Journal } from '../../shared/journal.ts';
import { clusterSpec, ledgerOf, observation, permit, pool, record, seen } from '../support/model.ts';

const clock = systemClock();
const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'nav-bench-'));
const path = join(directory, 'journal');
const options = { by: 'bench', version: '0', segmentBytes: 2 ** 24, wallMs: () => clock.wallMs() };
const journal = new Journal(path, options);

function time(what: string, times: number, work: (round: number) => void): void {
  const lengths = Array.from({ length: times }, (_, round) => {
    const from = clock.monotonicMs();
    work(round);
    return clock.monotonicMs() - from;
  }).sort((a, b) => a - b);
  const at = (share: number): string => `${((lengths[Math.floor(times * share)] ?? 0) * 1_000).toFixed(0)} µs`;
  console.log(`${what.padEnd(58)} median ${at(0.5).padStart(8)}   99 % ${at(0.99).padStart(8)}`);
}

/** A cluster with as many ended permits as a ledger keeps, and a pass over it. */
function inputOf(members: number, round: number): PlanInput {
  const records = Array.from({ length: members }, (_, ordinal) => record(ordinal));
  const ended = Array.from({ length: 50 }, (_, index) =>
    permit('demo-node-0', 'restart', { id: `${index}`, state: 'completed' }),
  );
  const leadership = { term: round, leader: '', incarnation: '' };
  const ledger = ledgerOf(records, { spec: clusterSpec([pool('node', members)]), permits: ended, leadership });
  const observed = observation(records.map(({ name }) => seen(name, { heardAtMs: round })));
  return { ledger, revision: round, observed, now: { monotonicMs: 1e6 + round, wallMs: round }, timing: defaultTiming };
}

const text = 'x'.repeat(700);
time('append 800 bytes', 5_000, () => journal.append('bench', () => ({ text })));
time('append 800 bytes and flush', 500, () => journal.append('bench', () => ({ text }), true));

for (const members of [3, 100]) {
  const recording = new ClusterRecording('default/demo', journal);
  const passes = Array.from({ length: 300 }, (_, round) => {
    const input = inputOf(members, round);
    return { input, next: plan(input) };
  });
  const [first] = passes;
  time(`plan, ${members} members`, 300, (round) => plan(passes[round]!.input));
  time(`record a decision and flush, ${members} members`, 300, (round) => {
    recording.decided(passes[round]!.input, passes[round]!.next);
    recording.written(true);
  });
  const idle = { ...first!.next, ledger: first!.input.ledger };
  recording.decided(first!.input, idle);
  time(`an idle pass, ${members} members`, 300, () => recording.decided(first!.input, idle));
  const before = statSync(path).size;
  for (const { input, next } of passes.slice(0, 50)) recording.decided(input, next);
  console.log(
    `${`bytes of a decision, ${members} members`.padEnd(58)} ${Math.round((statSync(path).size - before) / 50)}`,
  );
}
rmSync(directory, { recursive: true });
