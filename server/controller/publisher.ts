/** Writes the status of clusters and the Pilot objects of their pods, and only where something has changed. */
import type { Clock } from '../../shared/clock.ts';
import { digest } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';
import type { Random } from '../../shared/random.ts';
import { same } from '../../shared/same.ts';
import type { ClusterLoop, Snapshot } from '../cluster-loop.ts';
import { clusterKindOf, kinds } from '../kubernetes/kinds.ts';
import { partOf } from '../kubernetes/merge.ts';
import { keyOf, placeOf, type Kind, type KubeObject, type KubeObjects } from '../kubernetes/objects.ts';
import { WorkQueue } from '../kubernetes/queue.ts';
import type { Reflector } from '../kubernetes/reflector.ts';
import type { Loop } from '../loop.ts';
import type { Clusters } from './clusters.ts';
import { pilotObject, pilotStatus, restlessFields, type PilotStatus } from './pilot-object.ts';
import { clusterStatus, type ClusterStatus } from './status.ts';

export interface PublisherPorts {
  readonly loop: Pick<Loop, 'list' | 'find' | 'manifestOf' | 'apply'>;
  readonly objects: KubeObjects;
  readonly clusters: Clusters;
  readonly pods: Reflector;
  readonly pilots: Reflector;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What could not be made as it should be; empty: nothing. */
  readonly troubleOf: (key: string) => string;
  readonly takenOf: (
    key: string,
  ) =>
    | { readonly generation: number; readonly refusal?: { readonly reason: string; readonly message: string } }
    | undefined;
}

/** What changes all the time is written no more often than this, and only where it has. */
const restlessMs = 60_000;

/** What was written last, on top of which version of the copy. */
interface Written {
  readonly content: string;
  readonly before: string | undefined;
  readonly atMs: number;
}

export class Publisher {
  readonly #ports: PublisherPorts;
  readonly #queue: WorkQueue;
  readonly #written = new Map<string, Written>();

  constructor(ports: PublisherPorts) {
    const { clock, random, log } = ports;
    this.#ports = ports;
    this.#queue = new WorkQueue({
      clock,
      random,
      work: (key) => this.#work(key),
      failed: (cluster, err) => log.warn({ cluster, err }, 'a status could not be written; it is tried again'),
    });
  }

  refresh(key: string): void {
    this.#queue.add(key);
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  async #work(key: string): Promise<void> {
    const object = this.#ports.clusters.get(key);
    const cluster = this.#ports.loop.find(placeOf(key));
    if (object !== undefined) {
      await this.#writeStatus(key, object, cluster);
      for (const rival of this.#ports.clusters.rivalsOf(key)) await this.#refuseRival(rival, clusterKindOf(object));
    }
    const snapshot = cluster?.snapshot;
    if (snapshot === undefined) return;
    for (const pod of this.#ports.pods.ofGroup(key)) await this.#writePilot(pod, snapshot);
  }

  async #writeStatus(key: string, object: KubeObject, cluster: ClusterLoop | undefined): Promise<void> {
    const taken = this.#ports.takenOf(key);
    if (taken === undefined) return;
    const before = publishedIn(object);
    const status = clusterStatus({
      before,
      generation: taken.generation,
      ledger: cluster?.ledger,
      snapshot: cluster?.snapshot,
      ...(taken.refusal && { refusal: taken.refusal }),
      trouble: this.#ports.troubleOf(key),
      nowText: this.#now(),
    });
    if (isPublished(before, status)) return;
    await this.#write(clusterKindOf(object), object, object, status);
  }

  /** An object whose name another cluster has: nothing is done about it, and it says so. */
  async #refuseRival(rival: KubeObject, { kind }: Kind): Promise<void> {
    const message = `a ${kind} has this name already: Services and pods are named after it. Give this one another name`;
    const before = publishedIn(rival);
    const status = clusterStatus({
      ...{ before, generation: rival.metadata.generation ?? 0, ledger: undefined, snapshot: undefined },
      ...{ refusal: { reason: 'NameIsTaken', message }, trouble: '', nowText: this.#now() },
    });
    if (!isPublished(before, status)) await this.#write(clusterKindOf(rival), rival, rival, status);
  }

  async #writePilot(pod: KubeObject, snapshot: Snapshot): Promise<void> {
    const { ledger } = snapshot.stored;
    const record = ledger.members[pod.metadata.name];
    if (record === undefined || pod.metadata.uid === undefined) return;
    const copy = this.#ports.pilots.get(keyOf(pod));
    const wanted = pilotObject(ledger, record, pod);
    let present = copy;
    if (copy === undefined || !same(partOf(copy, wanted), wanted))
      present = await this.#ports.objects.apply(kinds.pilot, wanted);
    const before = present?.status as unknown as PilotStatus | undefined;
    const status = pilotStatus(snapshot, record.name, before, this.#now());
    const restless = new Set<string>(restlessFields);
    const isDue = this.#sinceWriteMs(kinds.pilot, wanted) >= restlessMs;
    const isSame = isDue
      ? same(before, status, new Set(['lastHeartbeat']))
      : before !== undefined && same({ ...before }, { ...status }, restless);
    if (isSame) return;
    await this.#write(kinds.pilot, wanted, present, status);
  }

  #sinceWriteMs(kind: Kind, object: KubeObject): number {
    const written = this.#written.get(idOf(kind, object));
    return written === undefined ? Infinity : this.#ports.clock.monotonicMs() - written.atMs;
  }

  /** A copy that is behind shows what was before the last write: the same is not written twice for that. */
  async #write(kind: Kind, object: KubeObject, copy: KubeObject | undefined, status: object): Promise<void> {
    const id = idOf(kind, object);
    const content = digest(withoutTimes(status));
    const before = copy?.metadata.resourceVersion;
    const last = this.#written.get(id);
    if (last !== undefined && last.content === content && last.before === before) return;
    const { name, namespace } = object.metadata;
    const { apiVersion, kind: kindName } = kind;
    await this.#ports.objects.apply(
      kind,
      { apiVersion, kind: kindName, metadata: { name, namespace }, status: status as Record<string, unknown> },
      'status',
    );
    this.#written.set(id, { content, before, atMs: this.#ports.clock.monotonicMs() });
    if (this.#written.size > writtenMax) this.#written.delete([...this.#written.keys()][0] ?? '');
  }

  #now(): string {
    return new Date(this.#ports.clock.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

const writtenMax = 50_000;

function idOf(kind: Kind, object: KubeObject): string {
  return `${kind.plural} ${keyOf(object)}`;
}

function withoutTimes(status: object): unknown {
  return JSON.parse(JSON.stringify(status, (key, value: unknown) => (/Time$|^since$/.test(key) ? undefined : value)));
}

/** What stands in an object; undefined where nothing of Navigator's does. */
function publishedIn({ status }: KubeObject): ClusterStatus | undefined {
  if (!Array.isArray(status?.['conditions'])) return undefined;
  return { inProgress: [], ...status } as unknown as ClusterStatus;
}

/** Whether all of it stands there already; conditions of others beside ours are theirs. */
function isPublished(before: ClusterStatus | undefined, status: ClusterStatus): boolean {
  if (before === undefined) return false;
  const types = new Set(status.conditions.map(({ type }) => type));
  const conditions = before.conditions.filter(({ type }) => types.has(type));
  return same({ ...before, conditions }, status);
}
