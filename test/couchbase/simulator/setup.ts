/** What a node does for itself, before and after it is part of a cluster: paths, name, services, the first init. */
import { defaultAutoFailover, defaultQuotas, entries, knownServices } from './config.ts';
import type { Node } from './node.ts';
import type { Form, Reply } from './operations.ts';
import { empty } from './operations.ts';
import type { Asked } from './rest.ts';

const pathKeys = ['path', 'index_path', 'eventing_path', 'cbas_path', 'java_home'];
const quotaKeys = Object.keys(defaultQuotas);
const initKeys = [
  ...['hostname', 'username', 'password', 'port', 'services', 'clusterName', 'dataPath', 'indexPath'],
  ...['eventingPath', 'analyticsPath', 'javaHome', 'sendStats', ...quotaKeys],
];

const bad = (body: unknown): Reply => ({ status: 400, body: typeof body === 'string' ? body : JSON.stringify(body) });

/** Undefined: it is nothing of that kind. */
export async function setUp(node: Node, { path, form }: Asked): Promise<Reply | undefined> {
  const { hostname } = form;
  const isNamed = path === '/node/controller/rename' || path === '/clusterInit';
  if (isNamed && hostname !== undefined && !isAddress(hostname) && !(await node.resolves(hostname)))
    return bad([`Unable to resolve IPv4 address for "${hostname}": nxdomain`]);
  switch (path) {
    case '/nodes/self/controller/settings': {
      if (Object.keys(form).some((key) => !pathKeys.includes(key))) return bad({ errors: {} });
      node.keep({ paths: { ...node.disk.identity.paths, ...form } });
      return empty;
    }
    case '/node/controller/rename':
      return rename(node, form.hostname ?? '');
    case '/node/controller/setupServices':
      return setServices(node, form.services ?? '');
    case '/pools/default':
      return node.config === undefined ? empty : undefined;
    case '/settings/web':
      return setWeb(node, form);
    case '/node/controller/loadTrustedCAs':
      return node.inbox.authority() ? empty : bad('{"errors":["no CA in the inbox"]}');
    case '/node/controller/reloadCertificate':
      return node.inbox.reload() ? empty : bad('"Unable to read certificate chain file"');
    case '/clusterInit':
      return init(node, form);
    case '/controller/hardResetNode':
      // It is answered first: its own connection goes, too.
      void node.pace.wait(500).then(() => node.reset());
      return empty;
    default:
      return undefined;
  }
}

function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host === 'localhost';
}

function rename(node: Node, host: string): Reply {
  const { config } = node;
  if (config === undefined) {
    node.keep({ host });
    return empty;
  }
  const all = entries(config);
  if (all.length === 1 && all[0]!.host === host) return empty;
  return bad(['Renaming is disallowed for nodes that are already part of a cluster']);
}

function setServices(node: Node, written: string): Reply {
  const services = written.split(',').filter((name) => name !== '');
  const unknown = services.filter((name) => !knownServices.includes(name));
  if (unknown.length > 0) return bad({ errors: { services: `Unknown services: ${JSON.stringify(unknown)}` } });
  if (node.config !== undefined) return bad('"cannot change node services after cluster is provisioned"');
  if (!services.includes('kv')) return bad('"cannot setup first cluster node without kv service"');
  node.keep({ services });
  return empty;
}

/** Gives the cluster its administrator; that is what makes a cluster of a node. Of a cluster, it is the orchestrator's. */
function setWeb(node: Node, form: Form): Reply | undefined {
  const { username = '', password = '' } = form;
  if (form.username === undefined || form.password === undefined || form.port === undefined) return bad({ errors: {} });
  if (password.length < 6) {
    return bad({ errors: { password: 'The password must be at least 6 characters long.' } });
  }
  if (node.config !== undefined) return undefined;
  const none = { buckets: {}, users: {}, groups: {}, rebalances: 0 };
  const settings = { quotas: defaultQuotas, autoFailover: defaultAutoFailover };
  node.found({ name: '', username, password, ...settings, ...none });
  return baseUri(node);
}

export function baseUri(node: Node): Reply {
  return { status: 200, body: JSON.stringify({ newBaseUri: `http://${node.disk.identity.host}:8091/` }) };
}

function init(node: Node, form: Form): Reply {
  if (node.config !== undefined) return bad('');
  const unknown = Object.keys(form).filter((key) => !initKeys.includes(key));
  if (unknown.length > 0) return bad({ errors: Object.fromEntries(unknown.map((key) => [key, 'Unsupported key'])) });
  const { hostname, services, clusterName = '' } = form;
  if (hostname !== undefined) {
    const renamed = rename(node, hostname);
    if (renamed.status !== 200) return renamed;
  }
  if (services !== undefined) {
    const set = setServices(node, services);
    if (set.status !== 200) return set;
  }
  const web = setWeb(node, { port: 'SAME', ...form });
  if (web?.status !== 200) return web ?? empty;
  const written = Object.entries(form).filter(([key]) => quotaKeys.includes(key));
  node.describe(clusterName, Object.fromEntries(written.map(([key, value]) => [key, Number(value)])));
  return web;
}
