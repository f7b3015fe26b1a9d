/** `npm run golden [-- --write]`: tells every story, and compares it with what is written in test/golden, or writes it there. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { scriptOf } from './script.ts';
import { Simulation } from './simulation.ts';
import { Stage } from './stage.ts';
import { couchbaseStories } from './couchbase/stories.ts';
import { stories, type Story } from './stories.ts';
import type { Line } from './world.ts';

const folder = join(import.meta.dirname, '../golden');
const width = 118;

/** A golden text and the file that it stands in. */
export interface Golden {
  readonly name: string;
  readonly text: () => Promise<string>;
}

export const goldens: readonly Golden[] = [
  ...[...stories, ...couchbaseStories].map((story) => ({ name: story.name, text: () => tellStory(story) })),
  { name: 'seed-0', text: tellSeed },
];

export function goldenPath({ name }: Golden): string {
  return join(folder, `${name}.txt`);
}

async function tellStory({ title, lesson, scene, play }: Story): Promise<string> {
  const stage = new Stage(scene);
  await stage.open();
  await play(stage);
  const { violation } = stage.simulation.world;
  if (violation !== undefined) throw new Error(`${violation.invariant}: ${violation.message}`);
  const told = new Set<string>();
  const lines = stage.lines
    .filter(isTold)
    .filter((line) => isNews(line, told))
    .map((line) => write(line, stage.startedAtMs));
  return [title, '='.repeat(title.length), ...wrap(lesson, width), '', ...lines, ''].join('\n');
}

/** One whole storm: nobody reads all of it, and a change in it is a change of behaviour. */
async function tellSeed(): Promise<string> {
  const lines: string[] = [];
  const outcome = await new Simulation(scriptOf(0, 'elasticsearch'), (line) => lines.push(write(line, 0))).run();
  return [...lines, `seed 0 ends after ${outcome.events} events, digest ${outcome.digest}`, ''].join('\n');
}

/** The ledger's own lines stand beside the server's, which say the same in words. */
function isTold({ who, what }: Line): boolean {
  return who !== 'ledger' && !what.startsWith('tells ') && !who.startsWith('weather');
}

/** What holds a member is told once in a story. */
function isNews({ what }: Line, told: Set<string>): boolean {
  const hold = /^held \S+ \w+:/.exec(what)?.[0];
  if (hold === undefined) return true;
  if (told.has(hold)) return false;
  told.add(hold);
  return true;
}

function write({ atMs, who, what }: Line, startedAtMs: number): string {
  const seconds = ((atMs - startedAtMs) / 1_000).toFixed(1);
  return wrap(what, width - 26)
    .map((part, at) => (at === 0 ? `${seconds.padStart(8)} s  ${who.padEnd(14)} ${part}` : `${' '.repeat(28)}${part}`))
    .join('\n');
}

function wrap(text: string, most: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= most) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

async function main(): Promise<number> {
  const { write: writes } = new Command('npm run golden --')
    .description('Tells the stories of test/golden anew and shows which ones have changed.')
    .option('--write', 'write what is told now', false)
    .parse()
    .opts<{ readonly write: boolean }>();
  mkdirSync(folder, { recursive: true });
  let changed = 0;
  for (const golden of goldens) {
    const text = await golden.text();
    const before = readGolden(golden);
    if (before !== text) changed++;
    console.log(`${before === text ? 'same   ' : writes ? 'written' : 'CHANGED'}  ${golden.name}`);
    if (writes) writeFileSync(goldenPath(golden), text);
  }
  return writes || changed === 0 ? 0 : 1;
}

export function readGolden(golden: Golden): string {
  try {
    return readFileSync(goldenPath(golden), 'utf8');
  } catch {
    return '';
  }
}

if (import.meta.main) process.exitCode = await main();
