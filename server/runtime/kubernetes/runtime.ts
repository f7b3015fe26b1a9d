/**
 * Members as pods: a StatefulSet a pool, whose replicas are raised when a member is made and lowered when the topmost one has
 * left. What it holds is read from copies; what it writes names the version of the object that it was decided on.
 */
import type { Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/log.ts';
import type { Random } from '../../../shared/random.ts';
import { annotations, clusterKeyOf, kinds, labels } from '../../kubernetes/kinds.ts';
import type { KubeObject, KubeObjects } from '../../kubernetes/objects.ts';
import { clusterKey, type ClusterSpec, type NodePool } from '../../model/cluster.ts';
import type { MemberRecord } from '../../model/ledger.ts';
import type { RuntimeMember } from '../../model/observation.ts';
import type { Runtime } from '../runtime.ts';
import { Applier } from './applier.ts';
import { onAnyChange, type Copies } from './copies.ts';
import type { Owner } from './desired.ts';
import { Keeper, type Kept } from './keeper.ts';
import { claimName, memberAddress, poolName } from './names.ts';
import { PilotSecrets } from './pilot-secret.ts';
import type { PodOptions } from './pod.ts';
import { memberOrdinal, replicasIn, Workloads } from './workloads.ts';

export interface KubernetesRuntimePorts {
  readonly objects: KubeObjects;
  readonly copies: Copies;
  /** The object that a cluster was read from; undefined: it is gone. */
  readonly ownerOf: (cluster: string) => Owner | undefined;
  readonly pod: PodOptions;
  /** Something of a cluster could not be made as it should be; an empty text: now it could. */
  readonly trouble: (cluster: string, message: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export class KubernetesRuntime implements Runtime {
  readonly #ports: KubernetesRuntimePorts;
  readonly #workloads: Workloads;
  readonly #secrets: PilotSecrets;
  readonly #keeper: Keeper;
  #onChange: (cluster: string) => void = () => undefined;

  constructor(ports: KubernetesRuntimePorts) {
    this.#ports = ports;
    const applier = new Applier(ports.objects);
    this.#workloads = new Workloads(ports, applier);
    this.#secrets = new PilotSecrets(ports.objects, ports.clock);
    this.#keeper = new Keeper(ports, { applier, workloads: this.#workloads, secrets: this.#secrets });
    onAnyChange(ports.copies, ({ cluster, kind, key, isGone }) => {
      if (isGone) applier.forget(kind, key);
      this.#keeper.wake(cluster);
    });
    const changed = (object: KubeObject): void => {
      const cluster = clusterKeyOf(object);
      if (cluster !== undefined) this.#onChange(cluster);
    };
    ports.copies.pods.onChange(changed);
    ports.copies.statefulSets.onChange(changed);
  }

  async prepare(): Promise<void> {}

  /** A member is there while its pod is, and while its StatefulSet would make it. */
  async observe(cluster: ClusterSpec): Promise<readonly RuntimeMember[]> {
    const key = clusterKey(cluster.id);
    const { pods, statefulSets } = this.#ports.copies;
    const members = new Map<string, RuntimeMember>();
    for (const copy of statefulSets.ofGroup(key)) {
      const set = this.#workloads.newest(copy);
      for (let ordinal = 0; ordinal < replicasIn(set); ordinal++) {
        const name = `${set.metadata.name}-${ordinal}`;
        members.set(name, { name, version: '', alive: false, waiting: 'it has no pod yet' });
      }
    }
    for (const pod of pods.ofGroup(key)) {
      if (pod.metadata.labels?.[labels.pool] === undefined) continue;
      const { name, annotations: noted = {} } = pod.metadata;
      const version = noted[annotations.version] ?? '';
      const template = noted[annotations.template];
      const waiting = waitingOf(pod);
      members.set(name, {
        ...{ name, version, alive: isAlive(pod) },
        ...(template !== undefined && { template }),
        ...(waiting !== undefined && { waiting }),
      });
    }
    return [...members.values()];
  }

  async addresses(cluster: ClusterSpec, members: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const member of members) {
      const pool = cluster.nodePools.find(
        ({ name }) => memberOrdinal(poolName(cluster.id.name, name), member) !== undefined,
      );
      if (pool !== undefined) found.set(member, memberAddress(cluster, pool.name, member));
    }
    return found;
  }

  async create(cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    const key = clusterKey(cluster.id);
    const owner = this.#ports.ownerOf(key);
    if (owner !== undefined)
      await this.#secrets.keep({ cluster, owner, ledger: this.#keeper.ledgerOf(key), accepted: '' });
    await this.#workloads.raise(cluster, poolOf(cluster, record), record.ordinal);
  }

  /** Where a new pod would be no other than the present one, nothing is replaced. */
  async replace(cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    const ledger = this.#keeper.ledgerOf(clusterKey(cluster.id));
    if (ledger === undefined) return;
    const set = await this.#workloads.refresh(ledger, poolOf(cluster, record));
    const pod = this.#ports.copies.pods.get(`${cluster.id.namespace}/${record.name}`);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
    if (isSameLaunch(pod, set)) return;
    await this.#ports.objects.remove(kinds.pod, pod);
  }

  /** Only the topmost member of a pool can go; another one waits, stopped, until those above it have gone. */
  async remove(cluster: ClusterSpec, record: MemberRecord, keepData: boolean): Promise<void> {
    const ledger = this.#keeper.ledgerOf(clusterKey(cluster.id));
    await this.#workloads.lower(cluster, record, {
      isMember: (name) => ledger?.members[name] !== undefined,
      before: async (member) => {
        const claim = this.#ports.copies.claims.get(`${cluster.id.namespace}/${claimName(member)}`);
        // It stays until its pod is gone: Kubernetes protects it.
        if (claim !== undefined && !keepData) await this.#ports.objects.remove(kinds.claim, claim);
      },
    });
  }

  /** Has what surrounds the members follow what was last written and seen. */
  keep(kept: Kept): void {
    this.#keeper.keep(kept);
  }

  onChange(callback: (cluster: string) => void): void {
    this.#onChange = callback;
  }

  async close(): Promise<void> {
    this.#onChange = () => undefined;
    await this.#keeper.close();
  }
}

function poolOf(cluster: ClusterSpec, record: MemberRecord): NodePool {
  const pool = cluster.nodePools.find(({ name }) => name === record.pool);
  if (pool !== undefined) return pool;
  throw new NavigatorError('not_found', `the pool ${record.pool} of ${record.name} is no longer in the cluster`);
}

/** One that is being deleted serves on until its grace is over, and its pilot asks by itself. */
function isAlive({ status }: KubeObject): boolean {
  const phase = status?.['phase'];
  return phase !== 'Failed' && phase !== 'Succeeded';
}

interface PodStatus {
  readonly phase?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly containerStatuses?: readonly ContainerStatus[];
}

interface ContainerStatus {
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  readonly lastState?: Readonly<Record<string, unknown>>;
}

/** Characters of Kubernetes' own words. */
const waitingMax = 300;

/** What a pod waits for that has not begun; undefined for one in which a database may run. */
function waitingOf({ status = {} }: KubeObject): string | undefined {
  const { phase, conditions = [], initContainerStatuses = [], containerStatuses = [] } = status as PodStatus;
  if (phase !== 'Pending') return undefined;
  // Another container of the pod may keep it pending while the database's runs.
  const isFirst = ({ state = {}, lastState = {} }: ContainerStatus): boolean => {
    return Object.keys({ ...state, ...lastState }).every((name) => name === 'waiting');
  };
  if (!containerStatuses.every(isFirst)) return undefined;
  const unplaced = conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False')?.message;
  const waits = [...initContainerStatuses, ...containerStatuses].map(({ state }) => state?.waiting);
  const [why] = waits.filter((one) => one !== undefined && one.reason !== 'PodInitializing');
  const words = unplaced ?? [why?.reason, why?.message].filter(Boolean).join(': ');
  return `its pod has not begun${words === '' ? '' : `: ${words}`}`.slice(0, waitingMax);
}

function isSameLaunch(pod: KubeObject, set: KubeObject): boolean {
  const template = (set.spec?.['template'] as KubeObject | undefined)?.metadata.annotations;
  return [annotations.version, annotations.template].every(
    (name) => pod.metadata.annotations?.[name] === template?.[name],
  );
}
