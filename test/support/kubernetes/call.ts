/** The Kubernetes API by hand, without a client between a test and the answer. */
import { request } from 'node:https';
import type { ApiServer } from './apiserver.ts';

export interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look at whatever came
  readonly body: any;
}

/** The last argument: the type of the body where it is not plain JSON, or more headers. */
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: string | Readonly<Record<string, string>>,
) => Promise<Answer>;

const answerWithinMs = 30_000;

/** Calls as a member of system:masters, or as whoever `user` is. */
export function caller(api: ApiServer, user: 'admin' | 'nobody' = 'admin'): Call {
  const config = api.config(user);
  const ca = Buffer.from(config.getCurrentCluster()?.caData ?? '', 'base64');
  const authorization = `Bearer ${config.getCurrentUser()?.token ?? ''}`;
  return (method, path, body, more = 'application/json') =>
    new Promise((resolve, reject) => {
      const given = typeof more === 'string' ? { 'content-type': more } : more;
      const headers = { authorization, 'content-type': 'application/json', ...given };
      const asked = request(
        api.url + path,
        { method, ca, headers, timeout: answerWithinMs, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: parsed(text) }));
          answer.on('error', reject);
        },
      );
      asked.on('timeout', () => asked.destroy(new Error(`no answer to ${method} ${path}`)));
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}
