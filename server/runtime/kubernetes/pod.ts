/**
 * The pod of a member: its pilot at PID 1 in the database's image, unchanged. Pure: from what a person wants and what this
 * server is to the template of a pool. What a person writes in `podTemplate` comes first, and Navigator's own over it.
 */
import { annotations } from '../../kubernetes/kinds.ts';
import type { ClusterSpec, Image, JsonObject, NodePool } from '../../model/cluster.ts';
import { merged } from '../../kubernetes/merge.ts';
import { databases } from './databases.ts';
import { dataVolume, labelsOf, poolName } from './names.ts';

export interface PodOptions {
  /** The pilot's image of a cluster that names none: `repository:tag`. */
  readonly pilotImage: string;
  /** What pilots dial, `host:port`. */
  readonly server: string;
  readonly logLevel: string;
}

/** What a template is made for, besides what a person wants of it. */
export interface TemplateOptions extends PodOptions {
  /** Stands for what a person has said of the pods. */
  readonly template: string;
  /** The cluster's lasting identity. */
  readonly ownerUid: string;
}

/** How long a pod may take to end: its pilot asks for leave, and serves until it has it. */
const graceSeconds = 3_600;
/** What the pilot keeps of it, so that it is never killed for being late by a little. */
const graceKeptSeconds = 15;
const userDefault = 1000;
const probePort = 8090;

const places = {
  pilot: '/navigator',
  data: '/var/lib/navigator',
  ca: '/var/run/navigator/ca',
  token: '/var/run/navigator/token',
} as const;

/** The lean flags of Node that halve what a pilot keeps: measured, see docs/decisions/0001-node-24.md. */
const leanFlags = ['--max-semi-space-size=1', '--max-old-space-size=64', '--optimize-for-size', '--v8-pool-size=0'];

/** The container that a person means who names none. */
export function databaseContainer(cluster: ClusterSpec): string {
  return cluster.application;
}

/** The template of a pool's pods. */
export function podTemplate(cluster: ClusterSpec, pool: NodePool, options: TemplateOptions): JsonObject {
  const written = pool.pod?.podTemplate ?? {};
  const own = {
    metadata: {
      labels: labelsOf(cluster, pool.name),
      annotations: { [annotations.version]: cluster.version, [annotations.template]: options.template },
    },
    spec: podSpec(cluster, pool, options, graceOf(written)),
  };
  return merged(written, own) as JsonObject;
}

function graceOf(written: JsonObject): number {
  const given = (written['spec'] as JsonObject | undefined)?.['terminationGracePeriodSeconds'];
  return typeof given === 'number' && given >= 0 ? given : graceSeconds;
}

function podSpec(cluster: ClusterSpec, pool: NodePool, options: TemplateOptions, grace: number): JsonObject {
  const { pod = {} } = pool;
  const user = cluster.runAsUser;
  return {
    serviceAccountName: cluster.id.name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: grace,
    securityContext: {
      runAsUser: user,
      runAsGroup: cluster.pod?.fsGroup ?? userDefault,
      runAsNonRoot: user !== 0,
      fsGroup: cluster.pod?.fsGroup ?? userDefault,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    initContainers: [installer(cluster, options)],
    containers: [database(cluster, pool, options, grace)],
    volumes: [...volumes(pool), ...databases[cluster.application].volumes(cluster)],
    ...(pod.nodeSelector && { nodeSelector: pod.nodeSelector }),
    ...(pod.tolerations && { tolerations: pod.tolerations }),
    affinity: pod.affinity ?? spread(cluster),
    ...(pod.schedulerName !== undefined && { schedulerName: pod.schedulerName }),
  };
}

/** Members of a cluster go to different nodes where there are some. */
function spread({ id }: ClusterSpec): JsonObject {
  const podAffinityTerm = {
    topologyKey: 'kubernetes.io/hostname',
    labelSelector: { matchLabels: { 'navigator.jetstack.io/cluster': id.name } },
  };
  return { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] } };
}

/** Copies the pilot into the pod, so that the database's image needs nothing of it. */
function installer(cluster: ClusterSpec, options: PodOptions): JsonObject {
  return {
    name: 'pilot',
    image: imageText(cluster.pod?.pilotImage, options.pilotImage),
    imagePullPolicy: cluster.pod?.pilotImage?.pullPolicy ?? 'IfNotPresent',
    command: [`${places.pilot}/node`, `${places.pilot}/install.mjs`, '/target'],
    securityContext: { ...confined, readOnlyRootFilesystem: true },
    resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '128Mi' } },
    volumeMounts: [{ name: 'navigator', mountPath: '/target' }],
  };
}

const confined = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

function database(cluster: ClusterSpec, pool: NodePool, options: TemplateOptions, grace: number): JsonObject {
  const probe = (path: string, more: JsonObject): JsonObject => ({
    httpGet: { path, port: 'probe', scheme: 'HTTP' },
    timeoutSeconds: 5,
    ...more,
  });
  const { image, ports, peerPorts, mounts } = databases[cluster.application];
  return {
    name: databaseContainer(cluster),
    image: imageText(cluster.pod?.image, `${image}:${cluster.version}`),
    imagePullPolicy: cluster.pod?.image?.pullPolicy ?? 'IfNotPresent',
    command: [`${places.pilot}/node`, ...leanFlags, `${places.pilot}/pilot.mjs`],
    args: pilotArgs(cluster, pool, options, grace),
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'POD_UID', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } } },
      { name: 'MALLOC_ARENA_MAX', value: '1' },
      { name: 'UV_THREADPOOL_SIZE', value: '2' },
    ],
    ports: Object.entries({ ...ports, ...peerPorts, probe: probePort }).map(([name, containerPort]) => {
      return { name, containerPort, protocol: 'TCP' };
    }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 6, initialDelaySeconds: 10 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, failureThreshold: 2 }),
    ...(pool.pod?.resources && { resources: pool.pod.resources }),
    securityContext: confined,
    volumeMounts: [
      { name: 'navigator', mountPath: places.pilot, readOnly: true },
      { name: dataVolume, mountPath: places.data },
      { name: 'navigator-ca', mountPath: places.ca, readOnly: true },
      { name: 'navigator-token', mountPath: places.token, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
      ...mounts(cluster),
    ],
  };
}

/** Kubernetes fills in the member's name: the template is one for all members of a pool. */
function pilotArgs(cluster: ClusterSpec, pool: NodePool, options: TemplateOptions, grace: number): string[] {
  const { namespace, name } = cluster.id;
  const { distribution, flags: own } = databases[cluster.application];
  const flags = {
    server: options.server,
    'ca-file': `${places.ca}/ca.crt`,
    'token-file': `${places.token}/token`,
    namespace,
    cluster: name,
    member: '$(POD_NAME)',
    version: cluster.version,
    template: options.template,
    owner: options.ownerUid,
    application: cluster.application,
    pod: '$(POD_UID)',
    distribution,
    directory: places.data,
    address: `$(POD_NAME).${poolName(name, pool.name)}.${namespace}.svc`,
    bind: '0.0.0.0',
    probe: `0.0.0.0:${probePort}`,
    grace: String(Math.max(1, grace - graceKeptSeconds)),
    'log-level': options.logLevel,
    ...own(cluster),
  };
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}

function volumes(pool: NodePool): readonly JsonObject[] {
  const token = { serviceAccountToken: { audience: 'navigator', expirationSeconds: 3_600, path: 'token' } };
  return [
    { name: 'navigator', emptyDir: {} },
    { name: 'navigator-ca', configMap: { name: 'navigator-ca' } },
    { name: 'navigator-token', projected: { sources: [token] } },
    { name: 'tmp', emptyDir: {} },
    ...(pool.persistence === undefined ? [{ name: dataVolume, emptyDir: {} }] : []),
  ];
}

/** What a person names counts; of what is not named, the default's. A default is `repository:tag`. */
export function imageText(named: Image | undefined, fallback: string): string {
  const colon = fallback.lastIndexOf(':');
  const [repository, tag] = [fallback.slice(0, colon), fallback.slice(colon + 1)];
  return `${named?.repository ?? repository}:${named?.tag ?? tag}`;
}
