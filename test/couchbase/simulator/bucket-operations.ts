/** Buckets, settings, users and groups: what the orchestrator does with them. */
import { isData, type Bucket, type Config } from './config.ts';
import type { Node } from './node.ts';
import { empty, type Form, type Reply } from './operations.ts';
import { baseUri } from './setup.ts';
import { emptyMap, spread } from './vbuckets.ts';

const quotaNames = ['memoryQuota', 'indexMemoryQuota', 'ftsMemoryQuota', 'eventingMemoryQuota', 'cbasMemoryQuota'];

/** Buckets by name; `DELETE ` stands before the path of one that goes. */
export async function operateBuckets(node: Node, path: string, form: Form): Promise<Reply> {
  if (path === '/pools/default/buckets') return create(node, form);
  if (path === '/pools/default') return setQuotas(node, form);
  if (path === '/settings/web') {
    const { username = '', password = '' } = form;
    await node.change((config) => ({ ...config, username, password }));
    return baseUri(node);
  }
  if (path === '/settings/autoFailover') return setAutoFailover(node, form);
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const last = parts.at(-1) ?? '';
  if (path.startsWith('DELETE /pools/default/buckets/')) return remove(node, last);
  if (path.startsWith('/pools/default/buckets/')) return edit(node, last, form);
  if (path.startsWith('DELETE /settings/rbac/users/local/')) return forget(node, 'users', last);
  if (path.startsWith('DELETE /settings/rbac/groups/')) return forget(node, 'groups', last);
  if (path.startsWith('/settings/rbac/users/local/')) return keep(node, 'users', last, form);
  if (path.startsWith('/settings/rbac/groups/')) return keep(node, 'groups', last, form);
  return { status: 404, body: '"Object Not Found"' };
}

async function create(node: Node, form: Form): Promise<Reply> {
  const errors: Record<string, string> = {};
  const name = form.name ?? '';
  if (!/^[A-Za-z0-9_.%-]+$/.test(name)) errors['name'] = 'Bucket name needs to be specified';
  if (node.config!.buckets[name] !== undefined) errors['name'] = 'Bucket with given name already exists';
  const ramMb = Number(form.ramQuota ?? form.ramQuotaMB);
  if (!Number.isInteger(ramMb)) errors['ramQuota'] = 'The RAM Quota must be specified and must be a positive integer.';
  else if (ramMb < 100) errors['ramQuota'] = 'RAM quota cannot be less than 100 MiB';
  const replicas = Number(form.replicaNumber ?? 1);
  if (![0, 1, 2, 3].includes(replicas))
    errors['replicaNumber'] = 'The replica number must be specified and must be a non-negative integer.';
  if (Object.keys(errors).length > 0) return { status: 400, body: JSON.stringify({ errors, summaries: {} }) };
  await node.change((config) => {
    const bucket: Bucket = {
      name,
      uuid: `${config.uuid.slice(0, 16)}${config.rev.toString(16).padStart(16, '0')}`,
      ramMb,
      type: form.bucketType ?? 'couchbase',
      replicas,
      eviction: form.evictionPolicy ?? 'valueOnly',
      flush: form.flushEnabled === '1',
      map: spread(emptyMap(node.size.vBuckets), dataNodes(config), replicas, (otp) => config.nodes[otp]?.group ?? ''),
    };
    return { ...config, buckets: { ...config.buckets, [name]: bucket } };
  });
  return { status: 202, body: '' };
}

function dataNodes(config: Config): readonly string[] {
  const all = Object.values(config.nodes).filter((entry) => entry.membership === 'active' && isData(entry));
  return all.map(({ otp }) => otp).toSorted();
}

/** Another number of replicas is followed by the next rebalance. */
async function edit(node: Node, name: string, form: Form): Promise<Reply> {
  const before = node.config!.buckets[name];
  if (before === undefined) return { status: 404, body: '"Requested resource not found.\\r\\n"' };
  const replicas = Number(form.replicaNumber ?? before.replicas);
  const after: Bucket = {
    ...before,
    replicas,
    ramMb: Number(form.ramQuota ?? form.ramQuotaMB ?? before.ramMb),
    eviction: form.evictionPolicy ?? before.eviction,
    flush: form.flushEnabled === undefined ? before.flush : form.flushEnabled === '1',
    map: before.map.map((row) => Array.from({ length: replicas + 1 }, (_, place) => row[place] ?? '')),
  };
  await node.change((config) => {
    const nodes = Object.entries(config.nodes).map(([otp, entry]) => {
      return [otp, replicas === before.replicas ? entry : { ...entry, balanced: false }] as const;
    });
    return { ...config, buckets: { ...config.buckets, [name]: after }, nodes: Object.fromEntries(nodes) };
  });
  return empty;
}

async function remove(node: Node, name: string): Promise<Reply> {
  if (node.config!.buckets[name] === undefined) return { status: 404, body: '"Requested resource not found.\\r\\n"' };
  await node.change((config) => {
    const { [name]: _gone, ...buckets } = config.buckets;
    return { ...config, buckets };
  });
  return empty;
}

async function setQuotas(node: Node, form: Form): Promise<Reply> {
  await node.change((config) => {
    const written = Object.entries(form).filter(([key]) => quotaNames.includes(key));
    const quotas = { ...config.quotas, ...Object.fromEntries(written.map(([key, value]) => [key, Number(value)])) };
    return { ...config, quotas, name: form.clusterName ?? config.name };
  });
  return empty;
}

async function setAutoFailover(node: Node, form: Form): Promise<Reply> {
  await node.change((config) => {
    const { autoFailover } = config;
    const enabled = form.enabled === undefined ? autoFailover.enabled : form.enabled === 'true';
    const timeout = Number(form.timeout ?? autoFailover.timeout);
    const maxCount = Number(form.maxCount ?? autoFailover.maxCount);
    return { ...config, autoFailover: { ...autoFailover, enabled, timeout, maxCount } };
  });
  return empty;
}

async function forget(node: Node, what: 'users' | 'groups', id: string): Promise<Reply> {
  if (node.config![what][id] === undefined) return { status: 404, body: '""' };
  await node.change((config) => {
    const { [id]: _gone, ...rest } = config[what];
    return { ...config, [what]: rest };
  });
  return { status: 200, body: '""' };
}

async function keep(node: Node, what: 'users' | 'groups', id: string, form: Form): Promise<Reply> {
  await node.change((config) => ({ ...config, [what]: { ...config[what], [id]: { ...config[what][id], ...form } } }));
  return { status: 200, body: '""' };
}
