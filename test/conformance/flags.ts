/** What `npm run conformance` can be told. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { whole } from '../simulation/flags.ts';

export interface Flags {
  readonly app: 'couchbase';
  readonly only?: readonly string[];
  readonly list: boolean;
  readonly output: 'table' | 'json';
  readonly write: boolean;
  readonly scale: number;
  /** How many operations of a random schedule are played instead of scenarios. */
  readonly random?: number;
  readonly seed: number;
}

const examples = `
Examples:
  npm run conformance -- --app couchbase --list            what there is
  npm run conformance -- --app couchbase --only scale-down  one of them
  npm run conformance -- --app couchbase --write            all, and their table into docs/couchbase.md

  npm run conformance -- --app couchbase --random 300 --seed 7   300 operations and faults in an order that the seed decides

It ends with 0 where everything holds, with 1 where a scenario fails, with 2 where a flag is wrong, and with 130 where it was
interrupted: Ctrl-C ends what was started, and prints what has been measured.
`;

function atLeastOne(text: string): number {
  const value = whole(text);
  if (value < 1) throw new InvalidArgumentError('it must be at least 1.');
  return value;
}

/** Reads the command line. Says what is wrong with it and ends the process with 2. `known`: the names of scenarios. */
export function readFlags(known: readonly string[]): Flags {
  const names = (text: string, before: readonly string[] = []): readonly string[] => {
    const asked = text.split(',');
    const wrong = asked.find((name) => !known.includes(name));
    if (wrong !== undefined) throw new InvalidArgumentError(`there is no scenario "${wrong}"; --list names them.`);
    return [...before, ...asked];
  };
  const command = new Command('npm run conformance --')
    .description(
      'Plays named scenarios on the embedded runtime: a real server, real pilots, and the simulator of a database. What they cost is measured on the nodes themselves: items, lost vBuckets, rebalances, members away.',
    )
    .addOption(new Option('--app <name>', 'the database').choices(['couchbase']).default('couchbase'))
    .option('--only <names>', 'these scenarios alone; may be given again', names)
    .option('--list', 'print the scenarios, and play none', false)
    .addOption(new Option('--output <form>', 'of what is printed').choices(['table', 'json']).default('table'))
    .option('--write', 'put the table into the page of the database, where all scenarios hold', false)
    .option('--scale <factor>', 'everything in the simulator takes a so-many-th of its real time', atLeastOne, 5)
    .option('--random <count>', 'so many operations and faults instead of scenarios', atLeastOne)
    .option('--seed <seed>', 'of the random schedule', whole, 1)
    .addHelpText('after', examples)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse().opts<Flags>();
}
