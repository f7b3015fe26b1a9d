/**
 * `navigator up`: a server, a cluster and a live table in one command, until Ctrl-C stops everything in order.
 * A second Ctrl-C leaves at once: what is not stopped yet runs on, and the next `up` finds it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { EmbeddedServer } from '../embedded.ts';
import { connectClient, type NavigatorClient } from './client.ts';
import { showLive } from './live.ts';
import type { Env } from './places.ts';
import { socketPath } from './places.ts';
import type { UpOptions } from './program.ts';
import type { Output } from './surroundings.ts';

export interface UpPorts {
  readonly clock: Clock;
  readonly env: Env;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: NodeJS.WritableStream;
  readonly start: () => Promise<EmbeddedServer>;
  readonly onSignal: (callback: (signal: 'SIGINT' | 'SIGTERM') => void) => void;
}

/** What `up` starts where nobody names a file and no cluster is there yet. */
const exampleFile = join(import.meta.dirname, '../../deploy/examples/elasticsearch.yaml');
const interrupted = 130;
/** One Ctrl-C under `npm start` comes twice: from the terminal, and passed on by npm. */
const sameSignalMs = 1_000;

/** Runs until it is interrupted and everything is stopped. Answers with the exit code. */
export async function up(options: UpOptions, ports: UpPorts): Promise<number> {
  const say = (line: string): void => void ports.stderr.write(`${line}\n`);
  // In a pipe Ctrl-C ends the reader, too: what cannot be said any more keeps nothing from being stopped in order.
  ports.stderr.on('error', () => undefined);
  const stop = new AbortController();
  let firstAtMs: number | undefined;
  ports.onSignal(() => {
    const now = ports.clock.monotonicMs();
    if (firstAtMs === undefined) {
      firstAtMs = now;
      return stop.abort();
    }
    if (now < firstAtMs + sameSignalMs) return;
    say('Left at once. What is not stopped yet runs on; `navigator up` finds it again.');
    process.exit(interrupted);
  });
  const server = await ports.start();
  const client = connectClient({ socket: socketPath(options.stateDirectory) }, ports.clock);
  try {
    await bringCluster(options, { client, server, stdin: ports.stdin, say });
    say(
      'In a second terminal: `npx navigator get members`, `npx navigator apply -f FILE`, `npx navigator why CLUSTER`. Ctrl-C stops everything.',
    );
    const { stdout, clock } = ports;
    const isTerminal = stdout.isTTY === true;
    await showLive(client, undefined, { stdout, isTerminal, clock, signal: stop.signal, output: options.output });
    await stopAll(server, say);
    return 0;
  } finally {
    client.close();
    await server.close();
  }
}

interface Bringing {
  readonly client: NavigatorClient;
  readonly server: EmbeddedServer;
  readonly stdin: NodeJS.ReadableStream;
  readonly say: (line: string) => void;
}

/** Applies the named file; without one goes on with the clusters that are there, or begins with the example. */
async function bringCluster({ file }: UpOptions, { client, server, stdin, say }: Bringing): Promise<void> {
  const present = server.loop.list();
  if (file === undefined && present.length > 0) {
    const notices = new Set(present.map((cluster) => server.notice(cluster.ledger.spec.application)));
    for (const notice of notices) if (notice !== undefined) say(notice);
    say(`Going on with ${present.map((cluster) => cluster.key).join(', ')}.`);
    return;
  }
  const manifest = file === '-' ? await readAll(stdin) : await readManifest(file ?? exampleFile);
  const notice = /^kind: *["']?CouchbaseCluster/m.test(manifest) ? server.notice('couchbase') : undefined;
  if (notice !== undefined) say(notice);
  say('Bringing what the cluster needs (the first time a database distribution is fetched, which can take minutes) …');
  const { cluster, outcome, warnings } = await client.apply(manifest);
  for (const warning of warnings) say(`warning: ${warning}`);
  say(`Cluster ${cluster.namespace}/${cluster.name} is ${outcome}.`);
}

async function stopAll(server: EmbeddedServer, say: (line: string) => void): Promise<void> {
  say('Stopping the databases in order; a second Ctrl-C leaves them running.');
  let before = -1;
  await server.stopEverything('navigator up', (running) => {
    if (running !== before) say(`  ${running} still running`);
    before = running;
  });
  say('Everything is stopped. The data is kept; `npm start` goes on with it.');
}

async function readManifest(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new NavigatorError(
      'not_found',
      `the manifest ${file} cannot be read: ${NavigatorError.from(cause).message}`,
      { cause },
    );
  });
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
