/** A whole Navigator in this process: a real server on a real socket, real pilots, and a database in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { NavigatorServiceClient } from '../../proto/navigator/v1/navigator.ts';
import { EventFeed, type ClusterEvent } from '../../server/events.ts';
import type { ClusterLoop } from '../../server/cluster-loop.ts';
import { Loop } from '../../server/loop.ts';
import { clusterKey, type ClusterSpec } from '../../server/model/cluster.ts';
import type { Ledger } from '../../server/model/ledger.ts';
import type { Permit } from '../../server/model/permit.ts';
import { isOpen } from '../../server/model/permit.ts';
import type { Timing } from '../../server/model/timing.ts';
import { ownerAccess, type Access, type Identity } from '../../server/rpc/access.ts';
import { SignedTokens } from '../../server/rpc/identity.ts';
import { Refusals } from '../../server/rpc/refusals.ts';
import { serveOnSocket, serveOnTls, type RpcServer, type TlsRpcServer } from '../../server/rpc/server.ts';
import type { TlsCredentials } from '../../server/rpc/tls.ts';
import { clusterView } from '../../server/rpc/views.ts';
import { MemoryStore } from '../../server/store/memory.ts';
import type { Stored } from '../../server/store/store.ts';
import { Journal, JOURNAL_FILE, type JournalDisk } from '../../shared/journal.ts';
import { createLogger, type Logger } from '../../shared/log.ts';
import { systemRandom } from '../../shared/random.ts';
import type { FakeCluster } from '../fakes/engine.ts';
import type { FakeMachine } from '../fakes/process.ts';
import { FakeRuntime, PushedClock, type FakePilot } from '../fakes/runtime.ts';
import { navigatorVersion } from '../../shared/version.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { waitFor } from '../support/wait.ts';

/** Short, so that a test sees in seconds what takes minutes. */
export const quick: Timing = { heartbeatMs: 50, leaseMs: 400, permitTtlMs: 2_000, undoAfterMs: 60_000 };

export const log = createLogger('test', 'silent');
const limitMs = 30_000;

/** Keeps everything that was ever written, in order. */
class KeepingStore extends MemoryStore {
  readonly written: Ledger[] = [];

  override async compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'> {
    const stored = await super.compareAndSwap(key, revision, ledger);
    if (stored !== 'conflict') this.written.push(stored.ledger);
    return stored;
  }
}

/** A cluster `demo` of one pool of voters that hold data. */
export function demo(replicas: number, change: Partial<ClusterSpec> = {}): ClusterSpec {
  return clusterSpec([pool('node', replicas)], change);
}

const demoKey = 'default/demo';

/** How the server is reached, where that is not a socket. `ca`: what pilots and clients trust. */
export interface Doors {
  readonly tls?: TlsCredentials;
  readonly ca?: () => Buffer;
  readonly identity?: Identity;
  readonly access?: Access;
  readonly log?: Logger;
}

export class Scene {
  readonly directory = mkdtempSync(join(tmpdir(), 'nav-'));
  readonly socket = join(this.directory, 's');
  readonly tokens = new SignedTokens(Buffer.alloc(32, 7));
  readonly store = new KeepingStore();
  readonly events = new EventFeed();
  readonly refusals = new Refusals();
  /** The server's own. */
  readonly clock = new PushedClock();
  readonly runtime: FakeRuntime;
  #loop: Loop | undefined;
  #rpc: RpcServer | undefined;
  #client: NavigatorServiceClient | undefined;

  readonly #disk: JournalDisk | undefined;

  readonly #doors: Doors;
  #tls: TlsRpcServer | undefined;
  #port = 0;

  /** `disks` are what journals are written to, the server's and the pilots'. */
  constructor(disks: { readonly server?: JournalDisk; readonly pilots?: JournalDisk } = {}, doors: Doors = {}) {
    const tokenFor = (cluster: string, member: string): string => this.tokens.tokenFor({ cluster, member });
    const options = { directory: join(this.directory, 'm'), server: () => this.target, tokenFor, log };
    const ca = doors.ca && { ca: doors.ca };
    this.runtime = new FakeRuntime({ ...options, ...ca, ...(disks.pilots && { disk: disks.pilots }) });
    this.#disk = disks.server;
    this.#doors = doors;
  }

  get target(): string {
    return this.#doors.tls === undefined ? `unix:${this.socket}` : `localhost:${this.#port}`;
  }

  /** The port of the server over TLS. */
  get port(): number {
    return this.#port;
  }

  get tls(): TlsRpcServer {
    if (this.#tls === undefined) throw new Error('the server does not speak TLS');
    return this.#tls;
  }

  /** A server is up, and knows what the store knows. */
  async serve(): Promise<this> {
    const { store, runtime, events, tokens, clock } = this;
    const wallMs = (): number => clock.wallMs();
    const keeping = { by: 'server', version: navigatorVersion(), segmentBytes: 2 ** 24, wallMs };
    const disk = this.#disk && { disk: this.#disk };
    const record = new Journal(join(this.directory, JOURNAL_FILE), { ...keeping, ...disk });
    const publish = (event: ClusterEvent): void => events.publish(event);
    const loop = new Loop({ clock, random: systemRandom, store, runtime, log, timing: quick, record, publish });
    await loop.open();
    this.#loop = loop;
    const { refusals } = this;
    const ports = {
      loop,
      identity: this.#doors.identity ?? tokens,
      access: this.#doors.access ?? ownerAccess,
      refusals,
      clock,
      log: this.#doors.log ?? log,
      events,
      wallMs,
    };
    if (this.#doors.tls === undefined) {
      this.#rpc = await serveOnSocket(this.socket, ports);
    } else {
      this.#tls = await serveOnTls({ host: '127.0.0.1', port: this.#port }, this.#doors.tls, ports);
      this.#rpc = this.#tls;
      this.#port = this.#tls.port;
    }
    return this;
  }

  /** The server goes away as it does on SIGTERM; pilots and databases run on. */
  async unserve(): Promise<void> {
    await this.#loop?.close();
    await this.#rpc?.close();
    this.#loop = undefined;
    this.#rpc = undefined;
  }

  /** A server with a cluster of this spec, ready. */
  static async ready(spec = demo(3), scene = new Scene()): Promise<Scene> {
    await scene.serve();
    await scene.apply(spec);
    await scene.untilReady();
    return scene;
  }

  async close(): Promise<void> {
    this.runtime.killAll();
    this.#client?.close();
    await this.unserve();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get loop(): Loop {
    if (this.#loop === undefined) throw new Error('no server is up');
    return this.#loop;
  }

  get cluster(): ClusterLoop {
    return this.loop.get({ namespace: 'default', name: 'demo' });
  }

  get ledger(): Ledger {
    return this.cluster.ledger;
  }

  get database(): FakeCluster {
    return this.runtime.world(demoKey).database;
  }

  get machine(): FakeMachine {
    return this.runtime.world(demoKey).machine;
  }

  get client(): NavigatorServiceClient {
    const { ca } = this.#doors;
    const secured = ca === undefined ? credentials.createInsecure() : credentials.createSsl(ca());
    this.#client ??= new NavigatorServiceClient(this.target, secured);
    return this.#client;
  }

  pilot(member: string): FakePilot {
    return this.runtime.pilot(demoKey, member);
  }

  async apply(spec: ClusterSpec): Promise<void> {
    await this.loop.apply(spec, `# ${clusterKey(spec.id)}`);
  }

  /** Every member serves, everything is green, and nothing is left to do. */
  async untilReady(): Promise<void> {
    await this.until('the cluster to be ready', () => {
      const view = clusterView(this.cluster);
      const current = view.observedGeneration === view.generation;
      return current && view.conditions.find(({ type }) => type === 'Ready')?.status === true;
    });
  }

  /** Waits for what a test means. */
  until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    return waitFor(condition, what, limitMs);
  }

  /** The youngest permit of a member in this state. */
  permit(member: string, state: Permit['state']): Permit | undefined {
    return this.ledger.permits.findLast((permit) => permit.member === member && permit.state === state);
  }
}

/** What must hold of everything that was ever written of one cluster; each line says what did not. */
export function broken(written: readonly Ledger[]): readonly string[] {
  const wrong: string[] = [];
  const leaders = new Map<number, string>();
  const grants = new Map<string, number>();
  let before: Ledger | undefined;
  for (const ledger of written) {
    const { term, leader } = ledger.leadership;
    if (term < (before?.leadership.term ?? 0)) wrong.push(`term ${term} follows ${before?.leadership.term}`);
    if (leader !== '') {
      const other = leaders.get(term);
      if (other !== undefined && other !== leader) wrong.push(`term ${term} has two leaders: ${other} and ${leader}`);
      leaders.set(term, leader);
    }
    for (const permit of ledger.permits.filter(({ state }) => state === 'granted')) {
      const was = before?.permits.find(({ id }) => id === permit.id);
      if (was?.state !== 'granted') grants.set(permit.id, (grants.get(permit.id) ?? 0) + 1);
    }
    const open = new Set(ledger.permits.filter(isOpen).map(({ member }) => member));
    if (open.size > ledger.spec.maxUnavailable) wrong.push(`permits of ${[...open].join(', ')} are open at once`);
    before = ledger;
  }
  for (const [id, times] of grants) if (times > 1) wrong.push(`permit ${id} was granted ${times} times`);
  return wrong;
}
