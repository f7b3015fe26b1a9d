/** All clusters of a server: one loop each, and what people ask of them. */
import { NavigatorError } from '../shared/errors.ts';
import { ClusterLoop, type LoopPorts } from './cluster-loop.ts';
import { clusterKey, type ClusterId, type ClusterSpec } from './model/cluster.ts';
import type { Ledger } from './model/ledger.ts';
import type { Observation } from './model/observation.ts';
import { versionObjection } from './reconcile/couchbase-swaps.ts';

/** How many clusters one server takes. */
const clustersMax = 10_000;

/** What an application of a manifest came to. */
export type ApplyOutcome = 'created' | 'changed' | 'unchanged';

export class Loop {
  readonly #ports: LoopPorts;
  readonly #clusters = new Map<string, ClusterLoop>();
  readonly #startedAtMs: number;

  constructor(ports: LoopPorts) {
    this.#ports = ports;
    this.#startedAtMs = ports.clock.monotonicMs();
    ports.runtime.onChange((key) => this.#clusters.get(key)?.wake());
  }

  /** Takes up every cluster of the store. */
  async open(): Promise<void> {
    const all = await this.#ports.store.list();
    const pilots = all.reduce((sum, { ledger }) => sum + Object.keys(ledger.members).length, 0);
    for (const stored of all) this.#add(new ClusterLoop(stored, this.#ports, this.#startedAtMs, pilots));
  }

  /** All clusters, ordered by key. */
  list(): readonly ClusterLoop[] {
    return [...this.#clusters.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The loop of one cluster, where there is one. */
  find(id: ClusterId): ClusterLoop | undefined {
    return this.#clusters.get(clusterKey(id));
  }

  /** The loop of one cluster. Throws `not_found` with the names that there are. */
  get(id: ClusterId): ClusterLoop {
    const found = this.#clusters.get(clusterKey(id));
    if (found !== undefined) return found;
    const names = this.list().map((cluster) => cluster.key);
    const advice =
      names.length === 0
        ? 'there is no cluster yet; `navigator apply -f FILE` makes one'
        : `there are: ${names.join(', ')}`;
    throw new NavigatorError('not_found', `there is no cluster ${clusterKey(id)}`, { advice: [advice] });
  }

  /** The manifest that a cluster was last given. */
  manifestOf(id: ClusterId): string | undefined {
    return this.#clusters.get(clusterKey(id))?.ledger.manifest;
  }

  /** Makes a cluster, or changes what is wanted of it. Validation lies behind, what it takes to run it is there. */
  async apply(spec: ClusterSpec, manifest: string): Promise<ApplyOutcome> {
    const key = clusterKey(spec.id);
    await this.#ports.runtime.prepare(spec);
    const present = this.#clusters.get(key);
    if (present !== undefined) {
      const before = present.ledger.generation;
      const after = await present.change((ledger) => applied(ledger, spec, manifest, present.snapshot?.observed));
      return after.generation === before ? 'unchanged' : 'changed';
    }
    if (this.#clusters.size >= clustersMax)
      throw new NavigatorError('exhausted', `a server takes ${clustersMax} clusters at most`);
    const written = await this.#ports.store.compareAndSwap(key, 0, newLedger(spec, manifest));
    if (written === 'conflict')
      throw new NavigatorError('conflict', `cluster ${key} has just been made by somebody else`);
    this.#add(new ClusterLoop(written, this.#ports, this.#startedAtMs));
    return 'created';
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clusters.values()].map((cluster) => cluster.close()));
  }

  #add(cluster: ClusterLoop): void {
    this.#clusters.set(cluster.key, cluster);
    cluster.onForgotten(() => this.#clusters.delete(cluster.key));
    cluster.wake();
  }
}

function newLedger(spec: ClusterSpec, manifest: string): Ledger {
  return {
    spec,
    manifest,
    generation: 1,
    paused: false,
    deleting: false,
    leadership: { term: 0, leader: '', incarnation: '' },
    members: {},
    permits: [],
  };
}

function applied(ledger: Ledger, spec: ClusterSpec, manifest: string, observed: Observation | undefined): Ledger {
  if (ledger.deleting) {
    throw new NavigatorError(
      'refused',
      `cluster ${clusterKey(spec.id)} is being deleted; apply it again when it is gone`,
    );
  }
  const objection = versionObjection(ledger, spec, observed);
  if (objection !== undefined) {
    throw new NavigatorError('refused', `spec.version: ${spec.version} is not possible now: ${objection}`);
  }
  const same = JSON.stringify(ledger.spec) === JSON.stringify(spec);
  if (same && ledger.manifest === manifest) return ledger;
  return { ...ledger, spec, manifest, generation: ledger.generation + (same ? 0 : 1) };
}
