/** `npm run sim`: runs seeds until one breaks an invariant, and cuts that one down to what it takes. */
import { systemClock, type Clock } from '../../shared/clock.ts';
import { systemRandom } from '../../shared/random.ts';
import { runSeeds } from './crew.ts';
import { readFlags, type Flags } from './flags.ts';
import { scriptOf, type Script } from './script.ts';
import { cutScript, shrink, tell } from './shrink.ts';
import { Simulation, type Outcome } from './simulation.ts';
import { invariants, weathers, type Line } from './world.ts';

/** The most simulations that a shortest transcript may cost. */
const shrinkRunsMax = 300;

/** As a shell says it of what SIGINT has ended. */
const interruptedCode = 130;

/** What many seeds came to. */
interface Tally {
  ended: number;
  events: number;
  virtualMs: number;
  readonly broken: Outcome[];
}

function print({ atMs, who, what }: Line): void {
  console.log(`${(atMs / 1_000).toFixed(3).padStart(9)}  ${who.padEnd(14)} ${what}`);
}

function headline({ seed, application, violation }: Outcome): string {
  if (violation === undefined) return `seed ${seed} (${application}): nothing is broken`;
  const { invariant, message, atMs } = violation;
  return `seed ${seed} (${application}), at ${(atMs / 1_000).toFixed(3)} s: ${invariant}, ${invariants[invariant]}\n  ${message}`;
}

/** One seed in this process, cut as the flags say. */
async function runOne(flags: Flags, seed: number): Promise<number> {
  const script = scriptOf(seed, flags.app);
  const keep = flags.keep ?? script.beats.map((_, at) => at);
  const cut = cutScript(script, { keep, calmed: flags.calm ?? [] });
  const outcome = await new Simulation(cut, flags.echo ? print : undefined).run();
  console.log(headline(outcome));
  return outcome.violation === undefined ? 0 : 1;
}

async function explain(script: Script, outcome: Outcome): Promise<void> {
  console.log(`\nlooking for a shorter one, in ${shrinkRunsMax} simulations at most …`);
  const { cut, outcome: shortest, runs } = await shrink(script, outcome, shrinkRunsMax);
  console.log(`${shortest.tail.join('\n')}\n\n${headline(shortest)}\n`);
  console.log(`It takes ${cut.keep.length} of ${script.beats.length} beats (${runs} simulations):`);
  for (const at of cut.keep) console.log(tell(script.beats[at]!));
  const calm =
    cut.calmed.length === 0 ? '' : ` --calm ${cut.calmed.length === weathers.length ? 'all' : cut.calmed.join(',')}`;
  console.log(
    `\nreplay: npm run sim -- --app ${script.spec.application} --seed ${script.seed} --seeds 1 --keep ${cut.keep.join(',') || 'none'}${calm} --echo`,
  );
}

/** Whether this outcome is what the flags wait for. */
function endsIt({ until, all }: Flags, { violation }: Outcome): boolean {
  return until === undefined ? !all : until.some((name) => name === violation?.invariant);
}

async function runMany(flags: Flags, first: number, clock: Clock, signal: AbortSignal): Promise<Tally> {
  const tally: Tally = { ended: 0, events: 0, virtualMs: 0, broken: [] };
  const endMs = flags.minutes === undefined ? Infinity : clock.monotonicMs() + flags.minutes * 60_000;
  const count = flags.minutes === undefined ? flags.seeds : Infinity;
  let begun = 0;
  await runSeeds({
    ...(flags.jobs && { jobs: flags.jobs }),
    choice: flags.app,
    signal,
    next: () => {
      const goesOn = begun < count && clock.monotonicMs() < endMs && !tally.broken.some((one) => endsIt(flags, one));
      return goesOn ? first + begun++ : undefined;
    },
    onOutcome: (outcome) => {
      tally.ended++;
      tally.events += outcome.events;
      tally.virtualMs += outcome.virtualMs;
      if (outcome.violation === undefined) return;
      tally.broken.push(outcome);
      console.log(
        `${headline(outcome)}\n  replay: npm run sim -- --app ${outcome.application} --seed ${outcome.seed} --seeds 1 --echo`,
      );
    },
  });
  return tally;
}

function summarise(tally: Tally, first: number, seconds: number): void {
  const { ended, events, virtualMs, broken } = tally;
  const { user, system } = process.cpuUsage();
  // Seeds for each second of a core say what a machine could do that has nothing else to do.
  const alone = `${(ended / ((user + system) / 1e6)).toFixed(2)} seeds for each second of a core`;
  const speed = `${(ended / seconds).toFixed(2)} seeds/s, ${Math.round(events / seconds)} events/s, ${alone}`;
  const lived = `${(virtualMs / 3_600_000).toFixed(1)} hours lived in ${seconds.toFixed(1)} s`;
  const which = broken.length === 0 ? '' : ` (${broken.map(({ seed }) => seed).join(', ')})`;
  console.log(`${ended} seeds from ${first}, ${broken.length} broken${which}; ${speed}; ${lived}`);
}

async function main(): Promise<number> {
  const flags = readFlags();
  const clock = systemClock();
  const startedAtMs = clock.monotonicMs();
  const first = flags.seed === 'fresh' ? Math.floor(systemRandom.fraction() * 1e9) : flags.seed;
  if ((flags.seeds === 1 && flags.until === undefined) || flags.echo || flags.keep !== undefined)
    return runOne(flags, first);
  console.log(`seeds from ${first}`);
  const interrupt = new AbortController();
  // Once: whoever does not want to wait for the summary asks again.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  const tally = await runMany(flags, first, clock, interrupt.signal);
  const found = tally.broken.filter((one) => endsIt(flags, one)).toSorted((a, b) => a.seed - b.seed)[0];
  if (flags.until !== undefined && found !== undefined)
    console.log(`FOUND ${found.violation?.invariant} ${found.seed - first + 1}`);
  summarise(tally, first, (clock.monotonicMs() - startedAtMs) / 1_000);
  if (interrupt.signal.aborted) return interruptedCode;
  const [worst] = tally.broken;
  if (worst !== undefined && !flags.quiet && flags.shrink)
    await explain(scriptOf(worst.seed, worst.application), worst);
  return worst === undefined ? 0 : 1;
}

process.exitCode = await main();
