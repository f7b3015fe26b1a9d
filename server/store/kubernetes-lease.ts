/** The servers' lease in Kubernetes: one coordination.k8s.io Lease, by compare-and-swap on its resourceVersion. */
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { asMergePatch, type KubernetesApi } from '../kubernetes/api.ts';
import { isObjectMissing } from '../kubernetes/failure.ts';
import type { Lease, LeaseRecord } from '../model/lease.ts';
import type { LeaseStore } from './lease.ts';

const kind = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };

interface KubernetesLease {
  readonly metadata: { readonly resourceVersion?: string; readonly uid?: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseTransitions?: number;
    readonly leaseDurationSeconds?: number;
  };
}

/** The Lease `name` in `namespace`. `leaseTransitions` is the term; times in it are for people alone. */
export class KubernetesLeaseStore implements LeaseStore {
  readonly #api: KubernetesApi;
  readonly #clock: Clock;
  readonly #place: { readonly namespace: string; readonly name: string };

  constructor(api: KubernetesApi, clock: Clock, place: { readonly namespace: string; readonly name: string }) {
    this.#api = api;
    this.#clock = clock;
    this.#place = place;
  }

  async read(): Promise<LeaseRecord | undefined> {
    try {
      return recordOf(await this.#api.objects.getNamespacedCustomObject({ ...kind, ...this.#place }));
    } catch (error) {
      if (isObjectMissing(error)) return undefined;
      throw error;
    }
  }

  async write(lease: Lease, version: string | undefined): Promise<LeaseRecord | 'conflict'> {
    const now = microTime(this.#clock.wallMs());
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...this.#place, ...(version === undefined ? {} : { resourceVersion: version }) },
      spec: {
        holderIdentity: lease.holder,
        leaseTransitions: lease.term,
        leaseDurationSeconds: Math.max(1, Math.ceil(lease.ttlMs / 1_000)),
        renewTime: now,
      },
    };
    const { objects } = this.#api;
    const place = { ...kind, ...this.#place, body };
    try {
      if (version === undefined) return recordOf(await objects.createNamespacedCustomObject(place));
      // A Lease that is replaced and not there would be made, in spite of its resourceVersion; a patch makes nothing.
      return recordOf(await objects.patchNamespacedCustomObject(place, asMergePatch));
    } catch (error) {
      const code = error instanceof NavigatorError ? error.code : undefined;
      if (code === 'conflict' || code === 'already_exists' || isObjectMissing(error)) return 'conflict';
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#api.close();
  }
}

function recordOf(found: unknown): LeaseRecord {
  const { metadata, spec = {} } = found as KubernetesLease;
  return {
    holder: spec.holderIdentity ?? '',
    term: spec.leaseTransitions ?? 0,
    ttlMs: (spec.leaseDurationSeconds ?? 0) * 1_000,
    version: metadata.resourceVersion ?? '',
  };
}

function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
