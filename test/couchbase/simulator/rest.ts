/** The REST interface of one simulated node: routes, credentials, and faults of the answers. */
import type { IncomingMessage } from 'node:http';
import { remembered } from '../../../shared/remembered.ts';
import { entries, type Config } from './config.ts';
import type { Node } from './node.ts';
import { operate, withoutQuorum, type Form, type Reply } from './operations.ts';
import { setUp } from './setup.ts';
import { accounts, bucketView, poolDefault, pools, serverGroups, tasks } from './views.ts';

const bodyBytesMax = 2 ** 20;
const json = (body: unknown): Reply => ({ status: 200, body: JSON.stringify(body) });
const notFound: Reply = { status: 404, body: '"Object Not Found"' };
const unknownPool: Reply = { status: 404, body: '"unknown pool"' };

export async function readForm(incoming: IncomingMessage): Promise<Form> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Error('too much');
    chunks.push(chunk);
  }
  return formOf(Buffer.concat(chunks).toString(), incoming.headers['content-type'] === 'application/json');
}

/** What a body says. */
export function formOf(text: string, isJson: boolean): Form {
  if (isJson) return { json: text };
  const words = new URLSearchParams(text);
  // A parameter that is given more than once is a list.
  return Object.fromEntries([...new Set(words.keys())].map((key) => [key, words.getAll(key).join(',')]));
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly form: Form;
  /** Of HTTP's basic kind. */
  readonly authorization: string;
}

/** The answer to one request. */
export async function answer(node: Node, asked: Asked): Promise<Reply> {
  const { config } = node;
  const isAdmin = config === undefined || asked.authorization === basic(config.username, config.password);
  if (asked.path === '/whoami' && config !== undefined) return whoami(config, asked.authorization);
  if (!isAdmin) return { status: 401, body: '' };
  if (asked.method === 'GET') return show(node, asked.path);
  const local = await setUp(node, asked);
  if (local !== undefined) return local;
  if (config === undefined) return unknownPool;
  const verb = asked.method === 'DELETE' || asked.form.json !== undefined ? `${asked.method} ` : '';
  return lead(node, `${verb}${asked.path}`, asked.form);
}

/** Anybody who is known is told who they are. */
function whoami(config: Config, authorization: string): Reply {
  const users: Config['users'] = { ...config.users, [config.username]: { password: config.password } };
  const known = Object.entries(users).find(([id, user]) => authorization === basic(id, user['password'] ?? ''));
  return known === undefined ? { status: 401, body: '' } : json({ id: known[0], domain: 'local' });
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function show(node: Node, path: string): Reply {
  const { config } = node;
  if (path === '/pools') return json(pools(node));
  if (config === undefined) return path.startsWith('/pools/default') ? unknownPool : notFound;
  switch (path) {
    case '/pools/default':
      return json(poolDefault(node, config));
    case '/pools/default/tasks':
      return tasksReply(config);
    case '/pools/default/buckets':
      return bucketsReply(node, config);
    case '/settings/autoFailover':
      return json(config.autoFailover);
    case '/pools/default/serverGroups':
      return json(serverGroups(config));
    case '/settings/rbac/users':
      return json(accounts(config.users, 'local'));
    case '/settings/rbac/groups':
      return json(accounts(config.groups));
    default: {
      const bucket = config.buckets[decodeURIComponent(path.slice('/pools/default/buckets/'.length))];
      const named = path.startsWith('/pools/default/buckets/') && bucket !== undefined;
      return named ? json(bucketView(node, config, bucket)) : notFound;
    }
  }
}

const tasksReply = remembered((config: Config) => json(tasks(config)));

/** Made anew only where something has changed: it is asked for again and again. */
const bucketsReplies = remembered((_config: Config) => new Map<string, Reply>());

function bucketsReply(node: Node, config: Config): Reply {
  const replies = bucketsReplies(config);
  const statuses = entries(config).map(({ otp }) => node.statusOf(otp));
  const key = [...statuses, ...Object.values(config.buckets).map(({ uuid }) => node.itemsOf(uuid))].join();
  const known =
    replies.get(key) ?? json(Object.values(config.buckets).map((bucket) => bucketView(node, config, bucket)));
  replies.clear();
  replies.set(key, known);
  return known;
}

/** Passes on to the orchestrator what it alone may do. */
export async function lead(node: Node, path: string, form: Form): Promise<Reply> {
  const orchestrator = node.orchestrator();
  if (orchestrator === undefined) return withoutQuorum(node, path, form);
  if (orchestrator.otp === node.otp) return operate(node, path, form);
  const limitMs = Math.max(5_000, 60_000 / node.pace.scale);
  try {
    return await node.ask<Reply>(orchestrator.host, 'lead', { path, form }, limitMs);
  } catch {
    return { status: 503, body: 'Service is temporarily unavailable' };
  }
}
