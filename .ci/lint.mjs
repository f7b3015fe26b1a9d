/** Everything that can be said of the code without running it, two at a time, each with its time. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`, NO_UPDATE_NOTIFIER: '1' };

function run(command, args, cwd = root) {
  return new Promise((resolve) => {
    const child = spawn(join(bin, command), args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}

function git(...args) {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** The commit that the wire contract must stay compatible with: main as others have it. */
function contractBase() {
  for (const ref of ['origin/main', 'main']) {
    const commit = git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`);
    if (commit && git('ls-tree', '-r', '--name-only', commit, '--', 'proto')?.includes('.proto'))
      return { ref, commit };
  }
  return undefined;
}

async function breaking() {
  const base = contractBase();
  if (base === undefined) return { ok: true, note: 'skipped: no commit of main with proto files here' };
  const before = mkdtempSync(join(tmpdir(), 'navigator-proto-'));
  try {
    const archive = join(before, 'proto.tar');
    execFileSync('git', ['archive', '-o', archive, base.commit, 'proto', 'buf.yaml']);
    const result = await run('buf', ['breaking', '--against', `${archive}#format=tar`]);
    return { ...result, note: `against ${base.ref}` };
  } finally {
    rmSync(before, { recursive: true, force: true });
  }
}

function read(base, path) {
  try {
    return readFileSync(join(base, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** The files of `pattern` that are not the same here and in `fresh`. */
function differing(pattern, fresh) {
  const paths = new Set([...globSync(pattern, { cwd: root }), ...globSync(pattern, { cwd: fresh })]);
  return [...paths].toSorted().filter((path) => read(root, path) !== read(fresh, path));
}

/** Writes the CustomResourceDefinitions into a folder of its own and compares with what is committed. */
async function crdDrift() {
  const fresh = mkdtempSync(join(tmpdir(), 'navigator-crds-'));
  try {
    const result = await run('node', [join('.ci', 'crds.mjs'), fresh]);
    if (!result.ok) return result;
    const paths = differing('deploy/{crds,helm/navigator/crds}/*', fresh);
    const output = paths.map((path) => `${path} is not what server/manifest/ says: npm run generate\n`).join('');
    return { ok: paths.length === 0, output };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Generates into a folder of its own and compares with what is committed. */
async function drift() {
  const fresh = mkdtempSync(join(tmpdir(), 'navigator-generate-'));
  try {
    for (const name of ['buf.yaml', 'buf.gen.yaml']) cpSync(join(root, name), join(fresh, name));
    cpSync(join(root, 'proto'), join(fresh, 'proto'), { recursive: true, filter: (path) => !path.endsWith('.ts') });
    symlinkSync(join(root, 'node_modules'), join(fresh, 'node_modules'));
    const result = await run('buf', ['generate'], fresh);
    if (!result.ok) return result;
    const paths = differing('proto/**/*.ts', fresh);
    const output = paths.map((path) => `${path} is not what its .proto generates: npm run generate\n`).join('');
    return { ok: paths.length === 0, output };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

const stages = [
  ['eslint', () => run('eslint', ['--max-warnings=0', '.'])],
  ['tsc', () => run('tsc', ['--noEmit'])],
  ['prettier', () => run('prettier', ['--check', '--log-level=warn', '.'])],
  ['knip', () => run('knip', ['--no-progress'])],
  ['buf lint', () => run('buf', ['lint'])],
  ['buf breaking', breaking],
  ['buf generate', drift],
  ['crds', crdDrift],
];

let failed = 0;
async function work(queue) {
  for (let stage = queue.shift(); stage !== undefined; stage = queue.shift()) {
    const [name, check] = stage;
    const startedAt = performance.now();
    const { ok, output = '', note = '' } = await check().catch((error) => ({ ok: false, output: String(error) }));
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (!ok) failed += 1;
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(13)} ${seconds.padStart(5)} s  ${note}`.trimEnd());
    if (!ok) console.log(output.trimEnd().replace(/^/gm, '     '));
  }
}

const queue = [...stages];
await Promise.all(Array.from({ length: Math.max(1, Math.min(2, availableParallelism())) }, () => work(queue)));
if (failed > 0) console.log(`lint: ${failed} of ${stages.length} checks failed`);
process.exit(failed > 0 ? 1 : 0);
