/** Objects of Kubernetes as plain JSON, of whatever kind: where they are, and how Navigator reads and writes them. */
import { NavigatorError } from '../../shared/errors.ts';
import type { KubernetesApi } from './api.ts';

/** One kind of objects. All that Navigator touches are namespaced. */
export interface Kind {
  /** `v1` for the core. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

/** Any object. What is in it besides is for whoever knows its kind. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Of a Secret. */
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** The name under which Navigator owns fields, in server-side apply and everywhere else. */
export const fieldManager = 'navigator';

const applyPatch = 'application/apply-patch+yaml';
const mergePatch = 'application/merge-patch+json';

/** The path of all objects of a kind, in one namespace or in all. */
export function pathOf({ apiVersion, plural }: Kind, namespace?: string): string {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  return namespace === undefined
    ? `${root}/${plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

/** `namespace/name` of an object. */
export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The place that `namespace/name` stands for. */
export function placeOf(key: string): Place {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

/** Reads and writes objects. Every method rejects with a NavigatorError, and tries nothing twice. */
export class KubeObjects {
  readonly #api: KubernetesApi;

  constructor(api: KubernetesApi) {
    this.#api = api;
  }

  /** Undefined where it is not there. */
  async find(kind: Kind, { namespace, name }: Place): Promise<KubeObject | undefined> {
    try {
      return (await this.#api.call({ method: 'GET', path: `${pathOf(kind, namespace)}/${name}` })) as KubeObject;
    } catch (error) {
      if (error instanceof NavigatorError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /**
   * Makes what Navigator owns of an object as given, and lets everybody else's fields be. A resourceVersion in it makes
   * it a compare-and-swap: `conflict` where the object has changed since.
   */
  async apply(kind: Kind, object: KubeObject, subresource?: 'status'): Promise<KubeObject> {
    const { namespace, name } = object.metadata;
    const path = `${pathOf(kind, namespace)}/${name}${subresource === undefined ? '' : `/${subresource}`}`;
    const query = { fieldManager, force: 'true' };
    return (await this.#api.call({
      method: 'PATCH',
      path,
      query,
      body: object,
      contentType: applyPatch,
    })) as KubeObject;
  }

  /** Changes single fields: null removes. A resourceVersion in it makes it a compare-and-swap. */
  async patch(kind: Kind, { namespace, name }: Place, body: unknown): Promise<KubeObject> {
    const path = `${pathOf(kind, namespace)}/${name}`;
    const query = { fieldManager };
    return (await this.#api.call({ method: 'PATCH', path, query, body, contentType: mergePatch })) as KubeObject;
  }

  /** Makes a new object. */
  async create(kind: Kind, object: KubeObject): Promise<KubeObject> {
    const path = pathOf(kind, object.metadata.namespace);
    return (await this.#api.call({ method: 'POST', path, query: { fieldManager }, body: object })) as KubeObject;
  }

  /** Removes this very object; one that is gone, or has been made anew, is let be. `orphan`: what it owns stays. */
  async remove(kind: Kind, object: KubeObject, propagation: 'Background' | 'Orphan' = 'Background'): Promise<void> {
    const { namespace, name, uid } = object.metadata;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: propagation,
      ...(uid !== undefined && { preconditions: { uid } }),
    };
    try {
      await this.#api.call({ method: 'DELETE', path: `${pathOf(kind, namespace)}/${name}`, body });
    } catch (error) {
      const gone = error instanceof NavigatorError && (error.code === 'not_found' || error.code === 'conflict');
      if (!gone) throw error;
    }
  }
}
