/** What the kubelet, and people on the machine, ask a pilot over HTTP. Everything about it is bounded. */
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NavigatorError } from '../../shared/errors.ts';

const CONNECTIONS_MAX = 32;
const HEADER_BYTES_MAX = 4_096;
const HEADER_TIMEOUT_MS = 2_000;
const SOCKET_IDLE_MS = 5_000;
const CHECK_INTERVAL_MS = 500;

/** Where the probes listen. Port 0 takes a free one. */
export type ProbeAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

export interface ProbeAnswers {
  /** Asked at each request; it must not wait for anything. */
  ready(): Readiness;
  /** Anything that JSON can say; a bigint is said as a string. */
  status(): unknown;
}

export interface Probes {
  /** Where it really listens. */
  readonly address: ProbeAddress;
  close(): Promise<void>;
}

/**
 * Answers /livez, /readyz and /status, and 404 to all else, until it is closed; rejects where the address is taken.
 * /livez says only that the pilot's loop turns. It must not depend on the database or the server: a kubelet that
 * restarted the container because one of them is away would stop a healthy database.
 */
export async function startProbes(at: ProbeAddress, answers: ProbeAnswers): Promise<Probes> {
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADER_TIMEOUT_MS,
      requestTimeout: HEADER_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    (request, response) => respond(request, response, answers),
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(SOCKET_IDLE_MS);
  if ('path' in at) removeStaleSocket(at.path);
  await listenAt(server, at);
  return {
    address: 'path' in at ? at : { host: at.host, port: (server.address() as AddressInfo).port },
    close(): Promise<void> {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function respond(request: IncomingMessage, response: ServerResponse, answers: ProbeAnswers): void {
  const path = request.method === 'GET' ? request.url?.split('?')[0] : undefined;
  if (path === '/livez') return send(response, 200, { live: true });
  if (path !== '/readyz' && path !== '/status') return send(response, 404, { error: 'not found' });
  try {
    if (path === '/status') return send(response, 200, answers.status());
    const readiness = answers.ready();
    send(response, readiness.ready ? 200 : 503, readiness);
  } catch {
    // What went wrong is not for whoever can reach this port; that it did is, and it is never "ready".
    const failed = path === '/status' ? { error: 'internal' } : { ready: false, reason: 'internal' };
    send(response, path === '/status' ? 500 : 503, failed);
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  const text = JSON.stringify(body ?? null, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
  // One request a connection: a kept connection would hold one of few places.
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${text}\n`);
}

/** A pilot that was killed leaves its socket behind, and nobody could listen there again. */
function removeStaleSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
}

function listenAt(server: Server, at: ProbeAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const where = 'path' in at ? at.path : `${at.host}:${at.port}`;
    server.once('error', (cause) => {
      reject(new NavigatorError('unavailable', `cannot answer probes at ${where}: ${cause.message}`, { cause }));
    });
    server.listen(at, resolve);
  });
}
