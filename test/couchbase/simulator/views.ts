/** What the REST interface shows of a node and its cluster. Pure, but for the moment at which it is asked. */
import { remembered } from '../../../shared/remembered.ts';
import {
  entries,
  firstGroup,
  groupsOf,
  isBalanced,
  isData,
  type Bucket,
  type Config,
  type NodeEntry,
} from './config.ts';
import type { Node } from './node.ts';

const wireVersion = (version: string): string => `${version}-enterprise`;

/** 7.6 is 458758: the major in the upper 16 bits, the minor in the lower ones. */
export const compatibilityOf = remembered((config: Config): number =>
  Math.min(...entries(config).map(({ version }) => compatibilityOfVersion(version))),
);

/** Of a node on its own. */
export function compatibilityOfVersion(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 65_536 + minor;
}

/** GET /pools */
export function pools(node: Node): unknown {
  const { config } = node;
  const rest = { implementationVersion: wireVersion(node.version), isEnterprise: true };
  if (config === undefined) return { isAdminCreds: false, pools: [], uuid: [], ...rest };
  const pool = { name: 'default', uri: `/pools/default?uuid=${config.uuid}` };
  return { isAdminCreds: true, pools: [pool], uuid: config.uuid, ...rest };
}

/** GET /pools/default */
export function poolDefault(node: Node, config: Config): unknown {
  const { running } = config;
  return {
    name: 'default',
    clusterName: config.name,
    nodes: entries(config).map((entry) => nodeView(node, config, entry)),
    ...config.quotas,
    balanced: isBalanced(config),
    rebalanceStatus: running === undefined ? 'none' : 'running',
    buckets: { uri: '/pools/default/buckets' },
    tasks: { uri: '/pools/default/tasks' },
  };
}

function nodeView(node: Node, config: Config, entry: NodeEntry): unknown {
  const waits = !entry.balanced || entry.membership !== 'active';
  const needs = { code: 'service_not_balanced', description: 'Service needs rebalance.', services: entry.services };
  return {
    otpNode: entry.otp,
    hostname: `${entry.host}:8091`,
    configuredHostname: `${entry.host}:8091`,
    nodeUUID: entry.uuid,
    status: node.statusOf(entry.otp),
    clusterMembership: entry.membership,
    recoveryType: entry.recovery,
    services: entry.services,
    version: wireVersion(entry.version),
    clusterCompatibility: compatibilityOf(config),
    ...(entry.otp === node.otp && { thisNode: true, uptime: String(uptime(node)) }),
    ports: { direct: 11210, httpsMgmt: 18091, httpsCAPI: 18092, distTCP: 21100, distTLS: 21150 },
    serverGroup: groupsOf(config)[entry.group ?? firstGroup.uuid],
    ...(waits && { servicesNeedRebalance: [needs] }),
  };
}

function uptime(node: Node): number {
  return Math.floor((node.pace.now() - node.startedAt) / 1_000);
}

/** GET /pools/default/tasks */
export function tasks(config: Config): unknown {
  const { running, last } = config;
  if (running !== undefined) {
    const { progress } = running;
    return [
      {
        statusId: running.id,
        type: 'rebalance',
        subtype: running.subtype,
        recommendedRefreshPeriod: 0.25,
        status: 'running',
        progress,
        perNode: Object.fromEntries([...running.keep, ...running.eject].map((otp) => [otp, { progress }])),
        detailedProgress: {},
        stageInfo: {},
        rebalanceId: running.id,
        nodesInfo: {
          active_nodes: Object.keys(config.nodes),
          keep_nodes: running.keep,
          eject_nodes: running.eject,
          delta_nodes: running.delta,
          failed_nodes: running.failed,
        },
        masterNode: running.orchestrator,
      },
    ];
  }
  const known = { statusIsStale: false, masterRequestTimedOut: false };
  const idle = { type: 'rebalance', subtype: last?.subtype ?? 'rebalance', status: 'notRunning', ...known };
  if (last === undefined) return [idle];
  const lastReportURI = `/logs/rebalanceReport?reportID=${last.reportId}`;
  return [{ ...idle, ...(last.errorMessage && { errorMessage: last.errorMessage }), lastReportURI }];
}

/** GET /pools/default/serverGroups */
export function serverGroups(config: Config): unknown {
  const groups = Object.entries(groupsOf(config)).map(([uuid, name]) => {
    const uri = `/pools/default/serverGroups/${uuid}`;
    const nodes = entries(config).filter((entry) => (entry.group ?? firstGroup.uuid) === uuid);
    const shown = nodes.map(({ otp, host }) => ({ otpNode: otp, hostname: `${host}:8091` }));
    return { name, uri, addNodeURI: `${uri}/addNode`, nodes: shown };
  });
  return { groups, uri: `/pools/default/serverGroups?rev=${config.rev}` };
}

/** GET /settings/rbac/users and groups: without passwords. */
export function accounts(of: Config['users'], domain?: 'local'): unknown {
  const list = (text = ''): string[] => text.split(',').filter((word) => word !== '');
  return Object.entries(of).map(([id, form]) => ({
    id,
    ...(domain && { domain, groups: list(form.groups) }),
    roles: list(form.roles).map((word) => {
      const [, role = word, bucket] = /^(\w+)\[(.+)\]$/.exec(word) ?? [];
      return { role, ...(bucket !== undefined && { bucket_name: bucket }), origins: [{ type: 'user' }] };
    }),
  }));
}

/** GET /pools/default/buckets/NAME */
export function bucketView(node: Node, config: Config, bucket: Bucket): unknown {
  const servers = entries(config).filter((entry) => isData(entry) && entry.membership !== 'inactiveAdded');
  const place = (otp: string): number => servers.findIndex((entry) => entry.otp === otp);
  return {
    name: bucket.name,
    uuid: bucket.uuid,
    bucketType: bucket.type === 'couchbase' ? 'membase' : bucket.type,
    replicaNumber: bucket.replicas,
    quota: { ram: bucket.ramMb * 2 ** 20 * servers.length, rawRAM: bucket.ramMb * 2 ** 20 },
    evictionPolicy: bucket.eviction,
    basicStats: { itemCount: node.itemsOf(bucket.uuid) },
    ...(bucket.flush && { controllers: { flush: `/pools/default/buckets/${bucket.name}/controller/doFlush` } }),
    nodes: servers.map((entry) => ({
      hostname: `${entry.host}:8091`,
      otpNode: entry.otp,
      status: node.statusOf(entry.otp),
      clusterMembership: entry.membership,
    })),
    nodeLocator: 'vbucket',
    vBucketServerMap: {
      hashAlgorithm: 'CRC',
      numReplicas: bucket.replicas,
      serverList: servers.map(({ host }) => `${host}:11210`),
      vBucketMap: bucket.map.map((row) => row.map(place)),
    },
  };
}
