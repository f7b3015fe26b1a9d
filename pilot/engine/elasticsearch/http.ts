/** JSON over HTTP with one Elasticsearch node. Every call has a bound in time and in bytes. */
import { request } from 'node:http';
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { codeOf, exchange } from '../exchange.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path and query. */
  readonly path: string;
  readonly body?: unknown;
  readonly limitMs: number;
}

export interface Http {
  /** The parsed answer of a 2xx. Anything else rejects: `unavailable` and `timeout` mean that nobody answered well. */
  call(call: Call): Promise<unknown>;
}

/** A client of the node at `address`. */
export function createHttp(clock: Clock, address: string, port: number): Http {
  return {
    async call({ method, path, body, limitMs }) {
      const what = `${method} ${path}`;
      const json = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const headers = json ? { 'content-type': 'application/json', 'content-length': json.length } : {};
      const open = () => request({ host: address, port, method, path, headers, agent: false });
      const { status, text } = await exchange(clock, { open, body: json, limitMs, what });
      const answer = parse(text);
      if (status < 200 || status >= 300)
        throw new NavigatorError(codeOf(status), `${what}: ${status} ${reasonOf(answer, text)}`);
      if (answer === undefined) throw new NavigatorError('unavailable', `${what}: the answer is not JSON`);
      return answer;
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function reasonOf(answer: unknown, text: string): string {
  const error = (answer as { error?: unknown } | undefined)?.error;
  if (typeof error === 'string') return error;
  const reason = (error as { reason?: unknown } | undefined)?.reason;
  return typeof reason === 'string' ? reason : text.slice(0, 200);
}
