/**
 * Runs the tests and sums up what they cover: `test.mjs [all|unit|kubernetes|cluster] [mocha's own flags and files]`. Files that are named replace the
 * selection. Everything that is started here finds the clone's own Node first.
 */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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

const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
const countsFile = process.env.NAVIGATOR_TEST_COUNTS;

/**
 * Those that run databases wait most of their time, so all the others run beside them: two lanes, the second one of which is printed
 * once the first has ended.
 */
const lanes = (files.length > 0 ? [files] : [selected.filter((file) => !isSlow(file)), selected.filter(isSlow)])
  .filter((lane) => lane.length > 0)
  .map((lane, index) => ({ files: lane, counts: `${countsFile}.${index}` }));

function run(command, args, options = {}) {
  const child = spawn(process.execPath, [join(bin, command), ...args], { stdio: 'inherit', ...options });
  const ended = new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`test: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
  });
  return { child, ended };
}

function startLane({ files: specs, counts }, index) {
  // What a test that failed has left open does not keep the run from ending.
  const args = ['--no-config', '--no-package', '--exit', '--reporter', join(root, '.ci', 'reporter.mjs')];
  args.push('--extension', rc.extension.join(','), '--timeout', String(rc.timeout));
  if (process.env.CI) args.push('--forbid-only');
  args.push(...flags, ...specs);
  return run('mocha', args, {
    stdio: ['inherit', index === 0 ? 'inherit' : 'pipe', 'inherit'],
    env: {
      ...env,
      NODE_V8_COVERAGE: join(root, 'coverage', 'tmp'),
      ...(countsFile !== undefined && { NAVIGATOR_TEST_COUNTS: counts }),
      ...(process.stdout.isTTY === true && { FORCE_COLOR: '1' }),
    },
  });
}

rmSync('coverage', { recursive: true, force: true });
mkdirSync('coverage/tmp', { recursive: true });
for (const { counts } of lanes) rmSync(counts, { force: true });
const started = lanes.map(startLane);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    for (const { child } of started) child.kill(signal);
  });
let printing = 0;
const held = started.map(({ child }, index) => {
  const chunks = [];
  child.stdout?.on('data', (chunk) => (index === printing ? process.stdout.write(chunk) : chunks.push(chunk)));
  return chunks;
});
const codes = [];
for (const [index, { ended }] of started.entries()) {
  printing = index;
  for (const chunk of held[index].splice(0)) process.stdout.write(chunk);
  codes.push(await ended);
}

// Where one lane has not come to count, neither do the others: that is a failure, and is told as one.
if (countsFile !== undefined && lanes.every(({ counts }) => existsSync(counts))) {
  const all = lanes.map(({ counts }) => JSON.parse(readFileSync(counts, 'utf8')));
  const sum = (name) => all.reduce((total, each) => total + each[name], 0);
  const counts = { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
  writeFileSync(countsFile, JSON.stringify(counts) + '\n');
}
for (const { counts } of lanes) rmSync(counts, { force: true });
codes.push(await run('c8', ['report'], { env }).ended);
process.exitCode = codes.find((code) => code !== 0) ?? 0;
