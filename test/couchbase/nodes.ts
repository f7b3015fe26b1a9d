/** Simulated nodes as processes of a test: each with an address and a directory of its own, ended by pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../support/wait.ts';
import { call } from './calls.ts';
import { askPeer } from './simulator/peers.ts';

export const command = join(import.meta.dirname, 'simulator/bin/couchbase-server');

export class SimulatedNodes {
  readonly hosts: readonly string[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'navigator-couchbase-'));
  readonly #scale: number;
  readonly #running = new Map<string, ChildProcess>();

  /** `net` is the loopback net of the addresses, for one 127.88.1. */
  constructor(net: string, count: number, scale: number) {
    this.hosts = Array.from({ length: count }, (_, at) => `${net}.${at + 1}`);
    this.#scale = scale;
  }

  async start(host: string): Promise<void> {
    const directory = join(this.#directory, host);
    mkdirSync(directory, { recursive: true });
    const env = {
      ...process.env,
      NAVIGATOR_ADDRESS: host,
      NAVIGATOR_DIRECTORY: directory,
      COUCHBASE_SIMULATOR_SCALE: String(this.#scale),
    };
    const child = spawn(command, ['--', '-noinput'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    this.#running.set(host, child);
    await waitFor(
      async () => (await call(host, '/pools', undefined, { account: undefined })).status > 0,
      `${host} to answer`,
    );
  }

  async stop(host: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#running.get(host);
    this.#running.delete(host);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** The directory of a node's process. */
  directoryOf(host: string): string {
    return join(this.#directory, host);
  }

  /** The file with the authority of a node's certificate. */
  authorityOf(host: string): string {
    return join(this.#directory, host, 'couchbase-simulator/ca.pem');
  }

  fault(host: string, body: Record<string, unknown>): Promise<unknown> {
    return askPeer(host, 'fault', body);
  }

  async end(): Promise<void> {
    await Promise.all(this.hosts.map((host) => this.stop(host)));
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Writes keys through any node until all of them are acknowledged. */
export async function putItems(host: string, bucket: string, all: readonly string[]): Promise<void> {
  let left = all;
  await waitFor(async () => {
    const answer = await askPeer<{ refused: string[] }>(host, 'put-items', { bucket, keys: left }, { limitMs: 60_000 });
    left = answer.refused;
    return left.length === 0;
  }, `${all.length} writes to be acknowledged`);
}

/** How many keys there are, and how many vBuckets are active nowhere. */
export function countItems(host: string, bucket: string): Promise<{ readonly items: number; readonly lost: number }> {
  return askPeer(host, 'count-items', { bucket }, { limitMs: 60_000 });
}

/** How many rebalances were begun since the cluster was made. */
export async function countRebalances(host: string): Promise<number> {
  return (await askPeer<{ begun: number }>(host, 'count-rebalances', {})).begun;
}

export function keys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `key-${at}`);
}
