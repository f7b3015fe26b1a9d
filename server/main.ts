/** The `navigator` command's process: the only file that reads the environment and wires live adapters to the core. */
import { join } from 'node:path';
import { systemClock } from '../shared/clock.ts';
import { createLogger, type Logger } from '../shared/log.ts';
import { systemRandom } from '../shared/random.ts';
import { socketPath } from './cli/places.ts';
import { createProgram, type ServerOptions } from './cli/program.ts';
import { up } from './cli/up.ts';
import type { KubernetesFlags } from './cli/kubernetes-flags.ts';
import { startOnKubernetes } from './on-kubernetes.ts';
import { startEmbedded, type EmbeddedServer } from './embedded.ts';
import { cacheDirectory } from './runtime/local/places.ts';

const clock = systemClock();

function start(options: ServerOptions, log: Logger): Promise<EmbeddedServer> {
  const { stateDirectory, elasticsearchHome, couchbaseHome, logLevel } = options;
  return startEmbedded({
    stateDirectory,
    socket: socketPath(stateDirectory),
    cacheDirectory: cacheDirectory(process.env),
    env: process.env,
    logLevel,
    clock,
    log,
    ...(elasticsearchHome !== undefined && { elasticsearchHome }),
    ...(couchbaseHome !== undefined && { couchbaseHome }),
  });
}

/** `navigator server`: until SIGTERM or SIGINT. Databases and pilots run on without it. */
async function serve(options: ServerOptions): Promise<number> {
  if (options.onKubernetes !== undefined) return await serveOnKubernetes(options, options.onKubernetes);
  const server = await start(options, createLogger('server', options.logLevel));
  await new Promise<void>((ended) => {
    process.once('SIGTERM', () => ended());
    process.once('SIGINT', () => ended());
  });
  await server.close();
  return 0;
}

/** One of several: it ends, too, when it is not the active one any more, and whoever started it starts it again. */
async function serveOnKubernetes(options: ServerOptions, flags: KubernetesFlags): Promise<number> {
  const { stateDirectory, logLevel } = options;
  const log = createLogger('server', logLevel);
  const server = await startOnKubernetes({
    ...flags,
    ...{ stateDirectory, logLevel, clock, random: systemRandom, log },
  });
  const stop = (): void => void server.close();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const why = await server.ended;
  log.info({ err: typeof why === 'string' ? undefined : why }, typeof why === 'string' ? why : 'the server has failed');
  return typeof why === 'string' ? 0 : 1;
}

const program = createProgram({
  server: serve,
  up: (options) =>
    up(options, {
      clock,
      env: process.env,
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      start: () => start(options, createLogger('server', options.logLevel, join(options.stateDirectory, 'server.log'))),
      onSignal: (callback) => {
        process.on('SIGINT', () => callback('SIGINT'));
        process.on('SIGTERM', () => callback('SIGTERM'));
        process.on('SIGHUP', () => callback('SIGTERM'));
      },
    }),
});

process.exit(await program.run(process.argv.slice(2)));
