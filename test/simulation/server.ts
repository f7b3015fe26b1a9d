/** One life of a server: the real loop and the real service on a store that all lives share. Killed, it leaves nothing but what it wrote. */
import type { ConnectRequest } from '../../proto/navigator/v1/pilot.ts';
import { ProcessPhase } from '../../proto/navigator/v1/types.ts';
import { fromWire, type FromServer } from '../../pilot/wire.ts';
import type { ClusterLoop } from '../../server/cluster-loop.ts';
import { Loop } from '../../server/loop.ts';
import { SignedTokens } from '../../server/rpc/identity.ts';
import { serveStream } from '../../server/rpc/pilot-service.ts';
import { Refusals } from '../../server/rpc/refusals.ts';
import type { Store } from '../../server/store/store.ts';
import type { SimulatedDatabase } from './application.ts';
import { ServerCall, type Tap } from './calls.ts';
import { log, type Host } from './host.ts';
import { Knowledge } from './knowledge.ts';
import type { End, Listener, Network, Stream } from './network.ts';
import { SharedStore, SimulatedRuntime, timing, type StoreWatch } from './server-ports.ts';
import { ActorClock } from './time.ts';
import type { World } from './world.ts';

/** Tokens are signed with it by whoever launches pilots. */
export const tokens = new SignedTokens(Buffer.alloc(32, 7));

/** Told of what servers do. */
export interface ServerWatch extends StoreWatch {
  told(member: string, message: FromServer): void;
}

export interface ServerPorts {
  readonly name: string;
  readonly world: World;
  readonly host: Host;
  readonly database: SimulatedDatabase;
  readonly network: Network;
  readonly disk: Store;
  readonly watch: ServerWatch;
}

export class Server implements Listener {
  readonly name: string;
  readonly clock: ActorClock;
  readonly loop: Loop;
  readonly knowledge: Knowledge;
  readonly store: SharedStore;
  readonly #ports: ServerPorts;
  readonly #streams = new Set<Stream>();

  constructor(ports: ServerPorts) {
    this.#ports = ports;
    this.name = ports.name;
    const { world } = ports;
    const random = world.random.fork('server');
    this.clock = new ActorClock(world.time, 1 + random.between(-200e-6, 200e-6), random.between(1e3, 1e7));
    this.knowledge = new Knowledge(world);
    const { clock, knowledge } = this;
    this.store = new SharedStore({ ...ports, clock, knowledge });
    this.loop = new Loop({
      clock,
      random,
      store: this.store,
      runtime: new SimulatedRuntime(ports, clock),
      log,
      timing,
      record: world.journal(() => world.time.nowMs < this.store.fullUntilMs),
      publish: ({ member, kind, message }) => world.say(this.name, `${kind} ${member} ${message}`),
    });
  }

  async open(): Promise<void> {
    await this.loop.open();
    this.#ports.world.say(this.name, 'is up');
    this.#ports.network.listeners.push(this);
  }

  cluster(): ClusterLoop | undefined {
    return this.loop.list().find((cluster) => cluster.key === 'default/demo');
  }

  /** As SIGKILL. */
  kill(): void {
    this.#ports.world.say(this.name, 'is killed');
    this.#ports.network.unlisten(this);
    this.clock.stop();
    for (const stream of this.#streams) stream.cut('the server was killed');
  }

  /** As SIGSTOP: what reaches it waits, and its peers find out by their keepalive. */
  freeze(forMs: number): void {
    this.clock.freeze();
    for (const stream of this.#streams) stream.stall('up', forMs);
  }

  /** As SIGCONT. */
  thaw(): void {
    this.knowledge.wokeAtMs = this.#ports.world.time.nowMs;
    this.clock.thaw();
  }

  accept(stream: Stream): End {
    const { watch } = this.#ports;
    const source = { incarnation: '' };
    const { member } = stream;
    const tap: Tap = {
      heard: (request) => {
        if (request.message?.$case === 'hello') source.incarnation = request.message.value.incarnation;
        this.knowledge.heard(member, source, servingIn(request));
      },
      said: (response) => watch.told(member, fromWire(response)),
      gone: () => {
        this.#streams.delete(stream);
        this.knowledge.gone(member, source);
      },
    };
    const call = new ServerCall(stream, this.clock, tap);
    const token = tokens.tokenFor({ cluster: 'default/demo', member });
    call.metadata.set('authorization', `Bearer ${token}`);
    this.#streams.add(stream);
    serveStream(call, { loop: this.loop, identity: tokens, refusals: new Refusals(), clock: this.clock, log });
    return call;
  }
}

/** Whether a heartbeat says that its database serves; undefined where nothing is said of it. */
function servingIn({ message }: ConnectRequest): boolean | undefined {
  if (message?.$case !== 'heartbeat') return undefined;
  const { process, node } = message.value;
  return process?.phase === ProcessPhase.PROCESS_PHASE_RUNNING ? node?.joined : false;
}
