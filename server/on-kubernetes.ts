/**
 * A server on Kubernetes, assembled: one of several, active while it holds the lease. Only the active one reads clusters, runs
 * their loops and is dialled by pilots. One that loses the lease ends at once, and is started again to stand by.
 */
import { KubeConfig } from '@kubernetes/client-node';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import { Journal, JOURNAL_FILE } from '../shared/journal.ts';
import type { Logger } from '../shared/log.ts';
import type { Random } from '../shared/random.ts';
import { navigatorVersion } from '../shared/version.ts';
import { Candidate } from './candidate.ts';
import { Clusters } from './controller/clusters.ts';
import { Controller } from './controller/controller.ts';
import { poolsThatMayGo } from './controller/disruption.ts';
import { defaultTenureTiming, type TenureTiming } from './coordination/tenure.ts';
import { EventFeed } from './events.ts';
import { becomeActive } from './kubernetes/active.ts';
import { connect, type KubernetesApi } from './kubernetes/api.ts';
import { keepCertificates, serviceNames } from './kubernetes/certificates.ts';
import { clusterKeyOf, clusterKinds, kinds, ownSelector } from './kubernetes/kinds.ts';
import { KubeObjects } from './kubernetes/objects.ts';
import { KubernetesPeople } from './kubernetes/people.ts';
import { Reflector } from './kubernetes/reflector.ts';
import { PodIdentity } from './kubernetes/token-review.ts';
import { Loop } from './loop.ts';
import { defaultTiming, type Timing } from './model/timing.ts';
import { KnownPeople } from './rpc/known-people.ts';
import { KnownPilots } from './rpc/known-pilots.ts';
import type { NavigatorServicePorts } from './rpc/navigator-service.ts';
import type { PilotServicePorts } from './rpc/pilot-service.ts';
import { Refusals } from './rpc/refusals.ts';
import { serveOnTls, type RpcServer, type TlsRpcServer } from './rpc/server.ts';
import { createCopies, startCopies, type Copies } from './runtime/kubernetes/copies.ts';
import { KubernetesRuntime } from './runtime/kubernetes/runtime.ts';
import { KubernetesLeaseStore } from './store/kubernetes-lease.ts';
import { KubernetesStore } from './store/kubernetes.ts';
import { serveHealth } from './web/health.ts';
import { metricsText } from './web/metrics.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface KubernetesOptions {
  /** Its own, which holds the lease. */
  readonly namespace: string;
  readonly podName: string;
  /** Where pilots and people reach it. */
  readonly listen: Address;
  readonly http: Address;
  /** `repository:tag` for clusters that name none. */
  readonly pilotImage: string;
  /** Of the Service that pilots dial. */
  readonly serviceName: string;
  /** Absent: that of the pod that it runs in. */
  readonly kubeconfig?: string;
  readonly stateDirectory: string;
  readonly logLevel: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What a test does otherwise. */
export interface KubernetesParts {
  readonly config?: KubeConfig;
  readonly tenure?: TenureTiming;
  readonly timing?: Timing;
  /** Opens the door for pilots and people. */
  readonly serve?: (ports: RpcPorts) => Promise<RpcServer>;
}

export interface KubernetesServer {
  /** Resolves with why it has ended: of itself, because another one may be active now, or by `close`. */
  readonly ended: Promise<'lease is lost' | 'closed' | NavigatorError>;
  /** Whether it is the active one, and does its work. */
  isActive(): boolean;
  /** Gives the lease away and ends. Databases and pilots run on. */
  close(): Promise<void>;
}

type RpcPorts = PilotServicePorts & NavigatorServicePorts;

/** Of one segment of the journal. There are two. */
const journalBytes = 16 * 2 ** 20;
const leaseName = 'navigator-server';
const giveAwayWithinMs = 5_000;

/** Starts one. It stands by until it gets the lease. */
export async function startOnKubernetes(
  options: KubernetesOptions,
  parts: KubernetesParts = {},
): Promise<KubernetesServer> {
  const { clock, log, random, namespace } = options;
  const config = parts.config ?? configOf(options.kubeconfig);
  const leases = new KubernetesLeaseStore(connect(config, clock), clock, { namespace, name: leaseName });
  const refusals = new Refusals();
  const health = await serveHealth(options.http, {
    isReady: () => true,
    metrics: () => metricsText({ isActive: candidate.term() !== undefined, refusals: refusals.counts() }),
  });
  let end: (why: 'lease is lost' | 'closed' | NavigatorError) => void = () => undefined;
  const ended: KubernetesServer['ended'] = new Promise((resolve) => (end = resolve));
  let work: Promise<ActiveServer> | undefined;
  let active: ActiveServer | undefined;
  let closing = false;
  const candidate: Candidate = new Candidate(
    `${options.podName}_${random.hex(8)}`,
    { store: leases, clock, timing: parts.tenure ?? defaultTenureTiming },
    {
      changed: (term) => {
        log.info({ term }, term === undefined ? 'this server is not the active one' : 'this server is the active one');
        if (term === undefined) {
          if (work !== undefined && !closing) end('lease is lost');
          return;
        }
        work ??= beginWork(options, parts, { config, refusals, isActive: () => candidate.term() !== undefined });
        work.then(
          (begun) => (active = begun),
          (thrown: unknown) => end(NavigatorError.from(thrown)),
        );
      },
      failed: (err) => log.warn({ err }, 'the lease could not be read or renewed; it is tried again'),
    },
  );
  candidate.start();
  return {
    ended,
    isActive: () => active !== undefined && candidate.term() !== undefined,
    close: async () => {
      closing = true;
      await (await work?.catch(() => undefined))?.close();
      await candidate.leave(giveAwayWithinMs);
      await health.close();
      await leases.close();
      end('closed');
    },
  };
}

function configOf(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
  return config;
}

interface ActiveServer {
  close(): Promise<void>;
}

interface Standing {
  readonly config: KubeConfig;
  readonly refusals: Refusals;
  readonly isActive: () => boolean;
}

async function beginWork(
  options: KubernetesOptions,
  parts: KubernetesParts,
  { config, refusals, isActive }: Standing,
): Promise<ActiveServer> {
  const { clock, log, random, podName } = options;
  mkdirSync(options.stateDirectory, { recursive: true });
  const api = fenced(connect(config, clock), isActive);
  const objects = new KubeObjects(api);
  const watching = { api, config, clock, random, log };
  const copies = createCopies(watching);
  const clusters = new Clusters(clusterKinds.map((kind) => new Reflector(watching, { kind })));
  const pilots = new Reflector(watching, { kind: kinds.pilot, selector: ownSelector, groupOf: clusterKeyOf });
  const trouble = new Trouble((key) => controller.refresh(key));
  const watched = { api, objects, copies, clusters, trouble };
  const { runtime, store, record, events } = openAdapters(options, watched);
  let publishCa: (namespace: string) => void = () => undefined;
  const loop: Loop = new Loop({
    ...{ clock, random, store, runtime, log, timing: parts.timing ?? defaultTiming, record },
    publish: (event) => {
      events.publish(event);
      controller.happened(event);
    },
    passed: (key, snapshot) => {
      publishCa(key.slice(0, key.indexOf('/')));
      const accepted = snapshot.observed.cluster?.topology?.administrator ?? '';
      runtime.keep({ ledger: snapshot.stored.ledger, mayGo: poolsThatMayGo(snapshot), accepted });
      controller.passed(key);
    },
  });
  const controller: Controller = new Controller({
    ...{ loop, objects, clock, random, log, instance: podName, troubleOf: (key) => trouble.of(key) },
    ...{ clusters, pilots, pods: copies.pods },
  });
  let door: Door | undefined;
  const close = async (): Promise<void> => {
    await door?.close();
    await loop.close();
    await controller.close();
    await runtime.close();
    for (const copy of [...Object.values(copies), clusters, pilots]) copy.close();
    await api.close();
    record.close();
  };
  try {
    await Promise.all([startCopies(copies), clusters.start(), pilots.start()]);
    await loop.open();
    controller.start();
    const wallMs = (): number => clock.wallMs();
    const shared = { loop, clock, log, events, refusals, wallMs, writtenBy: 'kubectl' };
    const identity = new KnownPilots(new PodIdentity(api, clock), clock);
    const access = new KnownPeople(new KubernetesPeople(api), clock);
    door = await openDoor(options, parts, { api, ports: { ...shared, identity, access } });
    publishCa = (namespace) => door?.publish(namespace);
    await becomeActive(objects, api, options);
    log.info('the server is ready');
    return { close };
  } catch (thrown) {
    // Nobody waits for it: the lease is to be free soon.
    close().catch((err: unknown) => log.warn({ err }, 'what was begun could not be ended'));
    throw thrown;
  }
}

interface Door extends RpcServer {
  /** Has the CA in a namespace that may have got its first cluster. */
  publish(namespace: string): void;
}

/** Opens the door for pilots and people: TLS, by certificates that are looked after as long as it is open. */
async function openDoor(
  options: KubernetesOptions,
  parts: KubernetesParts,
  { api, ports }: { readonly api: KubernetesApi; readonly ports: RpcPorts },
): Promise<Door> {
  const { clock, log, namespace, serviceName } = options;
  if (parts.serve !== undefined) return { ...(await parts.serve(ports)), publish: () => undefined };
  const opened: { rpc?: TlsRpcServer } = {};
  const certificates = await keepCertificates(
    { api, clock, log },
    {
      ...{ namespace, names: serviceNames(serviceName, namespace) },
      namespaces: () => new Set(ports.loop.list().map(({ ledger }) => ledger.spec.id.namespace)),
      onChange: (fresh) => opened.rpc?.replaceCredentials(fresh),
    },
  );
  const rpc = await serveOnTls(options.listen, certificates.credentials, ports);
  opened.rpc = rpc;
  return {
    publish: (place) => {
      certificates
        .publish(place)
        .catch((err: unknown) => log.warn({ err, namespace: place }, 'no CA could be published'));
    },
    close: async () => {
      certificates.close();
      await rpc.close();
    },
  };
}

/** What could not be made as it should be, by cluster. */
class Trouble {
  readonly #messages = new Map<string, string>();
  readonly #changed: (key: string) => void;

  constructor(changed: (key: string) => void) {
    this.#changed = changed;
  }

  of(key: string): string {
    return this.#messages.get(key) ?? '';
  }

  /** An empty message: now it could. */
  tell(key: string, message: string): void {
    if (message === this.of(key)) return;
    if (message === '') this.#messages.delete(key);
    else this.#messages.set(key, message);
    this.#changed(key);
  }
}

interface Watched {
  readonly api: KubernetesApi;
  readonly objects: KubeObjects;
  readonly copies: Copies;
  readonly clusters: Clusters;
  readonly trouble: Trouble;
}

interface Adapters {
  readonly runtime: KubernetesRuntime;
  readonly store: KubernetesStore;
  readonly record: Journal;
  readonly events: EventFeed;
}

function openAdapters(options: KubernetesOptions, { api, objects, copies, clusters, trouble }: Watched): Adapters {
  const { clock, log, random, podName, pilotImage, serviceName, namespace, listen, logLevel } = options;
  const pod = { pilotImage, server: `${serviceName}.${namespace}.svc:${listen.port}`, logLevel };
  const keeping = { by: `server ${podName}`, version: navigatorVersion(), segmentBytes: journalBytes };
  return {
    runtime: new KubernetesRuntime({
      ...{ objects, copies, pod, clock, random, log },
      ownerOf: (key) => ownerIn(clusters, key),
      trouble: (key, message) => trouble.tell(key, message),
    }),
    store: new KubernetesStore(api),
    record: new Journal(join(options.stateDirectory, JOURNAL_FILE), { ...keeping, wallMs: () => clock.wallMs() }),
    events: new EventFeed(),
  };
}

function ownerIn(clusters: Clusters, key: string) {
  const { apiVersion, kind, metadata } = clusters.get(key) ?? {};
  const known = apiVersion !== undefined && kind !== undefined && metadata?.uid !== undefined;
  return known ? { apiVersion, kind, name: metadata.name, uid: metadata.uid } : undefined;
}

/** Whoever has lost the lease writes nothing any more, whatever is still under way. */
function fenced(api: KubernetesApi, isActive: () => boolean): KubernetesApi {
  return {
    ...api,
    call: async (request) => {
      if (request.method !== 'GET' && !isActive())
        throw new NavigatorError('unavailable', 'this server is not the active one any more');
      return await api.call(request);
    },
  };
}
