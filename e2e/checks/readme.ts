/** The quick start of the README, as it stands there: each block of commands that has a name is a step. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const heading = '## On Kubernetes';

/** The commands of each step, by the name in the comment above it: `<!-- step: install -->`. */
export function readSteps(text = readFileSync(join(root, 'README.md'), 'utf8')): ReadonlyMap<string, string> {
  const start = text.indexOf(`\n${heading}`);
  if (start < 0) throw new Error(`README.md has no part "${heading}"`);
  const end = text.indexOf('\n## ', start + heading.length);
  const part = text.slice(start, end < 0 ? undefined : end);
  const steps = new Map<string, string>();
  for (const [, name = '', commands = ''] of part.matchAll(/<!-- step: ([\w-]+) -->\s*```sh\n([\s\S]*?)```/g)) {
    if (steps.has(name)) throw new Error(`README.md has two steps "${name}"`);
    steps.set(name, commands);
  }
  return steps;
}

/** Runs a step from the root of the clone, showing what it does; rejects where a command fails. */
export function runStep(steps: ReadonlyMap<string, string>, name: string): Promise<string> {
  const commands = steps.get(name);
  if (commands === undefined) return Promise.reject(new Error(`README.md has no step "${name}"`));
  for (const line of commands.trim().split('\n')) console.log(`         $ ${line}`);
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-e', '-c', commands], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`step "${name}" of the README ends with ${code}:\n${output.slice(-2_000)}`));
    });
  });
}
