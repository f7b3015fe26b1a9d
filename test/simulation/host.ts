/** Where pilots live: it launches, kills, freezes and ends them, and keeps what is on their disks. */
import { Pilot } from '../../pilot/pilot.ts';
import { Session, type Line } from '../../pilot/session.ts';
import type { Settings } from '../../pilot/model.ts';
import type { StateFile } from '../../pilot/supervisor/ports.ts';
import { openState } from '../../pilot/supervisor/state.ts';
import type { State } from '../../pilot/supervisor/step.ts';
import type { FromServer } from '../../pilot/wire.ts';
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { ConnectRequest } from '../../proto/navigator/v1/pilot.ts';
import { createLogger } from '../../shared/log.ts';
import type { SimulatedDatabase } from './application.ts';
import { ClientCall } from './calls.ts';
import { SimulatedDisk } from './disk.ts';
import { Hands, type Machine } from './machine.ts';
import type { Network } from './network.ts';
import type { SeededRandom } from './random.ts';
import { ActorClock } from './time.ts';
import type { World } from './world.ts';

export const log = createLogger('simulation', 'silent');

/** Clocks of different machines: measured in parts per million. */
const driftMost = 200e-6;

/** What a pilot says of itself. */
export interface Status extends Pick<State, 'phase' | 'asking' | 'grant'> {
  readonly incarnation: string;
  readonly leadingTerm: number;
}

/** Told of what pilots do, at the moment at which they do it. */
export interface Watch {
  stopping(pilot: LivePilot): void;
  applying(pilot: LivePilot, settings: Settings): void;
}

export interface HostPorts {
  readonly world: World;
  readonly database: SimulatedDatabase;
  readonly machine: Machine;
  readonly network: Network;
  readonly watch: Watch;
}

/** Whose members live here. */
type Cluster = Pick<ClusterSpec, 'id' | 'application'>;

/** What is on the machine of one member, whoever runs there: its pilot's own files on a disk. */
export class Place {
  readonly name: string;
  readonly version: string;
  readonly disk: PlaceDisk;
  pilot: LivePilot | undefined;

  constructor(name: string, version: string, disk: PlaceDisk) {
    this.name = name;
    this.version = version;
    this.disk = disk;
  }
}

export class PlaceDisk {
  /** True time until which nothing can be written. */
  fullUntilMs = 0;
  /** The highest term that a pilot has ever had on it. */
  highestTerm = 0;
  readonly files: SimulatedDisk;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.files = new SimulatedDisk(() => this.isFull());
  }

  isFull(): boolean {
    return this.#world.time.nowMs < this.fullUntilMs;
  }
}

/** One life of a pilot. */
export class LivePilot {
  readonly member: string;
  readonly clock: ActorClock;
  readonly memory: StateFile;
  readonly disk: PlaceDisk;
  /** Orders that it was told, by term. */
  readonly orders = new Map<number, Settings[]>();
  /** True time of the sending of each asking. */
  readonly askedAtMs = new Map<number, number>();
  ended = false;
  terminated = false;
  readonly onGone: (() => void)[] = [];
  readonly #pilot: Pilot;
  readonly #session: Session;
  readonly #ports: HostPorts;
  readonly #random: SeededRandom;
  #tired = false;

  constructor(place: Place, { id, application }: Cluster, ports: HostPorts) {
    const { world, network, database, machine, watch } = ports;
    this.#ports = ports;
    this.member = place.name;
    this.disk = place.disk;
    this.memory = openState('/member', log, place.disk.files);
    const random = world.random.fork(place.name);
    this.#random = random.fork('freezes');
    this.clock = new ActorClock(world.time, 1 + random.between(-driftMost, driftMost), random.between(1e3, 1e7));
    const { clock, memory } = this;
    const onApply = (settings: Settings): void => watch.applying(this, settings);
    const { files } = place.disk;
    const engine = database.engine(place.name, { clock, random: random.fork('engine'), files, onApply, pilot: this });
    const process = new Hands(machine, place.name, clock, () => watch.stopping(this));
    const identity = {
      namespace: id.namespace,
      cluster: id.name,
      member: place.name,
      application,
      version: place.version,
      pilotVersion: '0.0.0',
    };
    const record = world.journal(() => place.disk.isFull());
    this.#pilot = new Pilot(identity, { clock, random, log, engine, process, memory, record }, () => this.#end());
    this.#session = new Session(
      {
        hello: () => this.#pilot.hello(),
        onMessage: (message) => this.#hear(message),
        onChange: () => undefined,
      },
      { clock, random, log, dial: () => new ClientCall(place.name, clock, network) },
    );
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  start(): void {
    const session = this.#session;
    const line: Line = {
      open: () => session.open(),
      say: (message) => {
        this.#note(message);
        return session.say(message);
      },
      close: () => session.close(),
    };
    this.#pilot.start(line);
  }

  status(): Status {
    return this.#pilot.status() as Status;
  }

  /** As SIGTERM. */
  terminate(graceMs: number): void {
    this.clock.defer(() => this.#pilot.terminate(graceMs));
  }

  /** As SIGKILL: its database runs on. */
  kill(): void {
    if (this.ended) return;
    this.clock.stop();
    this.#ports.network.cutAll(this.member, 'the pilot was killed');
    this.#end();
  }

  #note(message: ConnectRequest): void {
    if (message.message?.$case !== 'permissionRequest') return;
    this.askedAtMs.set(Number(message.message.value.sequence), this.#ports.world.time.nowMs);
  }

  #hear(message: FromServer): void {
    if (!this.#tires(message)) this.#take(message);
  }

  #take(message: FromServer): void {
    if (message.kind === 'order') {
      const known = this.orders.get(message.term) ?? [];
      this.orders.set(message.term, [...known, message.settings]);
    }
    this.#pilot.hear(message);
  }

  /** Now and then it is stopped just before it hears of a permit: those are the moments that are worth it. */
  #tires(message: FromServer): boolean {
    const { world } = this.#ports;
    const granted = message.kind === 'decision' && message.decision.state === 'granted';
    if (!world.rough('freezes_at_permits') || this.clock.held > 0 || !(granted || message.kind === 'use_answer'))
      return false;
    if (!this.#random.chance(this.#tired ? 0.5 : 0.06)) return false;
    const forMs = this.#random.between(500, 32_000);
    this.#tired = granted;
    world.say(this.member, `pilot is frozen for ${Math.round(forMs)} ms, before it hears of its permit`);
    this.clock.freeze();
    this.clock.defer(() => this.#take(message));
    world.time.after(forMs, () => this.clock.thaw());
    return true;
  }

  #end(): void {
    if (this.ended) return;
    this.ended = true;
    this.clock.stop();
    for (const tell of this.onGone) tell();
  }
}

export class Host {
  readonly places = new Map<string, Place>();
  readonly #ports: HostPorts;
  readonly #cluster: Cluster;
  #alive: readonly LivePilot[] | undefined;
  /** Whether a person has asked for everything to go. */
  dataGivenUp = false;
  /** Whoever wants to know that a pilot has come or gone. */
  readonly onChange: (() => void)[] = [];

  constructor(cluster: Cluster, ports: HostPorts) {
    this.#cluster = cluster;
    this.#ports = ports;
  }

  /** Those that live, by place. It is asked after every event, so it is made anew only when one has come or gone. */
  pilots(): readonly LivePilot[] {
    this.#alive ??= [...this.places.values()].flatMap(({ pilot }) =>
      pilot === undefined || pilot.ended ? [] : [pilot],
    );
    return this.#alive;
  }

  launch(name: string, version: string): void {
    const present = this.places.get(name);
    if (present?.pilot !== undefined && !present.pilot.ended) return;
    const place = new Place(name, version, present?.disk ?? new PlaceDisk(this.#ports.world));
    this.places.set(name, place);
    const pilot = new LivePilot(place, this.#cluster, this.#ports);
    place.pilot = pilot;
    this.#alive = undefined;
    pilot.onGone.push(() => {
      this.#alive = undefined;
      this.#ports.world.say(name, 'pilot is gone');
      this.#ports.world.time.after(20, () => {
        for (const tell of this.onChange) tell();
      });
    });
    this.#ports.world.say(name, `pilot starts for ${version}`);
    pilot.start();
  }

  /** Resolves once its pilot is gone; rejects with what `late` makes where that takes too long. */
  end(name: string, graceMs: number, late: () => Error): Promise<void> {
    const pilot = this.places.get(name)?.pilot;
    if (pilot === undefined || pilot.ended) return Promise.resolve();
    return new Promise((resolve, reject) => {
      pilot.onGone.push(resolve);
      this.#ports.world.time.after(graceMs, () => reject(late()));
      pilot.terminate(graceMs);
    });
  }

  /** Its pilot's own files go in any case. */
  forget(name: string, keepData: boolean): void {
    this.places.delete(name);
    this.#alive = undefined;
    this.#ports.world.say(name, keepData ? 'is removed, and its data is kept' : 'is removed with its disk');
    if (!keepData) this.#ports.database.destroy(name, this.dataGivenUp);
  }
}
