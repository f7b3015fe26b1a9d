/**
 * Runs the tests under c8: `test.mjs [all|unit|kubernetes|cluster] [mocha's own flags and files]`. Files that are named replace the
 * selection. Everything that is started here finds the clone's own Node first.
 */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const asked = process.argv.slice(2);
const suites = ['all', 'unit', 'kubernetes', 'cluster'];
const suite = suites.includes(asked[0]) ? asked.shift() : 'all';
const named = asked.filter((argument) => /^(\.\/)?test\/|\.test\.ts$/.test(argument) && existsSync(argument));
const flags = asked.filter((argument) => !named.includes(argument));

const rc = JSON.parse(readFileSync('.mocharc.json', 'utf8'));
const isSlow = (file) =>
  /^test\/(cluster|couchbase)\//.test(file) || /^test\/contract\/.*(elasticsearch|couchbase)/.test(file);
const needsKubernetes = (file) => file.startsWith('test/kubernetes/');
const everything = globSync(rc.spec).toSorted();
const selected = {
  all: everything,
  unit: everything.filter((file) => !isSlow(file) && !needsKubernetes(file)),
  kubernetes: everything.filter(needsKubernetes),
  cluster: everything.filter(isSlow),
}[suite];
const files = named.flatMap((name) =>
  statSync(name).isDirectory() ? globSync(join(name, '**/*.test.ts')).toSorted() : [name],
);

// What a test that failed has left open does not keep the run from ending.
const mochaArgs = ['--no-config', '--no-package', '--exit', '--reporter', join(root, '.ci', 'reporter.mjs')];
mochaArgs.push('--extension', rc.extension.join(','), '--timeout', String(rc.timeout));
if (process.env.CI) mochaArgs.push('--forbid-only');
mochaArgs.push(...flags, ...(files.length > 0 ? files : selected));

rmSync('coverage', { recursive: true, force: true });
mkdirSync('coverage/tmp', { recursive: true });
const bin = join(root, 'node_modules', '.bin');
const child = spawn(process.execPath, [join(bin, 'c8'), process.execPath, join(bin, 'mocha'), ...mochaArgs], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`test: ${error.message}`);
  process.exit(1);
});
child.on('close', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
