/** What `npm run sim` can be told. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { choices, type Choice } from './script.ts';
import { invariants, weathers, type Invariant, type Weather } from './world.ts';

export interface Flags {
  readonly app: Choice;
  readonly seeds: number;
  readonly seed: number | 'fresh';
  readonly minutes?: number;
  readonly jobs?: number;
  readonly all: boolean;
  readonly quiet: boolean;
  readonly until?: readonly Invariant[];
  readonly echo: boolean;
  readonly shrink: boolean;
  readonly keep?: readonly number[];
  readonly calm?: readonly Weather[];
}

const examples = `
Examples:
  npm run sim -- --seeds 200 --seed fresh        200 seeds that nobody has run; the first one is printed
  npm run sim -- --seed fresh --minutes 30 --all  half an hour of them, and every violation
  npm run sim -- --seed 42 --seeds 1 --echo      one seed, told line by line

It ends with 0 where nothing is broken, with 1 where an invariant is, with 2 where a flag is wrong, and with 130 where it
was interrupted: Ctrl-C ends it at once, with a summary of the seeds that have ended.
`;

/** A whole number. Throws InvalidArgumentError. */
export function whole(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('it must be a whole number from 0 on.');
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('it must be a number above 0.');
  return value;
}

function atLeastOne(text: string): number {
  const value = whole(text);
  if (value < 1) throw new InvalidArgumentError('it must be at least 1.');
  return value;
}

function listOf<T extends string>(text: string, known: readonly T[]): readonly T[] {
  const names = text.split(',');
  const wrong = names.find((name) => !known.some((one) => one === name));
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is none of: ${known.join(', ')}.`);
  return known.filter((one) => names.includes(one));
}

/** Reads the command line. Says what is wrong with it and ends the process with 2. */
export function readFlags(): Flags {
  const names = Object.keys(invariants) as Invariant[];
  const command = new Command('npm run sim --')
    .description(
      'Runs the real server, pilots and decisions in a simulated world, where everything goes wrong in an order that a seed decides, and holds ten invariants against what really happens (docs/simulation.md).',
    )
    .addOption(
      new Option('--app <application>', 'which database; "any": the seed decides, one in three is Couchbase')
        .choices(choices)
        .default('any'),
    )
    .option('--seeds <count>', 'how many seeds', atLeastOne, 100)
    .option('--seed <seed>', 'the first seed, or "fresh"', (text) => (text === 'fresh' ? text : whole(text)), 0)
    .option('--minutes <minutes>', 'begin seeds for so many minutes, whatever --seeds says', positive)
    .option('--jobs <count>', 'simulations at once; absent: one a core', atLeastOne)
    .option('--all', 'go on after a violation', false)
    .option('--until <invariants>', `go on until one of these is broken: ${names.join(',')}`, (text) =>
      listOf(text, names),
    )
    .option('--quiet', 'no search for a shorter transcript of a violation; the same as --no-shrink', false)
    .option('--no-shrink', 'do not search for a shorter one')
    .option('--echo', 'print the whole transcript of one seed', false)
    .option('--keep <beats>', 'of one seed only these beats, by number; "none": none of them', (text) =>
      text === 'none' ? [] : text.split(',').map(whole),
    )
    .option('--calm <weather>', `of one seed without this weather: ${weathers.join(', ')}, or all`, (text) =>
      text === 'all' ? weathers : listOf(text, weathers),
    )
    .addHelpText('after', examples)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse().opts<Flags>();
}
