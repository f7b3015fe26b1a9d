/**
 * Ledgers in Kubernetes: each in one ClusterLedger beside its cluster. Every write names the resourceVersion that it
 * replaces, so that the API server itself refuses the second of two, and is in etcd before it is acknowledged.
 */
import { V1DeleteOptions } from '@kubernetes/client-node';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { NavigatorError } from '../../shared/errors.ts';
import { asMergePatch, type KubernetesApi } from '../kubernetes/api.ts';
import { isObjectMissing } from '../kubernetes/failure.ts';
import { ledgerCompressedMax, ledgerTextMax, type ClusterLedger } from '../model/cluster-ledger.ts';
import type { Ledger } from '../model/ledger.ts';
import { ledgerBytesMax, readLedger, writeLedger } from './ledger-text.ts';
import type { Store, Stored } from './store.ts';

const kind = { group: 'navigator.jetstack.io', version: 'v1alpha1', plural: 'clusterledgers' };
/** Of objects that may have a mebibyte each. */
const pageSize = 20;
const listTries = 3;

const compress = promisify(gzip);
const decompress = promisify(gunzip) as (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

/** What the API server calls the object that has a revision of ours. */
interface Known {
  readonly revision: number;
  readonly resourceVersion: string;
}

/**
 * A durable store in the API that `api` reaches. `revision` is a field of the object, which grows by one with each write;
 * that nobody else has written meanwhile is for the resourceVersion to say, which is remembered for each revision seen.
 */
export class KubernetesStore implements Store {
  /** Two servers may both believe that they lead. */
  readonly shared = true;
  readonly #api: KubernetesApi;
  readonly #known = new Map<string, Known>();

  constructor(api: KubernetesApi) {
    this.#api = api;
  }

  async list(): Promise<readonly Stored[]> {
    for (let left = listTries; ; left -= 1) {
      try {
        const objects = await this.#listOnce();
        const rows = await Promise.all(objects.map((object) => this.#stored(object)));
        return rows.sort((a, b) => (a.key < b.key ? -1 : 1));
      } catch (error) {
        // The pages of a list belong together, and etcd forgets what they were read from.
        if (!(error instanceof NavigatorError) || error.code !== 'conflict' || left <= 1) throw error;
      }
    }
  }

  async read(key: string): Promise<Stored | undefined> {
    const object = await this.#get(key);
    return object === undefined ? undefined : this.#stored(object);
  }

  async compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'> {
    const text = writeLedger(key, ledger);
    if (!Number.isSafeInteger(revision) || revision < 0) return 'conflict';
    const content = await packed(key, text);
    const object = revision === 0 ? await this.#create(key, content) : await this.#swap(key, revision, content);
    return object === 'conflict' ? object : { key, revision: object.revision, ledger: readLedger(text) };
  }

  async remove(key: string, revision: number): Promise<'removed' | 'conflict'> {
    const known = await this.#at(key, revision);
    if (known === undefined) return 'conflict';
    const { resourceVersion } = known;
    const body = Object.assign(new V1DeleteOptions(), { preconditions: { resourceVersion } });
    const remove = (): Promise<unknown> => this.#api.objects.deleteNamespacedCustomObject({ ...at(key), body });
    const removed = await this.#try(key, remove);
    this.#known.delete(key);
    return removed === 'conflict' ? removed : 'removed';
  }

  async close(): Promise<void> {
    await this.#api.close();
  }

  async #listOnce(): Promise<readonly ClusterLedger[]> {
    const objects: ClusterLedger[] = [];
    let _continue: string | undefined;
    do {
      const page = (await this.#api.objects.listCustomObjectForAllNamespaces({
        ...{ group: kind.group, version: kind.version, resourcePlural: kind.plural, limit: pageSize },
        ...(_continue === undefined ? {} : { _continue }),
      })) as { readonly items: readonly ClusterLedger[]; readonly metadata?: { readonly continue?: string } };
      objects.push(...page.items);
      _continue = page.metadata?.continue;
    } while (_continue !== undefined && _continue !== '');
    return objects;
  }

  async #get(key: string): Promise<ClusterLedger | undefined> {
    try {
      return this.#learn((await this.#api.objects.getNamespacedCustomObject(at(key))) as ClusterLedger);
    } catch (error) {
      this.#known.delete(key);
      if (error instanceof NavigatorError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  async #create(key: string, content: Content): Promise<ClusterLedger | 'conflict'> {
    const { namespace, name } = at(key);
    const body = { apiVersion: `${kind.group}/${kind.version}`, kind: 'ClusterLedger', metadata: { namespace, name } };
    return this.#try(key, async () =>
      this.#learn(
        (await this.#api.objects.createNamespacedCustomObject({
          ...{ ...kind, namespace },
          body: { ...body, revision: 1, ...content },
        })) as ClusterLedger,
      ),
    );
  }

  /** A patch, so that labels and finalizers of others stay; the resourceVersion in it makes it a compare-and-swap. */
  async #swap(key: string, revision: number, content: Content): Promise<ClusterLedger | 'conflict'> {
    const known = await this.#at(key, revision);
    if (known === undefined) return 'conflict';
    const { resourceVersion } = known;
    const body = { metadata: { resourceVersion }, revision: revision + 1, text: null, compressed: null, ...content };
    return this.#try(key, async () =>
      this.#learn(
        (await this.#api.objects.patchNamespacedCustomObject({ ...at(key), body }, asMergePatch)) as ClusterLedger,
      ),
    );
  }

  /** What is known of the object while it has this revision; undefined where it has another one, or is not there. */
  async #at(key: string, revision: number): Promise<Known | undefined> {
    if (this.#known.get(key)?.revision !== revision) await this.#get(key);
    const known = this.#known.get(key);
    return known?.revision === revision ? known : undefined;
  }

  /** A write. After one that failed it is not known what is there, so that the next one looks first. */
  async #try<T>(key: string, write: () => Promise<T>): Promise<T | 'conflict'> {
    try {
      return await write();
    } catch (error) {
      this.#known.delete(key);
      const code = error instanceof NavigatorError ? error.code : undefined;
      if (code === 'conflict' || code === 'already_exists' || isObjectMissing(error)) return 'conflict';
      throw error;
    }
  }

  #learn(object: ClusterLedger): ClusterLedger {
    const { resourceVersion = '' } = object.metadata;
    this.#known.set(keyOf(object), { revision: object.revision, resourceVersion });
    return object;
  }

  async #stored(object: ClusterLedger): Promise<Stored> {
    const key = keyOf(object);
    try {
      return { key, revision: object.revision, ledger: readLedger(await unpacked(object)) };
    } catch (cause) {
      throw new NavigatorError('internal', `the ClusterLedger ${key} is damaged: it cannot be read`, {
        cause,
        advice: [
          'Nothing was changed or deleted, and the databases run on.',
          `Look at it: kubectl -n ${object.metadata.namespace} get clusterledger ${object.metadata.name} -o yaml`,
          'Restore it from a backup, its revision one above the present one.',
        ],
      });
    }
  }
}

type Content = { readonly text: string } | { readonly compressed: string };

/** As people can read it while it is small; else compressed, and bounded by what an object of Kubernetes can hold. */
async function packed(key: string, text: string): Promise<Content> {
  if (text.length <= ledgerTextMax) return { text };
  const compressed = (await compress(text)).toString('base64');
  if (compressed.length <= ledgerCompressedMax) return { compressed };
  const size = `has ${compressed.length} bytes, compressed and in base64, and ${ledgerCompressedMax} is the most`;
  throw new NavigatorError('exhausted', `the ledger of ${key} ${size} that an object of Kubernetes can hold`);
}

async function unpacked({ text, compressed }: ClusterLedger): Promise<string> {
  if (text !== undefined) return text;
  const bytes = Buffer.from(compressed ?? '', 'base64');
  return (await decompress(bytes, { maxOutputLength: ledgerBytesMax })).toString();
}

function keyOf({ metadata }: ClusterLedger): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function at(key: string): typeof kind & { readonly namespace: string; readonly name: string } {
  const [namespace, name, ...more] = key.split('/');
  if (!namespace || !name || more.length > 0) {
    throw new NavigatorError('invalid', `"${key}" names no cluster: it must be namespace/name`);
  }
  return { ...kind, namespace, name };
}
