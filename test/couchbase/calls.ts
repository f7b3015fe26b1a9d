/** What a test asks a node of Couchbase over REST, real or simulated: forms in, a status and a text out. */
import { request } from 'node:http';
import { basic } from './simulator/rest.ts';
import { waitFor } from '../support/wait.ts';

export interface Said {
  readonly status: number;
  readonly text: string;
  /** The parsed text; undefined where it is not JSON. */
  readonly json: unknown;
}

export interface Account {
  readonly username: string;
  readonly password: string;
}

export const administrator: Account = { username: 'Administrator', password: 'password' };

export type Params = Readonly<Record<string, string | number>>;

export interface CallOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly account?: Account | undefined;
}

/** One call. With params it is a POST unless another method is named. */
export function call(host: string, path: string, params?: Params, options: CallOptions = {}): Promise<Said> {
  const account = 'account' in options ? options.account : administrator;
  const method = options.method ?? (params === undefined ? 'GET' : 'POST');
  const words = Object.entries(params ?? {}).map(([key, value]): [string, string] => [key, String(value)]);
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    ...(account && { authorization: basic(account.username, account.password) }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port: 8091, path, method, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('error', reject);
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: incoming.statusCode ?? 0, text, json: parsed(text) });
      });
    });
    outgoing.setTimeout(60_000, () => outgoing.destroy(new Error(`${path}: no answer`)));
    outgoing.on('error', reject);
    outgoing.end(new URLSearchParams(words).toString());
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const otpOf = (host: string): string => `ns_1@${host}`;

/** What a test reads of GET /pools/default, and of its tasks and buckets. */
export interface Pool {
  readonly balanced: boolean;
  readonly nodes: readonly {
    readonly otpNode: string;
    readonly hostname: string;
    readonly clusterMembership: string;
    readonly status: string;
    readonly recoveryType: string;
    readonly thisNode?: boolean;
  }[];
}

export interface Task {
  readonly type: string;
  readonly status: string;
  readonly errorMessage?: string;
}

export interface BucketView {
  readonly nodes: readonly { readonly status: string }[];
  readonly vBucketServerMap: { readonly vBucketMap: readonly (readonly number[])[] };
}

/** The nodes as `host` sees them: membership and status by host. */
export async function topology(host: string, account = administrator): Promise<Record<string, string>> {
  const { nodes } = (await call(host, '/pools/default', undefined, { account })).json as Pool;
  return Object.fromEntries(
    nodes.map((node) => [node.hostname.replace(/:8091$/, ''), `${node.clusterMembership} ${node.status}`]),
  );
}

/** The last rebalance once it has ended: its error message, or nothing where it went well. */
export async function rebalanced(host: string): Promise<string | undefined> {
  const task = await waitFor(async () => {
    const tasks = (await call(host, '/pools/default/tasks')).json as Task[];
    const found = tasks.find(({ type }) => type === 'rebalance');
    return found?.status === 'notRunning' && found;
  }, 'the end of a rebalance');
  return task.errorMessage;
}

/** Begins a rebalance of exactly these nodes. */
export function rebalance(host: string, known: readonly string[], ejected: readonly string[] = []): Promise<Said> {
  const names = (hosts: readonly string[]): string => hosts.map(otpOf).join(',');
  return call(host, '/controller/rebalance', { knownNodes: names(known), ejectedNodes: names(ejected) });
}
