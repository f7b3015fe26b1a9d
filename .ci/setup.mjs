/**
 * Makes a fresh clone ready to run: dependencies, the Node that ships with them, and `npx navigator`.
 * It needs nothing but Node 20 and npm, says nothing where there is nothing to do, and may run in two terminals at once.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.navigator-setup');
const nodeLink = join(modules, '.bin', 'node');
const commandLink = join(modules, '.bin', 'navigator');
const commandTarget = '../../server/navigator';
const lockDir = join(root, '.cache', 'setup.lock');

const nodeMajorToStart = 20;
const nodeMajorToRun = 24;
const triesMax = 3;
/** npm does not always end when it is asked to. */
const killAfterMs = 2_000;
const tryMsMax = 15 * 60_000;
const lockWaitMsMax = 45 * 60_000;
/** A lock without a pid is one whose owner died between two system calls. */
const lockWithoutPidMsMax = 5_000;

class SetupError extends Error {}

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function major(version) {
  return Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);
}

// ---------------------------------------------------------------- what is there

function lockHash() {
  const text = readText(join(root, 'package-lock.json'));
  if (text === undefined) throw new SetupError('package-lock.json is missing: this is not a whole clone.');
  return createHash('sha256').update(text).digest('hex');
}

function linkIs(link, target) {
  try {
    return fs.readlinkSync(link) === target;
  } catch {
    return false;
  }
}

function isReady(hash) {
  return readText(stampFile) === hash && fs.existsSync(nodeLink) && linkIs(commandLink, commandTarget);
}

/**
 * Whether node_modules holds what the lock file asks for. npm's own record, written last, tells of an install that was
 * cut off; the packages themselves are asked too, as npm also writes that record where it installs nothing.
 */
function isInstalled() {
  try {
    const wanted = JSON.parse(readText(join(root, 'package-lock.json')) ?? '').packages;
    const held = JSON.parse(readText(join(modules, '.package-lock.json')) ?? '').packages;
    const isHeld = (path) =>
      JSON.parse(readText(join(root, path, 'package.json')) ?? '').version === wanted[path].version;
    return (
      Object.keys(held).every((path) => wanted[path]?.integrity === held[path].integrity && isHeld(path)) &&
      Object.keys(wanted).every((path) => path === '' || wanted[path].optional || path in held)
    );
  } catch {
    return false;
  }
}

// ---------------------------------------------------------------- one at a time

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Whether the owner of the lock in `directory` is gone. */
function isAbandoned(directory) {
  const pid = Number(readText(join(directory, 'pid')) ?? 0);
  if (pid > 0) return !isAlive(pid);
  try {
    return Date.now() - fs.statSync(directory).mtimeMs > lockWithoutPidMsMax;
  } catch {
    return false;
  }
}

/** Takes an abandoned lock away. Renamed first, so that of two who see it one does it, and a fresh one is put back. */
function breakLock() {
  const aside = `${lockDir}.${process.pid}`;
  try {
    fs.renameSync(lockDir, aside);
  } catch {
    return;
  }
  if (isAbandoned(aside)) fs.rmSync(aside, { recursive: true, force: true });
  else fs.renameSync(aside, lockDir);
}

async function takeLock() {
  fs.mkdirSync(dirname(lockDir), { recursive: true });
  const since = Date.now();
  for (let told = false; ;) {
    try {
      fs.mkdirSync(lockDir);
      fs.writeFileSync(join(lockDir, 'pid'), String(process.pid));
      process.on('exit', () => fs.rmSync(lockDir, { recursive: true, force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(lockDir)) {
      breakLock();
      continue;
    }
    const owner = readText(join(lockDir, 'pid')) ?? '?';
    if (!told) say(`process ${owner} is setting this clone up already, waiting for it …`);
    told = true;
    if (Date.now() - since > lockWaitMsMax) {
      throw new SetupError(`process ${owner} holds ${lockDir} for too long. If it is not a setup, remove that folder.`);
    }
    await sleep(200);
  }
}

// ---------------------------------------------------------------- npm

/** The environment without this clone's own commands: npm must not run on a Node that it is about to replace. */
function outsideEnv() {
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.startsWith(modules));
  return { ...process.env, PATH: path.join(delimiter) };
}

function checkNpm() {
  const found = spawnSync('npm', ['--version'], { env: outsideEnv(), cwd: root, encoding: 'utf8' });
  if (found.status === 0) return;
  throw new SetupError(
    'npm is needed and not found (or does not run). It comes with Node: nodejs.org/en/download, or\n' +
      '  Debian, Ubuntu: apt install npm      Fedora: dnf install nodejs-npm      macOS: brew install node',
  );
}

function npmCi() {
  return new Promise((resolve) => {
    const args = [
      'ci',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--loglevel=warn',
      '--include=dev',
      '--include=optional',
    ];
    const child = spawn('npm', args, { cwd: root, env: outsideEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let late = false;
    let stopped = false;
    const keep = (chunk) => (output = (output + chunk).slice(-64_000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const startedAt = Date.now();
    const beat = setInterval(
      () => say(`still installing (${Math.round((Date.now() - startedAt) / 1000)} s) …`),
      15_000,
    );
    const limit = setTimeout(() => {
      late = true;
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
    }, tryMsMax);
    const stop = () => {
      stopped = true;
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    const finish = (code, signal) => {
      clearInterval(beat);
      clearTimeout(limit);
      process.off('SIGINT', stop).off('SIGTERM', stop);
      const why = late ? `no end after ${tryMsMax / 60_000} minutes` : reasonOf(output, code, signal);
      resolve({ ok: code === 0, stopped, why, final: isFinal(output) });
    };
    child.on('error', (error) => finish(null, error.message));
    child.on('close', finish);
  });
}

/** What npm said of its failure: its first lines, without the stack and without the path of its log. */
function reasonOf(output, code, signal) {
  const lines = output
    .split('\n')
    .filter((line) => /^npm (error|ERR!)/.test(line))
    .map((line) => line.replace(/^npm (error|ERR!)\s?/, ''))
    .filter((line) => !/^\s*$|^\s+at |complete log|debug-\d|^(syscall|errno) |^\s+\w+: |^\s*\}/.test(line));
  return lines.length > 0
    ? lines.slice(0, 8).join('\n  ').replace(/^/, '  ')
    : `  npm ended with ${signal ?? `code ${code}`}`;
}

/** Whether trying again cannot help. */
function isFinal(output) {
  return /code (EUSAGE|EACCES|EPERM|EROFS|ENOSPC|EBADENGINE|EJSONPARSE|E40[13])\b/.test(output);
}

async function install() {
  checkNpm();
  const startedAt = Date.now();
  say('installing the dependencies of this clone (npm ci), once …');
  for (let attempt = 1; ; attempt += 1) {
    const result = await npmCi();
    if (result.ok) break;
    if (result.stopped) throw new SetupError('npm ci was stopped. Run the same command again to go on.');
    if (result.final || attempt === triesMax) {
      throw new SetupError(`npm ci failed (try ${attempt} of ${triesMax}):\n${result.why}`);
    }
    say(`npm ci failed (try ${attempt} of ${triesMax}):\n${result.why}\nsetup: trying again …`);
    await sleep(2_000 * attempt);
  }
  if (!isInstalled())
    throw new SetupError('npm ci ended well, and yet node_modules is not what package-lock.json asks for.');
  say(`dependencies installed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

// ---------------------------------------------------------------- links

function replaceLink(link, target) {
  const fresh = `${link}.${process.pid}`;
  fs.rmSync(fresh, { force: true });
  fs.symlinkSync(target, fresh);
  fs.renameSync(fresh, link);
}

function versionOf(node) {
  const asked = spawnSync(node, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}

/** Node 24 as an npm package; where there is none for this machine, the machine's own where it is new enough. */
function linkNode() {
  if (major(versionOf(nodeLink) ?? '') >= nodeMajorToRun) return;
  const here = `${process.platform}-${process.arch}`;
  const packaged = `../node-${here}/bin/node`;
  for (const target of [packaged, process.execPath]) {
    const file = target === packaged ? join(modules, '.bin', packaged) : target;
    if (file.startsWith(nodeLink) || major(versionOf(file) ?? '') < nodeMajorToRun) continue;
    return replaceLink(nodeLink, target);
  }
  throw new SetupError(
    `Navigator runs on Node ${nodeMajorToRun}. The npm package node-${here} that brings it is not there, or does not run here,\n` +
      `  and this machine's own Node is ${process.version}.\n` +
      `  Was npm told to omit optional dependencies? Try: npm ci --include=optional\n` +
      `  On a machine without such a package (neither linux-x64 nor linux-arm64, or no glibc): install Node ${nodeMajorToRun}.`,
  );
}

async function main() {
  if (major(process.version) < nodeMajorToStart) {
    throw new SetupError(
      `Node ${nodeMajorToStart} or newer is needed to set this clone up, and this is ${process.version}.\n` +
        '  See nodejs.org/en/download, or: nvm install 24 · fnm install 24 · brew install node',
    );
  }
  if (isReady(lockHash())) return;
  await takeLock();
  const hash = lockHash();
  if (isReady(hash)) return;
  if (readText(stampFile) !== hash && !isInstalled()) await install();
  linkNode();
  if (!linkIs(commandLink, commandTarget)) replaceLink(commandLink, commandTarget);
  fs.writeFileSync(stampFile, hash);
}

main().then(
  () => process.exit(0),
  (error) => {
    say(error instanceof SetupError ? error.message : `an error that should not be: ${error?.stack ?? error}`);
    process.exit(1);
  },
);
