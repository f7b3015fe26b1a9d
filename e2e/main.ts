/**
 * `npm run e2e`: a real Kubernetes, real images, and everything that Navigator promises of them. With KUBECONFIG it runs on that
 * cluster, and touches nothing outside of the namespaces that it makes; otherwise it brings up one of its own and takes it
 * down again. It ends with the plain line `N passed, N failed`.
 *
 *   npm run e2e -- --only upgrade     the checks whose name says so, and what they build upon
 *   npm run e2e -- --keep             leaves the cluster until Ctrl-C, and says how to reach it
 *   npm run e2e -- --prepare          builds programs and images, and nothing else
 *   npm run e2e -- --able             says why this machine cannot have a cluster of its own, and fails, where it cannot
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../shared/clock.ts';
import { whyUnable } from './cluster/able.ts';
import { bringUp, type Cluster } from './cluster/cluster.ts';
import { placesOf } from './cluster/places.ts';
import { findPrograms, type Programs } from './cluster/programs.ts';
import type { Image } from './images/buildah.ts';
import { elasticsearchVersions, makeImages } from './images/images.ts';
import { shippedNames } from './images/names.ts';

const clock = systemClock();
const startedAtMs = clock.monotonicMs();
const { values } = parseArgs({
  options: {
    keep: { type: 'boolean' },
    only: { type: 'string' },
    prepare: { type: 'boolean' },
    able: { type: 'boolean' },
  },
});

function say(line: string): void {
  const seconds = Math.round((clock.monotonicMs() - startedAtMs) / 1000);
  console.log(`${String(seconds).padStart(5)} s  ${line}`);
}

/** Ends when `child` does, and hands signals on to it. */
function run(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  const end = (): void => void child.kill('SIGTERM');
  process.on('SIGINT', end).on('SIGTERM', end);
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', (code) => {
      process.off('SIGINT', end).off('SIGTERM', end);
      resolve(code ?? 1);
    });
  });
}

const checks = join(import.meta.dirname, 'checks/main.ts');
const chosen = values.only === undefined ? [] : ['--only', values.only];

async function onOurs(programs: Programs, images: readonly Image[]): Promise<number> {
  const places = placesOf(process.env['NAVIGATOR_E2E_NAME'] ?? 'navigator-e2e');
  let cluster: Cluster | undefined;
  try {
    cluster = await bringUp({ places, programs, images: images.map(({ archive }) => archive), say });
    const env = {
      KUBECONFIG: places.kubeconfig,
      NAVIGATOR_E2E_DIRECTORY: places.directory,
      NAVIGATOR_E2E_GRPCURL: programs.grpcurl,
    };
    const code = await run('nsenter', [`--net=${places.networkNamespace}`, process.execPath, checks, ...chosen], env);
    if (values.keep)
      await untilSignal(`KUBECONFIG=${places.kubeconfig} nsenter --net=${places.networkNamespace} kubectl …`);
    return code;
  } finally {
    await cluster?.down();
    say('the cluster is gone');
  }
}

function untilSignal(how: string): Promise<void> {
  say(`the cluster stays until Ctrl-C: ${how}`);
  return new Promise((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    const end = (): void => {
      clearInterval(alive);
      resolve();
    };
    process.once('SIGINT', end).once('SIGTERM', end);
  });
}

/** Nothing is built for it: its nodes have the images, or pull them. */
async function onTheirs(kubeconfig: string): Promise<number> {
  const { server, pilot, elasticsearch } = shippedNames();
  say(`on the cluster of ${kubeconfig}, which must have ${server} and ${pilot}, as README.md says`);
  say(`and have or pull ${elasticsearchVersions.map(elasticsearch).join(' and ')}`);
  return await run(process.execPath, [checks, ...chosen], {});
}

async function main(): Promise<number> {
  const kubeconfig = process.env['KUBECONFIG'];
  if (kubeconfig) return await onTheirs(kubeconfig);
  const why = await whyUnable();
  if (why !== undefined) throw new Error(`this machine cannot have a cluster of its own: ${why}`);
  if (values.able) return 0;
  const programs = await findPrograms(say);
  say('the programs are there');
  const images = await makeImages(programs, shippedNames(), say);
  if (values.prepare) return 0;
  return await onOurs(programs, images);
}

process.exit(
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    if (!values.able) console.log('0 passed, 1 failed');
    return 1;
  }),
);
