/** One request to a database and its whole answer, bounded in time and in bytes. It keeps no connection: the database may restart at any moment. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError, type ErrorCode } from '../../shared/errors.ts';

const responseBytesMax = 32 * 1024 * 1024;

export interface Exchange {
  /** Opens the request, with an agent of its own. */
  readonly open: () => ClientRequest;
  readonly body: Buffer | undefined;
  readonly limitMs: number;
  /** Stands for it in errors. */
  readonly what: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The answer, whatever its status. Rejects with `timeout`, with `exhausted` where it is too large, or as the connection failed. */
export function exchange(clock: Clock, { open, body, limitMs, what }: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = open();
    const timer = clock.after(limitMs, () => {
      outgoing.destroy(new NavigatorError('timeout', `${what}: no answer in ${limitMs} ms`));
    });
    const fail = (error: unknown): void => {
      timer.cancel();
      // An answer that is cut by our own limit must end its request too, or the socket would stay.
      outgoing.destroy();
      reject(NavigatorError.from(error));
    };
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      collect(incoming, what).then((text) => {
        timer.cancel();
        resolve({ status: incoming.statusCode ?? 0, text });
      }, fail);
    });
    outgoing.end(body);
  });
}

/** What a status that is no success means. */
export function codeOf(status: number): ErrorCode {
  if (status === 404) return 'not_found';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 409) return 'conflict';
  if (status === 429) return 'exhausted';
  return status >= 500 ? 'unavailable' : 'refused';
}

async function collect(incoming: IncomingMessage, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > responseBytesMax) {
      throw new NavigatorError('exhausted', `${what}: the answer is larger than ${responseBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
