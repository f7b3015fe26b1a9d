/**
 * A copy of all objects of one kind, kept up by a list and watches that go on where the last one ended. Bookmarks move that
 * place on while nothing happens; where it is forgotten (410 Gone) everything is listed again. A failure is followed by
 * a growing pause. In a steady state nothing but the one watch is open.
 */
import { Watch, type KubeConfig } from '@kubernetes/client-node';
import { backoffMs, type BackoffRule } from '../../shared/backoff.ts';
import { sleep, type Clock, type Timer } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { Random } from '../../shared/random.ts';
import type { KubernetesApi } from './api.ts';
import { keyOf, pathOf, type Kind, type KubeObject } from './objects.ts';

export interface ReflectorPorts {
  readonly api: KubernetesApi;
  readonly config: KubeConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface ReflectorOptions {
  readonly kind: Kind;
  /** Which labels an object has to have; absent: all are kept. */
  readonly selector?: string;
  /** Groups objects, so that those of one group are found without a look at the others. */
  readonly groupOf?: (object: KubeObject) => string | undefined;
}

/** What has become of an object: `resync` says again what is known, though nothing has happened. */
export type ChangeKind = 'set' | 'gone' | 'resync';

const pageSize = '200';
/** How long the API server keeps one watch open. */
const watchSeconds = 300;
/** Bookmarks come about once a minute: a watch that is silent for longer is broken, whatever TCP believes. */
const silenceMs = 90_000;
const resyncMs = 10 * 60_000;
const retryRule: BackoffRule = { firstMs: 500, capMs: 30_000 };

type WatchEnd = 'ended' | 'forgotten';

export class Reflector {
  readonly #ports: ReflectorPorts;
  readonly #options: ReflectorOptions;
  readonly #objects = new Map<string, KubeObject>();
  readonly #groups = new Map<string, Map<string, KubeObject>>();
  readonly #listeners: ((object: KubeObject, change: ChangeKind) => void)[] = [];
  readonly #stop = new AbortController();
  /** Where the next watch goes on; undefined: everything must be listed. */
  #resourceVersion: string | undefined;
  #failures = 0;
  #resync: Timer | undefined;
  #synced: () => void = () => undefined;

  constructor(ports: ReflectorPorts, options: ReflectorOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Resolves once everything has been listed for the first time. It is tried for as long as it takes. */
  start(): Promise<void> {
    const synced = new Promise<void>((resolve) => (this.#synced = resolve));
    void this.#run();
    this.#resyncLater();
    return synced;
  }

  /** Calls back with each object that appears, changes or goes, and with all of them now and then. It must not throw. */
  onChange(listener: (object: KubeObject, change: ChangeKind) => void): void {
    this.#listeners.push(listener);
  }

  /** By `namespace/name`. */
  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  all(): readonly KubeObject[] {
    return [...this.#objects.values()];
  }

  /** Those of one group, in no order. */
  ofGroup(group: string): readonly KubeObject[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  close(): void {
    this.#stop.abort();
    this.#resync?.cancel();
    this.#listeners.length = 0;
  }

  async #run(): Promise<void> {
    const { clock, random, log } = this.#ports;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        this.#resourceVersion ??= await this.#list();
        this.#synced();
        const end = await this.#watch(this.#resourceVersion);
        if (end === 'ended') continue;
        this.#resourceVersion = undefined;
        log.info({ kind: this.#options.kind.kind }, 'the place of a watch is forgotten; everything is listed again');
      } catch (thrown) {
        if (this.#stop.signal.aborted) return;
        log.warn({ kind: this.#options.kind.kind, err: thrown }, 'a watch has failed; it is tried again');
      }
      await sleep(clock, backoffMs(retryRule, this.#failures, random), signal);
      this.#failures += 1;
    }
  }

  /** Everything that there is, page by page; what is not in it any more is gone. */
  async #list(): Promise<string> {
    const { kind, selector } = this.#options;
    const found = new Map<string, KubeObject>();
    let next: string | undefined;
    let resourceVersion = '';
    do {
      const query = {
        limit: pageSize,
        ...(selector !== undefined && { labelSelector: selector }),
        ...(next !== undefined && { continue: next }),
      };
      const page = (await this.#ports.api.call({ method: 'GET', path: pathOf(kind), query })) as {
        readonly items: readonly KubeObject[];
        readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
      };
      // A list says of what kind it is once, for all of its objects.
      for (const item of page.items) found.set(keyOf(item), { ...item, apiVersion: kind.apiVersion, kind: kind.kind });
      next = page.metadata.continue;
      resourceVersion = page.metadata.resourceVersion;
    } while (next !== undefined && next !== '');
    for (const [key, object] of this.#objects) if (!found.has(key)) this.#drop(object);
    for (const object of found.values()) this.#set(object);
    return resourceVersion;
  }

  #watch(resourceVersion: string): Promise<WatchEnd> {
    const { kind, selector } = this.#options;
    // Its own 30 s are shorter than the time between bookmarks, and it has no option for it.
    const watch = new Watch(this.#ports.config);
    Object.assign(watch, { requestTimeoutMs: silenceMs });
    const query = {
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(watchSeconds * (1 + this.#ports.random.fraction())),
      ...(selector !== undefined && { labelSelector: selector }),
    };
    return new Promise((resolve, reject) => {
      let end: WatchEnd = 'ended';
      const { signal } = this.#stop;
      const take = (type: string, object: unknown): void => {
        if (type === 'ERROR') {
          if (isForgotten(object)) end = 'forgotten';
          else reject(new NavigatorError('unavailable', `the watch says: ${JSON.stringify(object).slice(0, 500)}`));
          return;
        }
        this.#take(type, object as KubeObject);
      };
      const done = (error: unknown): void => {
        if (isForgotten(error)) resolve('forgotten');
        else if (error === null || error === undefined || isSilence(error)) resolve(end);
        else reject(NavigatorError.from(error));
      };
      watch.watch(pathOf(kind), query, take, done).then((controller) => {
        if (signal.aborted) controller.abort();
        else signal.addEventListener('abort', () => controller.abort(), { once: true });
      }, reject);
    });
  }

  #take(type: string, object: KubeObject): void {
    this.#failures = 0;
    this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
    if (type === 'ADDED' || type === 'MODIFIED') this.#set(object);
    else if (type === 'DELETED') this.#drop(object);
  }

  #set(object: KubeObject): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (before !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion) return;
    if (before !== undefined) this.#ungroup(key, before);
    this.#objects.set(key, object);
    const group = this.#options.groupOf?.(object);
    if (group !== undefined) {
      const members = this.#groups.get(group) ?? new Map<string, KubeObject>();
      this.#groups.set(group, members.set(key, object));
    }
    this.#tell(object, 'set');
  }

  #drop(object: KubeObject): void {
    const key = keyOf(object);
    this.#ungroup(key, this.#objects.get(key) ?? object);
    this.#objects.delete(key);
    this.#tell(object, 'gone');
  }

  #ungroup(key: string, object: KubeObject): void {
    const group = this.#options.groupOf?.(object);
    const members = group === undefined ? undefined : this.#groups.get(group);
    members?.delete(key);
    if (group !== undefined && members?.size === 0) this.#groups.delete(group);
  }

  #tell(object: KubeObject, change: ChangeKind): void {
    for (const listener of this.#listeners) listener(object, change);
  }

  #resyncLater(): void {
    this.#resync = this.#ports.clock.after(resyncMs, () => {
      for (const object of this.#objects.values()) this.#tell(object, 'resync');
      this.#resyncLater();
    });
  }
}

/** 410, as the status of an answer or in the words of a watch. */
function isForgotten(found: unknown): boolean {
  const { code, statusCode } = (found ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown };
  return code === 410 || statusCode === 410;
}

/** The client ended a watch in which nothing was said: it goes on where it was. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}
