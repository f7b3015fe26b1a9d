/**
 * Takes up what people write into the objects of their clusters, and writes into them how the clusters are. It decides
 * nothing about databases: what is wanted goes to the loop, and what the loop has found comes back in its passes.
 */
import { digest } from '../../shared/ids.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { ClusterEvent } from '../events.ts';
import { annotations, clusterKeyOf, clusterKindOf, clusterKinds, finalizer } from '../kubernetes/kinds.ts';
import { keyOf, placeOf, type KubeObject } from '../kubernetes/objects.ts';
import { WorkQueue } from '../kubernetes/queue.ts';
import { ManifestError, parseManifest } from '../manifest/parse.ts';
import type { ClusterLoop } from '../cluster-loop.ts';
import { Publisher, type PublisherPorts } from './publisher.ts';
import { EventRecorder } from './recorder.ts';

/** What has become of an object as it stands. */
interface Taken {
  readonly text: string;
  readonly generation: number;
  readonly refusal?: { readonly reason: string; readonly message: string };
}

export type ControllerPorts = Omit<PublisherPorts, 'takenOf'> & { readonly instance: string };

const eventReasons: Readonly<Record<ClusterEvent['kind'], string>> = {
  started: 'Started',
  done: 'Done',
  held: 'Held',
  refused: 'Refused',
  changed: 'Changed',
};

export class Controller {
  readonly #ports: ControllerPorts;
  readonly #taken = new Map<string, Taken>();
  readonly #queue: WorkQueue;
  readonly #publisher: Publisher;
  readonly #recorder: EventRecorder;

  constructor(ports: ControllerPorts) {
    const { clock, random, log, objects, instance } = ports;
    this.#ports = ports;
    this.#recorder = new EventRecorder({ objects, clock, random, log, instance });
    this.#publisher = new Publisher({ ...ports, takenOf: (key) => this.#taken.get(key) });
    this.#queue = new WorkQueue({
      clock,
      random,
      work: (key) => this.#work(key),
      failed: (cluster, err) => log.warn({ cluster, err }, 'a cluster could not be taken up; it is tried again'),
    });
  }

  /** Takes up what is there, and whatever comes. The copies must have been read once, the loop must be open. */
  start(): void {
    const { clusters, loop } = this.#ports;
    clusters.onChange((object) => this.#queue.add(keyOf(object)));
    for (const object of clusters.all()) this.#queue.add(keyOf(object));
    for (const cluster of loop.list()) this.#queue.add(cluster.key);
    this.#ports.pilots.onChange((object) => this.refresh(clusterKeyOf(object)));
  }

  /** A pass of the loop has gone through. */
  passed(key: string): void {
    this.#publisher.refresh(key);
  }

  /** Has the status of a cluster and its pilots looked at. */
  refresh(key: string | undefined): void {
    if (key !== undefined) this.#publisher.refresh(key);
  }

  /** The loop tells what has happened. */
  happened(event: ClusterEvent): void {
    const object = this.#ports.clusters.get(event.cluster);
    if (object === undefined) return;
    const message = event.member === '' ? event.message : `${event.member}: ${event.message}`;
    this.#recorder.record(object, { reason: eventReasons[event.kind], isWarning: event.kind === 'refused', message });
    if (event.message === 'deleted') this.#queue.add(event.cluster);
  }

  async close(): Promise<void> {
    await Promise.all([this.#queue.close(), this.#publisher.close()]);
  }

  async #work(key: string): Promise<void> {
    const object = this.#ports.clusters.get(key);
    if (object === undefined) return this.#lost(key);
    if (this.#ports.clusters.rivalsOf(key).length > 0) this.#publisher.refresh(key);
    if (object.metadata.deletionTimestamp !== undefined) return this.#delete(key, object);
    if (object.metadata.finalizers?.includes(finalizer) !== true) return this.#protect(object);
    await this.#takeUp(key, object);
  }

  /** Its object cannot go before its members have: only then does Navigator let it. The change brings it back here. */
  async #protect(object: KubeObject): Promise<void> {
    const { resourceVersion, finalizers = [] } = object.metadata;
    await this.#ports.objects.patch(clusterKindOf(object), object.metadata, {
      metadata: { resourceVersion, finalizers: [...finalizers, finalizer] },
    });
  }

  async #takeUp(key: string, object: KubeObject): Promise<void> {
    const text = manifestOf(object);
    const { generation = 0, namespace, name } = object.metadata;
    const before = this.#taken.get(key);
    if (before?.text === text && before.refusal?.reason !== 'DeletionProtected') {
      if (before.generation !== generation) this.#take(key, object, { ...before, generation });
      return;
    }
    const { loop } = this.#ports;
    try {
      const { spec } = parseManifest(text, loop.manifestOf({ namespace, name }));
      await loop.apply(spec, text);
      this.#take(key, object, { text, generation });
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      this.#take(key, object, { text, generation, refusal });
    }
  }

  #take(key: string, object: KubeObject, taken: Taken): void {
    const before = this.#taken.get(key);
    this.#taken.set(key, taken);
    this.#publisher.refresh(key);
    const { refusal } = taken;
    if (refusal === undefined || digest(refusal) === digest(before?.refusal)) return;
    this.#recorder.record(object, { reason: refusal.reason, isWarning: true, message: refusal.message });
  }

  async #delete(key: string, object: KubeObject): Promise<void> {
    const cluster = this.#find(key);
    if (cluster === undefined) return this.#letGo(key, object);
    if (object.metadata.annotations?.[annotations.deletionProtection] === 'true') {
      const { generation = 0 } = object.metadata;
      const message = `it is kept: the annotation ${annotations.deletionProtection} protects it. Without that it is deleted`;
      const refusal = { reason: 'DeletionProtected', message };
      return this.#take(key, object, { text: manifestOf(object), generation, refusal });
    }
    // Nothing else of it can be changed any more; but a pause would hold it up for ever.
    const paused = object.spec?.['paused'] === true;
    await cluster.change((ledger) => {
      const isSo = ledger.deleting && ledger.spec.paused === paused;
      return isSo ? ledger : { ...ledger, deleting: true, spec: { ...ledger.spec, paused } };
    });
    this.#take(key, object, { text: manifestOf(object), generation: object.metadata.generation ?? 0 });
  }

  /** Nothing of it is left: its object may go, and with it what it owns. */
  async #letGo(key: string, object: KubeObject): Promise<void> {
    const { finalizers = [], resourceVersion } = object.metadata;
    this.#taken.delete(key);
    if (!finalizers.includes(finalizer)) return;
    await this.#ports.objects.patch(clusterKindOf(object), object.metadata, {
      metadata: { resourceVersion, finalizers: finalizers.filter((one) => one !== finalizer) },
    });
  }

  /** Somebody has taken the finalizer away: Kubernetes deletes what the object owned, and what is left goes in order. */
  async #lost(key: string): Promise<void> {
    this.#taken.delete(key);
    const cluster = this.#find(key);
    if (cluster === undefined || cluster.ledger.deleting) return;
    for (const kind of clusterKinds) {
      if ((await this.#ports.objects.find(kind, placeOf(key))) !== undefined) return;
    }
    this.#ports.log.warn({ cluster: key }, 'the object of a cluster is gone without Navigator; it is deleted in order');
    await cluster.change((ledger) => ({ ...ledger, deleting: true }));
  }

  #find(key: string): ClusterLoop | undefined {
    return this.#ports.loop.find(placeOf(key));
  }
}

/** What a person has written, as the text of a manifest: the same text as long as that is the same. */
function manifestOf({ apiVersion, kind, metadata, spec }: KubeObject): string {
  const { name, namespace, annotations: noted = {} } = metadata;
  const own = Object.entries(noted).filter(([key]) => key === annotations.deletionProtection);
  const kept = own.length > 0 ? { annotations: Object.fromEntries(own) } : {};
  return JSON.stringify({ apiVersion, kind, metadata: { name, namespace, ...kept }, spec });
}

/** Undefined for a failure that may pass. */
function refusalOf(error: unknown): Taken['refusal'] {
  if (error instanceof ManifestError) {
    const message = error.problems.map(({ path, reason }) => `${path} ${reason}`).join('; ');
    return { reason: 'InvalidSpec', message };
  }
  const known = NavigatorError.from(error);
  if (['refused', 'invalid', 'unsupported', 'exhausted'].includes(known.code))
    return { reason: 'Refused', message: known.message };
  return undefined;
}
