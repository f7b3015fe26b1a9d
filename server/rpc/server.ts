/**
 * The server's door: gRPC on a Unix socket that only its owner can open, or over TLS.
 * An own listener feeds connections to grpc-js, because its backlog, its limits and the mode of the socket must be ours.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type Server as NetServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, type ConnectionInjector } from '@grpc/grpc-js';
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check';
import { NavigatorServiceService } from '../../proto/navigator/v1/navigator.ts';
import { PilotServiceService } from '../../proto/navigator/v1/pilot.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { navigatorHandlers, type NavigatorServicePorts } from './navigator-service.ts';
import { connectHandler, type PilotServicePorts } from './pilot-service.ts';
import { addReflection } from './reflection.ts';
import { createTlsListener, tlsBacklog as backlog, type TlsCredentials } from './tls.ts';

/** The longest path that Linux takes for a Unix socket. */
const socketPathMax = 107;
const protoDirectory = resolve(dirname(fileURLToPath(import.meta.url)), '../../proto');

/** Keepalive on both sides: with grpc-js's own a frozen peer took 21 s to be noticed. */
const serverOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_concurrent_streams': 100,
  'grpc.max_receive_message_length': 1_048_576,
} as const;

export interface RpcServer {
  /** Ends the listener and every connection. */
  close(): Promise<void>;
}

export interface TlsRpcServer extends RpcServer {
  /** The port that it listens on. */
  readonly port: number;
  /** From now on every new connection sees these; the others go on. Throws `invalid` where they do not fit together. */
  replaceCredentials(credentials: TlsCredentials): void;
}

type Ports = PilotServicePorts & NavigatorServicePorts;

/** Serves PilotService, NavigatorService, health and reflection on a socket of mode 0600. */
export async function serveOnSocket(path: string, ports: Ports): Promise<RpcServer> {
  const { server, injector } = createServices(ports);
  const listener = createServer((socket) => injector.injectConnection(socket));
  await listenOnSocket(listener, path);
  return {
    close: async () => {
      listener.close();
      server.forceShutdown();
      injector.destroy();
      rmSync(path, { force: true });
    },
  };
}

/** Serves the same over TLS 1.3. `port` 0: one that is free. */
export async function serveOnTls(
  place: { readonly host: string; readonly port: number },
  credentials: TlsCredentials,
  ports: Ports,
): Promise<TlsRpcServer> {
  const { server, injector } = createServices(ports);
  const tls = createTlsListener(credentials, ports, (socket) => injector.injectConnection(socket));
  await listen(tls.listener, { ...place, backlog });
  const address = tls.listener.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : place.port,
    replaceCredentials: (fresh) => tls.replaceCredentials(fresh),
    close: async () => {
      tls.close();
      server.forceShutdown();
      injector.destroy();
    },
  };
}

function createServices(ports: Ports): { readonly server: Server; readonly injector: ConnectionInjector } {
  const server = new Server(serverOptions);
  server.addService(PilotServiceService, { connect: connectHandler(ports) });
  server.addService(NavigatorServiceService, navigatorHandlers(ports));
  const serving = {
    '': 'SERVING',
    'navigator.v1.PilotService': 'SERVING',
    'navigator.v1.NavigatorService': 'SERVING',
  } as const;
  new HealthImplementation(serving).addToServer(server);
  const files = ['navigator/v1/pilot.proto', 'navigator/v1/navigator.proto', healthProto];
  addReflection(server, files, protoDirectory);
  // TLS, where there is any, is ended by the listener.
  return { server, injector: server.createConnectionInjector(ServerCredentials.createInsecure()) };
}

async function listenOnSocket(listener: NetServer, path: string): Promise<void> {
  if (Buffer.byteLength(path) > socketPathMax) {
    throw new NavigatorError('invalid', `the socket's path ${path} has more than ${socketPathMax} bytes`, {
      advice: ['choose a shorter --state-directory'],
    });
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await isServed(path)) throw new NavigatorError('already_exists', `another server answers on ${path}`);
  rmSync(path, { force: true });
  const mask = process.umask(0o177);
  try {
    await listen(listener, { path, backlog });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
}

function listen(listener: NetServer, options: ListenOptions): Promise<void> {
  return new Promise((done, fail) => {
    listener.once('error', (error) => fail(NavigatorError.from(error)));
    listener.listen(options, done);
  });
}

/** Whether somebody answers there: a socket that a killed server left behind does not. */
function isServed(path: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      done(true);
    });
    probe.once('error', () => done(false));
  });
}
