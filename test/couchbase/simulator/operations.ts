/** Whatever only the orchestrator may do, by the path of its REST endpoint. Each takes a form and gives an answer. */
import {
  activeNodes,
  changeNodes,
  entries,
  groupsOf,
  isData,
  judgeRebalance,
  knownServices,
  withoutNodes,
  type NodeEntry,
} from './config.ts';
import { operateBuckets } from './bucket-operations.ts';
import { admit, type Node } from './node.ts';
import { beginGracefulFailover, beginRebalance, failedOver } from './rebalance.ts';
import { compatibilityOf, compatibilityOfVersion } from './views.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export type Form = Readonly<Record<string, string>>;

export const empty: Reply = { status: 200, body: '' };
export const noQuorumMs = 15_000;

const list = (...lines: readonly string[]): Reply => ({ status: 400, body: JSON.stringify(lines) });
const bad = (body: string): Reply => ({ status: 400, body });

/** Does it on this node, which is the orchestrator. */
export async function operate(node: Node, path: string, form: Form): Promise<Reply> {
  switch (path) {
    case '/controller/addNode':
      return addNode(node, form);
    case '/controller/rebalance':
      return rebalance(node, form);
    case '/controller/ejectNode':
      return ejectNode(node, form);
    case '/controller/failOver':
      return failOver(node, form);
    case '/controller/startGracefulFailover':
      return gracefulFailover(node, form);
    case '/controller/setRecoveryType':
      return setRecoveryType(node, form);
    case '/controller/reAddNode':
      return setRecoveryType(node, { ...form, recoveryType: 'full' });
    case '/controller/stopRebalance':
      node.stopAsked = node.config?.running !== undefined;
      return empty;
    case '/pools/default/serverGroups':
      return makeGroup(node, form.name ?? '');
    case 'PUT /pools/default/serverGroups':
      return regroup(node, form.json ?? '{}');
    default: {
      const group = /^\/pools\/default\/serverGroups\/(\w+)\/addNode$/.exec(path)?.[1];
      return group === undefined ? operateBuckets(node, path, form) : addNode(node, form, group);
    }
  }
}

async function makeGroup(node: Node, name: string): Promise<Reply> {
  if (name === '' || Object.values(groupsOf(node.config!)).includes(name)) return bad('{"name":"already exists"}');
  await node.change((config) => {
    const uuid = config.rev.toString(16).padStart(8, '0');
    return { ...config, serverGroups: { ...config.serverGroups, [uuid]: name } };
  });
  return empty;
}

async function regroup(node: Node, text: string): Promise<Reply> {
  const { groups } = JSON.parse(text) as { groups: { uri: string; nodes: { otpNode: string }[] }[] };
  await node.change((config) =>
    groups.reduce((next, { uri, nodes }) => {
      const group = uri.split('/').at(-1) ?? '';
      return changeNodes(
        next,
        nodes.map(({ otpNode }) => otpNode),
        () => ({ group }),
      );
    }, config),
  );
  return empty;
}

async function addNode(node: Node, form: Form, group?: string): Promise<Reply> {
  const config = node.config!;
  if (group !== undefined && groupsOf(config)[group] === undefined) return { status: 404, body: '' };
  if (config.running !== undefined) return list('Node addition is disallowed while rebalance is in progress');
  const services = servicesIn(form.services);
  if (typeof services === 'string') return bad(services);
  const written = form.hostname ?? '';
  if (written.startsWith('http://')) return list('http is prohibited due to security reasons, please use https');
  const target = new URL(written.startsWith('https://') ? written : `https://${written}`);
  const port = Number(target.port || 18091);
  const host = target.hostname;
  if (entries(config).some((entry) => entry.host === host)) {
    const words =
      node.disk.identity.host === host ? 'Joining node to itself is not allowed.' : 'Node is already part of cluster.';
    return list(`Prepare join failed. ${words}`);
  }
  const reached = node.wires.cut.has(host) ? 'away' : await node.probe(host, port);
  if (reached === 'no TLS') return list(`Prepare join failed. Failed to establish TLS connection to ${host}:${port}`);
  if (reached === 'away') return list(`Failed to connect to https://${host}:${port}`);
  await node.pace.wait(node.pace.between(4_000, 7_000));
  const refusal = await prepareJoin(node, host, form);
  if ('words' in refusal) return list(`Prepare join failed. ${refusal.words}`);
  const { uuid, version } = refusal;
  const [works, supports] = [compatibilityOf(config), compatibilityOfVersion(version)];
  // The vendor's own words, from its source.
  if (supports < works) {
    const words = `Cluster works in ${partsOf(works)} mode and node only supports ${partsOf(supports)}`;
    return list(
      `This node cannot add another node ('ns_1@${host}') because of cluster version compatibility mismatch. ${words}`,
    );
  }
  const otp = `ns_1@${host}`;
  const part = { membership: 'inactiveAdded', recovery: 'none', balanced: false } as const;
  try {
    await admit(node, { otp, host, uuid, version, services, ...part, ...(group !== undefined && { group }) });
  } catch (thrown) {
    return list(`Join completion call failed. ${String(thrown)}`);
  }
  return { status: 200, body: JSON.stringify({ otpNode: otp }) };
}

/** As the database's own language writes it. */
function partsOf(compatibility: number): string {
  return `[${Math.floor(compatibility / 65_536)},${compatibility % 65_536}]`;
}

/** The services of a form, or the text of a refusal. Absent: data alone. */
function servicesIn(written: string | undefined): readonly string[] | string {
  const services = written === undefined ? ['kv'] : written.split(',').filter((name) => name !== '');
  const unknown = services.filter((name) => !knownServices.includes(name));
  if (unknown.length === 0) return services;
  return JSON.stringify({ errors: { services: `Unknown services: ${JSON.stringify(unknown)}` } });
}

type Target = { readonly uuid: string; readonly version: string } | { readonly words: string };

/** An uninitialised target takes any credentials; a cluster of one is joined with its own. */
async function prepareJoin(node: Node, host: string, form: Form): Promise<Target> {
  interface About {
    readonly uuid: string;
    readonly version: string;
    readonly config: { username: string; password: string; nodes: Record<string, NodeEntry> } | null;
  }
  const about = await node.ask<About>(host, 'about', {});
  if (about.config === null) return about;
  const known = form.user === about.config.username && form.password === about.config.password;
  if (!known) return { words: 'Authentication failed. Verify username and password.' };
  return Object.keys(about.config.nodes).length > 1 ? { words: 'Node is already part of cluster.' } : about;
}

async function rebalance(node: Node, form: Form): Promise<Reply> {
  // Dropped without a word.
  if (node.config?.running !== undefined) return empty;
  const named = (text = ''): string[] => text.split(',').filter((otp) => otp !== '');
  const judged = judgeRebalance(node.config!, named(form.knownNodes), named(form.ejectedNodes));
  if ('refusal' in judged) return bad(judged.refusal);
  const id = await beginRebalance(node, judged);
  return { status: 200, body: JSON.stringify({ rebalance_id: id }) };
}

async function ejectNode(node: Node, { otpNode = '' }: Form): Promise<Reply> {
  const entry = node.config?.nodes[otpNode];
  if (entry === undefined) return bad('Server does not exist.\n');
  if (entry.membership === 'active') return bad('Cannot remove active server.\n');
  const { uuid } = node.config!;
  await node.change((config) => withoutNodes(config, [otpNode]));
  await node.ask(entry.host, 'leave', { uuid }).catch(() => undefined);
  return empty;
}

async function failOver(node: Node, form: Form): Promise<Reply> {
  const otps = (form.otpNode ?? '').split(',').filter((otp) => otp !== '');
  const config = node.config!;
  if (otps.length === 0 || otps.some((otp) => config.nodes[otp] === undefined)) return bad('Unknown server given.');
  if (otps.some((otp) => config.nodes[otp]!.membership !== 'active')) return bad('Inactive server given.');
  if (activeNodes(config).every(({ otp }) => otps.includes(otp))) {
    return bad('Last active node cannot be failed over.');
  }
  await node.change((before) => {
    const last = { subtype: 'failover', reportId: `failover-${before.rev}` };
    return { ...failedOver(before, otps), last };
  });
  return empty;
}

async function gracefulFailover(node: Node, { otpNode = '' }: Form): Promise<Reply> {
  const config = node.config!;
  if (config.running !== undefined) return { status: 503, body: 'Rebalance running.' };
  const entry = config.nodes[otpNode];
  if (entry === undefined) return bad('Unknown server given.');
  if (entry.membership !== 'active') return bad('Inactive server given.');
  if (!node.isAlive(otpNode)) return { status: 500, body: 'Failed to synchronize config to other nodes' };
  const lone = Object.values(config.buckets).some(({ map }) =>
    map.some((row) => row[0] === otpNode && row.slice(1).every((otp) => otp === '')),
  );
  const others = activeNodes(config).some((one) => one.otp !== otpNode && isData(one));
  if (lone || !isData(entry) || !others) return bad('Failover cannot be done gracefully (would lose vbuckets).');
  await beginGracefulFailover(node, otpNode);
  return empty;
}

async function setRecoveryType(node: Node, { otpNode = '', recoveryType }: Form): Promise<Reply> {
  const entry = node.config?.nodes[otpNode];
  const waits =
    entry?.membership === 'inactiveFailed' || (entry?.membership === 'inactiveAdded' && entry.recovery !== 'none');
  if (!waits || (recoveryType !== 'full' && recoveryType !== 'delta')) {
    return bad(JSON.stringify({ otpNode: "invalid node name or node can't be used for delta recovery" }));
  }
  await node.change((config) =>
    changeNodes(config, [otpNode], () => ({ membership: 'inactiveAdded', recovery: recoveryType })),
  );
  return { status: 200, body: '[]' };
}

/** What the endpoint answers on a node that hears no majority, after a while. */
export async function withoutQuorum(node: Node, path: string, form: Form): Promise<Reply> {
  switch (path) {
    case '/controller/addNode': {
      const body = JSON.stringify(['Operation temporarily cannot be performed possibly due to loss of quorum']);
      return { status: 503, body };
    }
    case '/controller/failOver':
      return form.allowUnsafe === 'true' ? failOverUnsafe(node, form) : lateRefusal(node);
    case '/pools/default':
      await node.pace.wait(noQuorumMs);
      return { status: 500, body: '' };
    default:
      return { status: 503, body: 'Service is temporarily unavailable' };
  }
}

async function lateRefusal(node: Node): Promise<Reply> {
  await node.pace.wait(noQuorumMs);
  return { status: 504, body: 'Cannot safely perform a failover at the moment' };
}

async function failOverUnsafe(node: Node, form: Form): Promise<Reply> {
  const otps = (form.otpNode ?? '').split(',').filter((otp) => otp !== '');
  if (otps.some((otp) => node.config?.nodes[otp] === undefined)) return bad('Unknown server given.');
  await node.pace.wait(6_000);
  await node.change((config) => withoutNodes(failedOver(config, otps), otps), true);
  return empty;
}
