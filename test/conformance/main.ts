/** `npm run conformance`: plays scenarios one after another, prints what they cost, and fails where one does not hold. */
import { join } from 'node:path';
import { CouchbaseGround, usual } from './couchbase/ground.ts';
import { RandomSchedule } from './couchbase/random.ts';
import { couchbaseScenarios } from './couchbase/scenarios.ts';
import { readFlags, type Flags } from './flags.ts';
import { failed, play } from './play.ts';
import type { Outcome } from './scenario.ts';
import { tableOf, writeTable } from './table.ts';

const page = join(import.meta.dirname, '../../docs/couchbase.md');
/** As a shell says it of what SIGINT has ended. */
const interruptedCode = 130;

/** Standard output is for the table alone. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function verdict({ name, faults, seconds }: Outcome): string {
  return faults.length === 0 ? `${name}: holds, ${seconds.toFixed(0)} s` : `${name}: FAILS: ${faults.join('; ')}`;
}

class Run {
  readonly outcomes: Outcome[] = [];
  readonly #flags: Flags;
  readonly #signal: AbortSignal;
  #ground: CouchbaseGround | undefined;

  constructor(flags: Flags, signal: AbortSignal) {
    this.#flags = flags;
    this.#signal = signal;
  }

  async all(): Promise<void> {
    const { only } = this.#flags;
    const chosen = couchbaseScenarios.filter(({ name }) => only === undefined || only.includes(name));
    for (const scenario of chosen) {
      if (this.#signal.aborted) break;
      tell(`${scenario.name}: ${scenario.title} …`);
      const ground = (this.#ground ??= await CouchbaseGround.make(this.#flags.scale));
      const outcome = await Promise.race([
        play(ground, scenario, usual).catch((thrown: unknown) => failed(scenario, thrown)),
        this.#interrupted(),
      ]);
      if (outcome === undefined) break;
      this.outcomes.push(outcome);
      tell(`  ${verdict(outcome)}`);
      if (outcome.faults.length > 0 || scenario.isLast === true) await this.end();
    }
  }

  async end(): Promise<void> {
    const ground = this.#ground;
    this.#ground = undefined;
    await ground?.end();
  }

  #interrupted(): Promise<undefined> {
    return new Promise((resolve) => {
      if (this.#signal.aborted) resolve(undefined);
      this.#signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }
}

/** Operations in an order that a seed decides; the first thing that is lost ends it. */
async function playRandom(flags: Flags, count: number, signal: AbortSignal): Promise<number> {
  const ground = await CouchbaseGround.make(flags.scale);
  const schedule = new RandomSchedule(ground, flags.seed, tell);
  try {
    const { done, items, seconds } = await schedule.run(count, signal);
    const summary = { seed: flags.seed, operations: done, items, lost: 0, seconds: Math.round(seconds) };
    const words = `seed ${flags.seed}: ${done} operations, ${items} items acknowledged and there, 0 vBuckets lost, ${seconds.toFixed(0)} s`;
    console.log(flags.output === 'json' ? JSON.stringify(summary) : words);
    return signal.aborted ? interruptedCode : 0;
  } catch (thrown) {
    tell(`seed ${flags.seed} FAILS after ${schedule.done} operations: ${String(thrown)}`);
    return 1;
  } finally {
    await ground.end();
  }
}

async function main(): Promise<number> {
  const flags = readFlags(couchbaseScenarios.map(({ name }) => name));
  if (flags.list) {
    for (const { name, title } of couchbaseScenarios) console.log(`${name.padEnd(28)} ${title}`);
    return 0;
  }
  const interrupt = new AbortController();
  // Again and again: npm passes on what the terminal has sent already, and what was started must be ended.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
  if (flags.random !== undefined) return playRandom(flags, flags.random, interrupt.signal);
  const run = new Run(flags, interrupt.signal);
  try {
    await run.all();
  } finally {
    await run.end();
  }
  const { outcomes } = run;
  const table = tableOf(outcomes);
  console.log(flags.output === 'json' ? JSON.stringify(outcomes, undefined, 2) : table);
  const wrong = outcomes.filter(({ faults }) => faults.length > 0);
  tell(`${outcomes.length - wrong.length} of ${outcomes.length} scenarios hold`);
  for (const outcome of wrong) tell(verdict(outcome));
  if (interrupt.signal.aborted) return interruptedCode;
  if (wrong.length === 0 && flags.write && flags.only === undefined) writeTable(page, table);
  return wrong.length === 0 ? 0 : 1;
}

process.exit(await main());
