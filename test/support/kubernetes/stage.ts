/**
 * A server on a real Kubernetes API, with a part of Kubernetes played by hand: pods and claims appear and go as the
 * StatefulSets say, and in each pod runs a real pilot with a fake database. Nothing else reacts to objects here.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Papers } from '../../../pilot/session.ts';
import type { TenureTiming } from '../../../server/coordination/tenure.ts';
import { startOnKubernetes, type KubernetesServer } from '../../../server/on-kubernetes.ts';
import { ownerAccess } from '../../../server/rpc/access.ts';
import { SignedTokens } from '../../../server/rpc/identity.ts';
import { serveOnSocket } from '../../../server/rpc/server.ts';
import type { Timing } from '../../../server/model/timing.ts';
import { sleep, systemClock, type Clock } from '../../../shared/clock.ts';
import { createLogger } from '../../../shared/log.ts';
import { systemRandom } from '../../../shared/random.ts';
import { FakePilot, FakeWorld } from '../../fakes/runtime.ts';
import { waitFor } from '../wait.ts';
import type { Answer, Call } from './call.ts';
import { freePort } from '../ports.ts';
import { openService, podPapers, type Service } from './service.ts';
import type { Kubernetes } from './shared.ts';

const clock = systemClock();
const pauseMs = 50;
const limitMs = 60_000;
const log = createLogger('test', process.env['STAGE_LOG'] ?? 'silent');

/** Short, so that a test sees in seconds what takes minutes. */
const quick: Timing = { heartbeatMs: 50, leaseMs: 400, permitTtlMs: 2_000, undoAfterMs: 60_000 };
const tenure: TenureTiming = { ttlMs: 1_500, renewEveryMs: 300, driftMax: 0.01 };

/** Any object, as it comes. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look at whatever came
export type Thing = any;

const apply = 'application/apply-patch+yaml';
const merge = 'application/merge-patch+json';

export interface StageOptions {
  /** The servers' own namespace; absent: another one each time. */
  readonly home?: string;
  /** How servers reach the API; absent: as a member of system:masters. */
  readonly config?: KubeConfig;
  readonly tenure?: TenureTiming;
  /** Servers open the door that they open in a pod, and pilots come to it with the tokens of their pods. */
  readonly ownDoor?: boolean;
}

/** The image of the pilot that a server of the first release names. */
const firstPilot = 'navigator-pilot:test';

export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'nav-'));
  readonly namespace: string;
  readonly home: string;
  /** Namespaces whose StatefulSets are played. */
  readonly played = new Set<string>();
  readonly pilots = new Map<string, { readonly uid: string; readonly pilot: FakePilot }>();
  readonly worlds = new Map<string, FakeWorld>();
  readonly #kubernetes: Kubernetes;
  readonly #options: StageOptions;
  #service: Service | undefined;
  readonly #tokens = new SignedTokens(Buffer.alloc(32, 7));
  readonly #servers = new Set<KubernetesServer>();
  #playing = true;
  #player: Promise<void> = Promise.resolve();
  #names = 0;

  private constructor(kubernetes: Kubernetes, places: { namespace: string; home: string }, options: StageOptions) {
    this.#kubernetes = kubernetes;
    this.#options = options;
    this.namespace = places.namespace;
    this.home = places.home;
    this.played.add(places.namespace);
  }

  /** A stage in namespaces of its own, and with no cluster in any other. */
  static async open(kubernetes: Kubernetes, options: StageOptions = {}): Promise<Stage> {
    const home = options.home ?? (await kubernetes.namespace());
    const stage = new Stage(kubernetes, { namespace: await kubernetes.namespace(), home }, options);
    await stage.#clear();
    if (options.ownDoor === true) stage.#service = await openService(stage.call, home);
    stage.#player = stage.#play();
    return stage;
  }

  get call(): Call {
    return this.#kubernetes.call;
  }

  get socket(): string {
    return join(this.directory, 's');
  }

  /** What leads to the active server, where servers open their own door. */
  get service(): Service {
    if (this.#service === undefined) throw new Error('there is no Service');
    return this.#service;
  }

  /** A pod of a server, which the caller runs; its name. */
  async serverPod(): Promise<string> {
    const name = `navigator-${(this.#names += 1)}`;
    const pod = { metadata: { name }, spec: { containers: [{ name: 'server', image: 'server' }] } };
    await this.call('DELETE', `/api/v1/namespaces/${this.home}/pods/${name}`, { gracePeriodSeconds: 0 });
    await this.must('POST', `/api/v1/namespaces/${this.home}/pods`, pod);
    return name;
  }

  /** One server more, which stands by where another one is active. */
  async serve(its: Clock = clock, pilotImage = firstPilot): Promise<KubernetesServer> {
    const podName = await this.serverPod();
    const port = await freePort();
    this.#service?.ports.set(podName, port);
    const serve = (ports: Parameters<typeof serveOnSocket>[1]): ReturnType<typeof serveOnSocket> =>
      serveOnSocket(this.socket, { ...ports, identity: this.#tokens, access: ownerAccess });
    const server = await startOnKubernetes(
      {
        ...{ namespace: this.home, podName, serviceName: 'navigator', pilotImage },
        ...{ listen: { host: '127.0.0.1', port }, http: { host: '127.0.0.1', port: 0 } },
        ...{ stateDirectory: join(this.directory, podName), logLevel: 'silent' },
        ...{ clock: its, random: systemRandom, log },
      },
      {
        config: this.#options.config ?? this.#kubernetes.api.config(),
        ...{ tenure: this.#options.tenure ?? tenure, timing: quick },
        ...(this.#service === undefined && { serve }),
      },
    );
    this.#servers.add(server);
    return server;
  }

  /** One that has become active. One that ends on the way is started again, as its pod would be. */
  async active(its: Clock = clock, pilotImage = firstPilot): Promise<KubernetesServer> {
    for (;;) {
      const server = await this.serve(its, pilotImage);
      let isEnded = false;
      void server.ended.then(() => (isEnded = true));
      await waitFor(() => isEnded || server.isActive(), 'a server to be active or to end', limitMs);
      if (server.isActive()) return server;
      await this.end(server);
    }
  }

  async end(server: KubernetesServer): Promise<void> {
    this.#servers.delete(server);
    await server.close();
  }

  /** Ends everything that runs; objects stay, since nobody else uses these namespaces. */
  async close(): Promise<void> {
    this.#playing = false;
    await this.#player;
    for (const { pilot } of this.pilots.values()) pilot.kill();
    await Promise.all([...this.#servers].map((server) => server.close()));
    await this.#service?.close();
    await this.#clear();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Takes away what anybody has left: servers take up every cluster and ledger that there is, whatever its namespace. */
  async #clear(): Promise<void> {
    for (const plural of ['elasticsearchclusters', 'couchbaseclusters', 'clusterledgers']) {
      const { items } = await this.must('GET', `/apis/navigator.jetstack.io/v1alpha1/${plural}`);
      for (const { metadata } of items as Thing[]) {
        const path = this.path(plural, metadata.name, metadata.namespace);
        if (metadata.finalizers !== undefined) await this.merge(path, { metadata: { finalizers: null } });
        await this.call('DELETE', path);
      }
    }
  }

  /** The path of objects of Navigator's own group. */
  path(plural: string, name = '', namespace = this.namespace): string {
    return `/apis/navigator.jetstack.io/v1alpha1/namespaces/${namespace}/${plural}${name && `/${name}`}`;
  }

  /** What is there, once it is. */
  found(path: string): Promise<Thing> {
    return waitFor(() => this.get(path), path, limitMs);
  }

  /** What is there; undefined: nothing. */
  async get(path: string): Promise<Thing> {
    const { status, body } = await this.call('GET', path);
    return status === 404 ? undefined : body;
  }

  async must(...call: Parameters<Call>): Promise<Answer['body']> {
    const { status, body } = await this.call(...call);
    if (status > 299) throw new Error(`${call[0]} ${call[1]}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Applies a cluster as a person would. */
  apply(
    name: string,
    spec: unknown,
    more: { namespace?: string; annotations?: Record<string, string> } = {},
  ): Promise<Thing> {
    const { namespace = this.namespace, annotations } = more;
    const head = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'ElasticsearchCluster' };
    const body = { ...head, metadata: { name, namespace, annotations }, spec };
    return this.must(
      'PATCH',
      `${this.path('elasticsearchclusters', name, namespace)}?fieldManager=person&force=true`,
      body,
      apply,
    );
  }

  merge(path: string, body: unknown): Promise<Thing> {
    return this.must('PATCH', path, body, merge);
  }

  /** Waits until a cluster is ready in its present generation. */
  ready(name: string, namespace = this.namespace): Promise<Thing> {
    return this.until(
      name,
      (object) => conditionOf(object, 'Ready')?.status === 'True',
      `${name} to be ready`,
      namespace,
    );
  }

  /** Waits until something is true of a cluster's object, whose status is of its present generation. */
  until(name: string, is: (object: Thing) => boolean, what: string, namespace = this.namespace): Promise<Thing> {
    const path = this.path('elasticsearchclusters', name, namespace);
    return waitFor(
      async () => {
        const object = await this.get(path);
        const isSeen = object?.status?.observedGeneration === object?.metadata.generation;
        return isSeen && is(object) ? object : undefined;
      },
      what,
      limitMs,
    );
  }

  /** Deletes a pod by hand, as Kubernetes does it in the end: it is gone at once. */
  deletePod(name: string, namespace = this.namespace): Promise<Answer> {
    return this.call('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, { gracePeriodSeconds: 0 });
  }

  async #play(): Promise<void> {
    while (this.#playing) {
      for (const namespace of this.played) await this.#playOnce(namespace).catch(() => undefined);
      await sleep(clock, pauseMs);
    }
  }

  async #playOnce(namespace: string): Promise<void> {
    const sets = (await this.must('GET', `/apis/apps/v1/namespaces/${namespace}/statefulsets`)).items as Thing[];
    const pods = (await this.must('GET', `/api/v1/namespaces/${namespace}/pods`)).items as Thing[];
    const wanted = new Map<string, Thing>();
    for (const set of sets) {
      // The garbage collector would orphan its pods, and let it go.
      if (set.metadata.deletionTimestamp !== undefined) {
        await this.merge(`/apis/apps/v1/namespaces/${namespace}/statefulsets/${set.metadata.name}`, {
          metadata: { finalizers: null },
        });
      } else {
        for (let at = 0; at < set.spec.replicas; at++) wanted.set(`${set.metadata.name}-${at}`, set);
      }
    }
    for (const [name, set] of wanted) {
      if (!pods.some(({ metadata }) => metadata.name === name)) await this.#makePod(namespace, name, set);
    }
    // Pods whose StatefulSet goes as an orphan stay.
    const lasting = sets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const pools = new Set(lasting.map(({ metadata }) => metadata.name as string));
    for (const { metadata } of pods) {
      const owner = metadata.labels?.['statefulset'] as string | undefined;
      if (owner !== undefined && pools.has(owner) && !wanted.has(metadata.name))
        await this.deletePod(metadata.name, namespace);
    }
    await this.#launch(namespace, (await this.must('GET', `/api/v1/namespaces/${namespace}/pods`)).items as Thing[]);
  }

  async #makePod(namespace: string, name: string, set: Thing): Promise<void> {
    const { metadata, spec } = set.spec.template;
    for (const claim of (set.spec.volumeClaimTemplates ?? []) as Thing[]) {
      const labels = { ...claim.metadata.labels, ...set.spec.selector.matchLabels };
      await this.call('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
        metadata: { name: `${claim.metadata.name}-${name}`, labels },
        spec: claim.spec,
      });
      const made = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim.metadata.name}-${name}`;
      const { requests } = claim.spec.resources;
      await this.must('PATCH', `${made}/status`, { status: { phase: 'Bound', capacity: requests } }, merge);
    }
    const labels = { ...metadata.labels, statefulset: set.metadata.name };
    const claims = (set.spec.volumeClaimTemplates ?? []) as Thing[];
    const volumes = claims.map((claim) => ({
      name: claim.metadata.name,
      persistentVolumeClaim: { claimName: `${claim.metadata.name}-${name}` },
    }));
    await this.must('POST', `/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name, labels, annotations: metadata.annotations },
      spec: { ...spec, volumes: [...spec.volumes, ...volumes] },
    });
    await this.merge(`/api/v1/namespaces/${namespace}/pods/${name}/status`, { status: { phase: 'Running' } });
  }

  /** Has a pilot run in each pod, and in no other. */
  async #launch(namespace: string, pods: readonly Thing[]): Promise<void> {
    for (const [key, { uid, pilot }] of this.pilots) {
      if (!key.startsWith(`${namespace}/`)) continue;
      if (pods.some(({ metadata }) => metadata.uid === uid)) continue;
      pilot.kill();
      this.world(`${namespace}/${pilot.place.cluster}`).machine.forget(pilot.place.member);
      this.pilots.delete(key);
    }
    for (const pod of pods) {
      const { metadata } = pod;
      const cluster = metadata.labels?.['navigator.jetstack.io/cluster'] as string | undefined;
      const key = `${namespace}/${metadata.name}`;
      if (cluster === undefined || this.pilots.has(key)) continue;
      const member = metadata.name as string;
      const papers = await this.#papersOf(pod, `${namespace}/${cluster}`);
      const place = {
        ...{ namespace, cluster, member, server: this.#service?.target ?? `unix:${this.socket}` },
        version: metadata.annotations['navigator.jetstack.io/version'] as string,
        template: metadata.annotations['navigator.jetstack.io/template'] as string,
        directory: join(this.directory, namespace, member),
        papers,
      };
      this.pilots.set(key, {
        uid: metadata.uid,
        pilot: new FakePilot(place, this.world(`${namespace}/${cluster}`), log),
      });
    }
  }

  async #papersOf({ metadata, spec }: Thing, cluster: string): Promise<Papers> {
    if (this.#service !== undefined) return await podPapers(this.call, metadata, spec.serviceAccountName);
    const token = this.#tokens.tokenFor({ cluster, member: metadata.name });
    return { token: () => token };
  }

  world(cluster: string): FakeWorld {
    const known = this.worlds.get(cluster) ?? new FakeWorld();
    this.worlds.set(cluster, known);
    return known;
  }
}

/** One condition of an object. */
export function conditionOf(object: Thing, type: string): Thing {
  return object?.status?.conditions?.find((one: Thing) => one.type === type);
}

/** What a person writes of a cluster of one pool of voters that hold data. */
export function small(replicas: number, more: object = {}, poolMore: object = {}): object {
  return {
    version: '6.8.23',
    nodePools: [{ name: 'node', replicas, roles: ['master', 'data'], ...poolMore }],
    ...more,
  };
}
