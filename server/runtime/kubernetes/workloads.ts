/**
 * The StatefulSets of clusters. One thing at a time for each of them, from the newest that is known of it; what was decided on
 * something older is refused by the API server, and decided again in the next pass.
 */
import { NavigatorError } from '../../../shared/errors.ts';
import { kinds, labels } from '../../kubernetes/kinds.ts';
import { keyOf, type KubeObject } from '../../kubernetes/objects.ts';
import { clusterKey, type ClusterSpec, type NodePool } from '../../model/cluster.ts';
import type { Ledger, MemberRecord } from '../../model/ledger.ts';
import { templateOf } from '../../model/template.ts';
import type { Applier } from './applier.ts';
import { statefulSet } from './desired.ts';
import { partOf } from '../../kubernetes/merge.ts';
import { poolName } from './names.ts';
import type { KubernetesRuntimePorts } from './runtime.ts';
import { bytesOf } from './sizes.ts';

type Ports = Pick<KubernetesRuntimePorts, 'objects' | 'copies' | 'ownerOf' | 'pod'>;

/** How members are taken away. */
export interface Lowering {
  readonly isMember: (name: string) => boolean;
  readonly before: (member: string) => Promise<void>;
}

export class Workloads {
  readonly #ports: Ports;
  readonly #applier: Applier;
  readonly #queues = new Map<string, Promise<unknown>>();
  /** Ordinals that are to be made, by StatefulSet, so that many members take one write. */
  readonly #raising = new Map<string, number>();
  /** Ordinals that have left, by StatefulSet, and what is done with what is theirs. */
  readonly #lowering = new Map<string, Map<number, Lowering['before']>>();

  constructor(ports: Ports, applier: Applier) {
    this.#ports = ports;
    this.#applier = applier;
  }

  /** The copy, or what was written since. */
  newest(copy: KubeObject): KubeObject {
    return this.#applier.newest(kinds.statefulSet, keyOf(copy), copy) ?? copy;
  }

  /** The StatefulSet of a pool as it is known now. */
  find(cluster: ClusterSpec, pool: string): KubeObject | undefined {
    const key = setKey(cluster, pool);
    return this.#applier.newest(kinds.statefulSet, key, this.#ports.copies.statefulSets.get(key));
  }

  /** Has a pool reach up to a member. */
  raise(cluster: ClusterSpec, pool: NodePool, ordinal: number): Promise<void> {
    const key = setKey(cluster, pool.name);
    this.#raising.set(key, Math.max(this.#raising.get(key) ?? 0, ordinal + 1));
    return this.#oneAtATime(key, async () => {
      const least = this.#raising.get(key) ?? 0;
      this.#raising.delete(key);
      const found = this.find(cluster, pool.name);
      if (found !== undefined && replicasIn(found) >= least) return;
      // Pods that have lost their StatefulSet are to be found by the new one, not to be taken away by it.
      const replicas = Math.max(least, found === undefined ? this.podsUpTo(cluster, pool.name) : replicasIn(found));
      await this.#apply(cluster, pool, replicas);
    });
  }

  /**
   * Takes the topmost members that have left away, `before` each of which something is done with what is theirs. One that
   * is not at the top stays. A pod that is no member counts as one that has left: somebody has scaled by hand.
   */
  lower(cluster: ClusterSpec, record: MemberRecord, { isMember, before }: Lowering): Promise<void> {
    const key = setKey(cluster, record.pool);
    const leaving = this.#lowering.get(key) ?? new Map<number, Lowering['before']>();
    this.#lowering.set(key, leaving.set(record.ordinal, before));
    return this.#oneAtATime(key, async () => {
      const gone = this.#lowering.get(key);
      this.#lowering.delete(key);
      const found = this.find(cluster, record.pool);
      if (gone === undefined || found === undefined) return;
      let replicas = replicasIn(found);
      for (; replicas > 0; replicas -= 1) {
        const member = `${found.metadata.name}-${replicas - 1}`;
        const act = gone.get(replicas - 1);
        if (act === undefined && isMember(member)) break;
        await act?.(member);
      }
      if (replicas === replicasIn(found)) return;
      const pool = cluster.nodePools.find(({ name }) => name === record.pool);
      if (pool !== undefined) await this.#apply(cluster, pool, replicas);
      else await this.#scale(found, replicas);
    });
  }

  /**
   * Has a pool follow the spec, and its number of replicas stay where the ledger allows it: it covers every member that
   * has not left, and no pod that is no member. Resolves to what is there.
   */
  refresh(ledger: Ledger, pool: NodePool): Promise<KubeObject> {
    const { spec } = ledger;
    return this.#oneAtATime(setKey(spec, pool.name), async () => {
      const found = this.find(spec, pool.name);
      const replicas = found === undefined ? this.podsUpTo(spec, pool.name) : replicasIn(found);
      const records = Object.values(ledger.members).filter((record) => record.pool === pool.name);
      const least = reach(records.filter(({ left }) => !left));
      return await this.#apply(spec, pool, Math.min(Math.max(replicas, least), reach(records)));
    });
  }

  /** How many replicas a StatefulSet needs that is to have all pods of the pool that there are. */
  podsUpTo(cluster: ClusterSpec, pool: string): number {
    const pods = this.#ports.copies.pods.ofGroup(clusterKey(cluster.id));
    const ordinals = pods
      .filter(({ metadata }) => metadata.labels?.[labels.pool] === pool)
      .map(({ metadata }) => memberOrdinal(poolName(cluster.id.name, pool), metadata.name) ?? -1);
    return Math.max(-1, ...ordinals) + 1;
  }

  async #apply(cluster: ClusterSpec, pool: NodePool, replicas: number): Promise<KubeObject> {
    const owner = this.#ports.ownerOf(clusterKey(cluster.id));
    if (owner === undefined) throw new NavigatorError('conflict', 'the object of the cluster is gone');
    const template = templateOf(cluster, pool);
    const wanted = statefulSet(cluster, pool, { ...this.#ports.pod, owner, replicas, template });
    const found = this.find(cluster, pool.name);
    if (found !== undefined && needsAnew(found, wanted.object)) {
      // Its claims cannot be changed: it is made anew, and takes its pods up where they are.
      await this.#ports.objects.remove(kinds.statefulSet, found, 'Orphan');
      throw new NavigatorError('conflict', `StatefulSet ${keyOf(found)} is made anew for larger volumes`);
    }
    return await this.#applier.apply(wanted, this.#ports.copies.statefulSets.get(setKey(cluster, pool.name)));
  }

  /** Of a pool that is no longer in the spec. */
  async #scale(set: KubeObject, replicas: number): Promise<void> {
    const { resourceVersion } = set.metadata;
    await this.#ports.objects.patch(kinds.statefulSet, set.metadata, {
      metadata: { resourceVersion },
      spec: { replicas },
    });
    this.#applier.forget(kinds.statefulSet, keyOf(set));
  }

  #oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
    const run = (this.#queues.get(key) ?? Promise.resolve()).then(work, work);
    const settled = run.then(
      () => undefined,
      () => undefined,
    );
    this.#queues.set(key, settled);
    void settled.then(() => this.#queues.get(key) === settled && this.#queues.delete(key));
    return run;
  }
}

/** How many replicas it takes to have all of these members. */
function reach(records: readonly MemberRecord[]): number {
  return Math.max(-1, ...records.map(({ ordinal }) => ordinal)) + 1;
}

/** How many replicas a StatefulSet is to have. */
export function replicasIn(set: KubeObject): number {
  const replicas = set.spec?.['replicas'];
  return typeof replicas === 'number' ? replicas : 0;
}

/** The ordinal of a member of this StatefulSet; undefined: it is of another one. */
export function memberOrdinal(set: string, member: string): number | undefined {
  const ordinal = member.startsWith(`${set}-`) ? member.slice(set.length + 1) : '';
  return /^(0|[1-9][0-9]*)$/.test(ordinal) ? Number(ordinal) : undefined;
}

function setKey(cluster: ClusterSpec, pool: string): string {
  return `${cluster.id.namespace}/${poolName(cluster.id.name, pool)}`;
}

/** Whether the volumes that it makes are smaller than those wanted. */
function needsAnew(found: KubeObject, wanted: KubeObject): boolean {
  const sizeIn = (object: unknown): number | undefined => {
    const claims = partOf(object, { spec: { volumeClaimTemplates: 0 } }) as {
      spec?: { volumeClaimTemplates?: readonly { spec?: { resources?: { requests?: { storage?: string } } } }[] };
    };
    return bytesOf(claims.spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.storage);
  };
  const [present, larger] = [sizeIn(found), sizeIn(wanted)];
  return present !== undefined && larger !== undefined && present < larger;
}
