/** `npm run sim:mutants`: breaks the code in a copy of the tree, one rule at a time, and counts the seeds that it takes to see it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { systemRandom } from '../../shared/random.ts';
import { whole } from './flags.ts';
import { mutants } from './mutant-list.ts';
import type { Mutant } from './mutant.ts';
import type { Choice } from './script.ts';

interface Flags {
  readonly seeds: number;
  readonly seed: number;
  readonly only: string;
  readonly app: Choice;
  readonly rare: boolean;
  readonly draw?: number;
}

const root = dirname(dirname(import.meta.dirname));
const flags = new Command('npm run sim:mutants --')
  .description(
    'Breaks one rule at a time, and tells by which invariant the simulator finds it and after how many seeds.',
  )
  .option('--seeds <count>', 'the most seeds for one mutant', whole, 2000)
  .option('--seed <seed>', 'the first seed', whole, 0)
  .option('--only <words>', 'mutants with these words in their name', '')
  .addOption(
    new Option('--app <application>', 'those of one database')
      .choices(['elasticsearch', 'couchbase', 'any'])
      .default('any'),
  )
  .option('--no-rare', 'none of those that take hundreds of seeds and more')
  .option('--draw <count>', 'so many of them, drawn by chance from those that are not rare', whole)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()
  .opts<Flags>();

/** What runs a mutant now, if anything does: Ctrl-C ends it, and its copy of the tree goes. */
let running: ChildProcess | undefined;
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupt.abort();
    running?.kill('SIGKILL');
  });

function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'navigator-mutant-'));
  for (const name of ['server', 'pilot', 'shared', 'proto', 'test', 'package.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function apply(copy: string, { name, patches }: Mutant): void {
  for (const { file, find, replace } of patches) {
    const path = join(copy, file);
    const before = readFileSync(path, 'utf8');
    if (before.split(find).length !== 2) throw new Error(`mutant "${name}": its place in ${file} is not there once`);
    writeFileSync(
      path,
      before.replace(find, () => replace),
    );
  }
}

interface Seeds {
  readonly choice: Choice;
  readonly first: number;
  readonly count: number;
}

/** Runs seeds in a tree until one breaks one of these invariants. */
async function run(tree: string, breaks: readonly string[], { choice, first, count }: Seeds): Promise<string> {
  const args = ['test/simulation/main.ts', '--quiet', '--app', choice, '--seed', `${first}`, '--seeds', `${count}`];
  const child = spawn(process.execPath, [...args, '--until', breaks.join(',')], { cwd: tree });
  running = child;
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  running = undefined;
  return out + err;
}

/** Which invariant tells, and how many seeds it takes; a seed that tells of the whole tree, too, tells nothing. */
async function hunt(mutant: Mutant): Promise<readonly [invariant: string, seeds: string]> {
  const copy = copyOfTree();
  const start = flags.seed;
  const end = start + flags.seeds;
  try {
    apply(copy, mutant);
    for (let first = start; first < end;) {
      const { choice } = mutant;
      const output = await run(copy, mutant.breaks, { choice, first, count: end - first });
      const found = /^FOUND (\S+) (\d+)$/m.exec(output);
      if (found === null) {
        const ended = /\d+ broken/.test(output);
        return ended ? ['-', `not in ${flags.seeds}`] : ['error', output.slice(-300)];
      }
      first += Number(found[2]);
      if (!(await run(root, mutant.breaks, { choice, first: first - 1, count: 1 })).includes('FOUND'))
        return [found[1] ?? '', `${first - start}`];
    }
    return ['-', `not in ${flags.seeds}`];
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** None of the rare ones. */
function drawn(from: readonly Mutant[], count: number): readonly Mutant[] {
  const left = from.filter(({ isRare }) => !isRare);
  return Array.from({ length: Math.min(count, left.length) }, () =>
    left.splice(Math.floor(systemRandom.fraction() * left.length), 1),
  ).flat();
}

const wanted = mutants.filter(({ name, isRare, choice }) => {
  const isOf = flags.app === 'any' || flags.app === choice;
  return isOf && name.includes(flags.only) && (flags.rare || !isRare);
});
let missed = 0;
console.log(`| ${'mutant'.padEnd(48)} | found by | after seeds |\n| ${'-'.repeat(48)} | -------- | ----------- |`);
for (const mutant of flags.draw === undefined ? wanted : drawn(wanted, flags.draw)) {
  const [invariant, seeds] = await hunt(mutant);
  if (interrupt.signal.aborted) break;
  if (!/^I\d$/.test(invariant)) missed++;
  console.log(`| ${mutant.name.padEnd(48)} | ${invariant.padEnd(8)} | ${seeds.padStart(11)} |`);
}
process.exitCode = interrupt.signal.aborted ? 130 : missed === 0 ? 0 : 1;
