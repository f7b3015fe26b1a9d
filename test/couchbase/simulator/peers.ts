/** How simulated nodes speak with each other, and tests with them: JSON on a port that no client of Couchbase knows. */
import { lookup } from 'node:dns/promises';
import { createServer, request, type Server } from 'node:http';
import { get } from 'node:https';
import type { Peers } from './surroundings.ts';

export const peerPort = 21100;

export interface Wires {
  /** Hosts that nothing comes from and nothing goes to. */
  readonly cut: Set<string>;
}

export type Answer = (method: string, body: never, from: string) => unknown;

/** Listens for peers and tests. An answer that rejects is told as its message. */
export function listenToPeers(address: string, wires: Wires, answer: Answer): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const from = String(incoming.headers['x-from'] ?? '');
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      if (wires.cut.has(from)) return void incoming.socket.destroy();
      const text = Buffer.concat(chunks).toString();
      const say = (status: number, body: unknown): void => {
        outgoing.writeHead(status).end(JSON.stringify(body ?? null));
      };
      Promise.resolve()
        .then(() => answer((incoming.url ?? '/').slice(1), JSON.parse(text === '' ? '{}' : text) as never, from))
        .then(
          (body) => say(200, body),
          (thrown: unknown) => say(500, { message: thrown instanceof Error ? thrown.message : String(thrown) }),
        );
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(peerPort, address, () => resolve(server));
  });
}

export interface PeerCall {
  readonly from?: string;
  readonly limitMs?: number;
}

/** Asks another node, or, from a test, any node. */
export function askPeer<T>(host: string, method: string, body: unknown, call: PeerCall = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-from': call.from ?? '' };
    const options = { host, port: peerPort, path: `/${method}`, method: 'POST', headers, agent: false };
    const outgoing = request(options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('error', reject);
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString()) as T & { message?: string };
        if (incoming.statusCode === 200) resolve(answer);
        else reject(new Error(answer.message ?? 'refused'));
      });
    });
    outgoing.setTimeout(call.limitMs ?? 5_000, () => outgoing.destroy(new Error(`no answer from ${host}`)));
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}

/** The way of a node to the others. `from` is where it is asked from at that moment. */
export function realPeers(from: () => string): Peers {
  return {
    ask: (host, method, body, limitMs) => askPeer(host, method, body, { from: from(), limitMs }),
    resolves: (host) =>
      lookup(host, { family: 4 }).then(
        () => true,
        () => false,
      ),
    probe,
  };
}

function probe(host: string, port: number): Promise<'fine' | 'no TLS' | 'away'> {
  return new Promise((resolve) => {
    const options = { host, port, path: '/pools', agent: false, rejectUnauthorized: false, timeout: 3_000 };
    const outgoing = get(options, (incoming) => {
      incoming.resume();
      resolve('fine');
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('slow')));
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EPROTO' ? 'no TLS' : 'away'));
  });
}
