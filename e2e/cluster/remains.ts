/**
 * Finds and removes everything that bears the name of a cluster: processes by its control groups, mounts below its
 * folders, the network namespace. It needs no record, so that whatever a crash left is found, too.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, systemClock } from '../../shared/clock.ts';
import { attempt } from './command.ts';
import { removeNetwork } from './network.ts';
import type { Places } from './places.ts';

const clock = systemClock();
const cgroups = '/sys/fs/cgroup';
const pauseMs = 100;
const goneWithinMs = 30_000;

/** The hierarchies of control groups of this machine: one each with v1. */
export function hierarchies(): readonly string[] {
  return readdirSync(cgroups)
    .map((name) => join(cgroups, name))
    .filter((path) => existsSync(join(path, 'cgroup.procs')));
}

/** Removes all of it. What is not there is no fault; what cannot be removed is named. */
export async function removeRemains(places: Places): Promise<void> {
  await killAll(places);
  await unmountAll(places);
  await removeNetwork(places);
  for (const hierarchy of hierarchies()) removeGroups(join(hierarchy, places.name));
  removeLinks('/var/log/containers', places.directory);
  rmSync(places.runtime, { recursive: true, force: true });
  rmSync(places.directory, { recursive: true, force: true });
}

/** By pid, until none is left: a container's process may be starting another one. */
async function killAll(places: Places): Promise<void> {
  const until = clock.monotonicMs() + goneWithinMs;
  for (let pids = pidsOf(places); pids.length > 0; pids = pidsOf(places)) {
    for (const pid of pids) kill(pid);
    if (clock.monotonicMs() > until) throw new Error(`processes of ${places.name} do not end: ${pids.join(', ')}`);
    await sleep(clock, pauseMs);
  }
}

/** Every process in a control group of the cluster, in whichever hierarchy. */
export function pidsOf(places: Places): readonly number[] {
  const found = new Set<number>();
  const groups = hierarchies().flatMap((hierarchy) => groupsBelow(join(hierarchy, places.name)));
  for (const pid of groups.flatMap(readPids)) if (pid !== process.pid) found.add(pid);
  return [...found];
}

function readPids(group: string): number[] {
  try {
    const text = readFileSync(join(group, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The group and all below it, the deepest first. */
function groupsBelow(group: string): string[] {
  if (!existsSync(group)) return [];
  try {
    const inner = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...inner.flatMap((entry) => groupsBelow(join(group, entry.name))), group];
  } catch {
    return [];
  }
}

function removeGroups(group: string): void {
  for (const each of groupsBelow(group)) {
    try {
      rmdirSync(each);
    } catch {
      // A process that has just died is still in it; the next run removes it.
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function unmountAll(places: Places): Promise<void> {
  for (let tries = 0; tries < 3; tries += 1) {
    const points = mountsBelow([places.directory, places.runtime]);
    if (points.length === 0) return;
    for (const point of points) await attempt('umount', ['--lazy', point]);
  }
}

/** The deepest first. */
function mountsBelow(folders: readonly string[]): readonly string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  return points.filter((point) => folders.some((folder) => point.startsWith(`${folder}/`))).toReversed();
}

/** The kubelet's links to logs that are gone. */
function removeLinks(folder: string, target: string): void {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      if (readlinkSync(path).startsWith(`${target}/`)) rmSync(path, { force: true });
    } catch {
      // Not a link.
    }
  }
}
