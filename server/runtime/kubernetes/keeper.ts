/** Keeps what surrounds the members of a cluster as the ledger wants it, and repairs what somebody has changed of it. */
import type { Timer } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import { same } from '../../../shared/same.ts';
import { kinds, labels } from '../../kubernetes/kinds.ts';
import { keyOf, type Kind, type KubeObject } from '../../kubernetes/objects.ts';
import { WorkQueue } from '../../kubernetes/queue.ts';
import type { Reflector } from '../../kubernetes/reflector.ts';
import { clusterKey, type ClusterSpec, type NodePool } from '../../model/cluster.ts';
import { isPaused, type Ledger } from '../../model/ledger.ts';
import type { Applier } from './applier.ts';
import { surroundings, type Owner, type Wanted } from './desired.ts';
import { claimName } from './names.ts';
import type { PilotSecrets } from './pilot-secret.ts';
import type { KubernetesRuntimePorts } from './runtime.ts';
import { bytesOf, sizeText } from './sizes.ts';
import { replicasIn, type Workloads } from './workloads.ts';

export interface Kept {
  readonly ledger: Ledger;
  /** Pools of which one member may be evicted. */
  readonly mayGo: ReadonlySet<string>;
  /** The id of the administrator's credentials that the database takes; empty: not known. */
  readonly accepted: string;
}

interface Parts {
  readonly applier: Applier;
  readonly workloads: Workloads;
  readonly secrets: PilotSecrets;
}

/** Secrets are not watched: whoever may watch them may read all of them. */
const secretsEveryMs = 30_000;

/** What the Secrets of a cluster were last brought up to date for, and nothing was missing. */
interface Looked {
  readonly spec: ClusterSpec;
  readonly accepted: string;
  readonly timer: Timer;
}

export class Keeper {
  readonly #ports: KubernetesRuntimePorts;
  readonly #applier: Applier;
  readonly #workloads: Workloads;
  readonly #secrets: PilotSecrets;
  readonly #kept = new Map<string, Kept>();
  readonly #looked = new Map<string, Looked>();
  readonly #queue: WorkQueue;

  constructor(ports: KubernetesRuntimePorts, { applier, workloads, secrets }: Parts) {
    this.#ports = ports;
    this.#applier = applier;
    this.#workloads = workloads;
    this.#secrets = secrets;
    const { clock, random, log } = ports;
    this.#queue = new WorkQueue({
      clock,
      random,
      work: (key) => this.#work(key),
      failed: (cluster, err) => log.warn({ cluster, err }, 'the objects of a cluster are not yet as they should be'),
    });
  }

  /** From now on this is what is kept. The same again costs nothing. */
  keep(kept: Kept): void {
    const key = clusterKey(kept.ledger.spec.id);
    const before = this.#kept.get(key);
    const isSame = before?.ledger === kept.ledger && before.accepted === kept.accepted;
    if (isSame && [...kept.mayGo].join() === [...before.mayGo].join()) return;
    this.#kept.set(key, kept);
    this.#queue.add(key);
  }

  /** The ledger that is kept now. */
  ledgerOf(cluster: string): Ledger | undefined {
    return this.#kept.get(cluster)?.ledger;
  }

  /** Something of this cluster has changed. */
  wake(cluster: string): void {
    if (this.#kept.has(cluster)) this.#queue.add(cluster);
  }

  async close(): Promise<void> {
    await this.#queue.close();
    for (const { timer } of this.#looked.values()) timer.cancel();
  }

  async #work(key: string): Promise<void> {
    const kept = this.#kept.get(key);
    const owner = this.#ports.ownerOf(key);
    if (kept === undefined || owner === undefined) {
      this.#forget(key);
      return;
    }
    const { ledger, mayGo } = kept;
    if (ledger.deleting) return;
    const failures: NavigatorError[] = [];
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: unknown) => failures.push(NavigatorError.from(error)));
    };
    const paused = isPaused(ledger);
    for (const wanted of surroundings(ledger.spec, owner, mayGo)) {
      // While it is paused nothing is permitted, so that nobody may be evicted either; all else is left as it is.
      if (paused && wanted.kind !== kinds.disruptionBudget) continue;
      const copy = this.#copyOf(wanted.kind).get(keyOf(wanted.object));
      await attempt(() => this.#applier.apply(wanted, copy));
    }
    const pools = paused ? [] : ledger.spec.nodePools;
    for (const pool of pools) {
      await attempt(() => this.#growVolumes(ledger, pool));
      await attempt(() => this.#keepPool(ledger, pool));
    }
    for (const orphan of paused ? [] : this.#leftovers(key, ledger)) {
      await attempt(() => this.#ports.objects.remove(orphan.kind, orphan.object));
    }
    await attempt(() => this.#keepSecrets(key, kept, owner));
    const lasting = failures.find(({ code }) => code !== 'conflict');
    this.#ports.trouble(key, lasting?.message ?? '');
    const [first] = failures;
    if (first !== undefined) throw lasting ?? first;
  }

  #forget(key: string): void {
    this.#kept.delete(key);
    this.#looked.get(key)?.timer.cancel();
    this.#looked.delete(key);
    this.#secrets.forget(key);
  }

  /** What is missing is told until it is there; all else goes on without it. Ledgers are written far more often than this looks. */
  async #keepSecrets(key: string, { ledger, accepted }: Kept, owner: Owner): Promise<void> {
    const { spec } = ledger;
    if (spec.application !== 'couchbase') return;
    const before = this.#looked.get(key);
    if (before?.accepted === accepted && same(before.spec, spec)) return;
    before?.timer.cancel();
    this.#looked.delete(key);
    const [missing] = await this.#secrets.keep({ cluster: spec, ledger, owner, accepted });
    if (missing !== undefined) throw new NavigatorError('not_found', missing);
    const timer = this.#ports.clock.after(secretsEveryMs, () => {
      this.#looked.delete(key);
      this.wake(key);
    });
    this.#looked.set(key, { spec, accepted, timer });
  }

  /** A StatefulSet is made by the making of a member alone; one that is lost while its pods live is made again. */
  async #keepPool(ledger: Ledger, pool: NodePool): Promise<void> {
    const present = this.#workloads.find(ledger.spec, pool.name);
    if (present === undefined && this.#workloads.podsUpTo(ledger.spec, pool.name) === 0) return;
    await this.#workloads.refresh(ledger, pool);
  }

  async #growVolumes({ spec, members }: Ledger, { name, persistence }: NodePool): Promise<void> {
    if (persistence === undefined) return;
    for (const member of Object.values(members).filter(({ pool }) => pool === name)) {
      const claim = this.#ports.copies.claims.get(`${spec.id.namespace}/${claimName(member.name)}`);
      const size = bytesOf(sizeOf(claim));
      // One that has no volume yet cannot grow.
      const isBound = claim?.status?.['phase'] === 'Bound';
      if (!isBound || size === undefined || size >= persistence.sizeBytes) continue;
      const requests = { storage: sizeText(persistence.sizeBytes) };
      await this.#ports.objects.patch(kinds.claim, claim.metadata, { spec: { resources: { requests } } });
    }
  }

  /** What is left of pools that are no longer wanted, and of which no member is left. */
  #leftovers(key: string, { spec, members }: Ledger): readonly Wanted[] {
    const pools = new Set(spec.nodePools.map(({ name }) => name));
    for (const { pool } of Object.values(members)) pools.add(pool);
    const { copies } = this.#ports;
    const isLeft = (object: KubeObject): boolean => {
      const pool = object.metadata.labels?.[labels.pool];
      return pool !== undefined && !pools.has(pool) && object.metadata.deletionTimestamp === undefined;
    };
    const sets = copies.statefulSets.ofGroup(key).filter((set) => isLeft(set) && replicasIn(set) === 0);
    const parts: [Kind, readonly KubeObject[]][] = [
      [kinds.statefulSet, sets],
      [kinds.service, copies.services.ofGroup(key).filter(isLeft)],
      [kinds.disruptionBudget, copies.disruptionBudgets.ofGroup(key).filter(isLeft)],
    ];
    return parts.flatMap(([kind, objects]) => objects.map((object) => ({ kind, object })));
  }

  #copyOf(kind: Kind): Reflector {
    const { services, serviceAccounts, disruptionBudgets } = this.#ports.copies;
    if (kind === kinds.service) return services;
    return kind === kinds.serviceAccount ? serviceAccounts : disruptionBudgets;
  }
}

function sizeOf(claim: KubeObject | undefined): string | undefined {
  const resources = claim?.spec?.['resources'] as { readonly requests?: { readonly storage?: string } } | undefined;
  return resources?.requests?.storage;
}
