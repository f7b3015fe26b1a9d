/** The store and the runtime as one life of a server has them: slow, and now and then in trouble. */
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { Ledger, MemberRecord } from '../../server/model/ledger.ts';
import type { RuntimeMember } from '../../server/model/observation.ts';
import { defaultTiming, type Timing } from '../../server/model/timing.ts';
import type { Runtime } from '../../server/runtime/runtime.ts';
import type { Store, Stored } from '../../server/store/store.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { SimulatedDatabase } from './application.ts';
import type { Host } from './host.ts';
import type { Knowledge } from './knowledge.ts';
import type { SeededRandom } from './random.ts';
import type { ActorClock } from './time.ts';
import type { World } from './world.ts';

/** As in production, but for the time after which a restriction is lifted: nobody waits ten minutes in a simulation. */
export const timing: Timing = { ...defaultTiming, undoAfterMs: 120_000 };

const endWithinMs = 10_000;
const key = 'default/demo';

/** Told of what is written and what is removed. */
export interface StoreWatch {
  written(after: Ledger, by: Knowledge): void;
  removing(member: string): void;
}

interface StorePorts {
  readonly world: World;
  readonly disk: Store;
  readonly watch: StoreWatch;
  readonly clock: ActorClock;
  readonly knowledge: Knowledge;
}

/**
 * The disk as one life of a server has it. Another server seems to have been faster, the disk is full, or what was
 * asked is done and the answer is lost: the caller cannot tell which.
 */
export class SharedStore implements Store {
  readonly shared = true;
  /** True time until which nothing can be written. */
  fullUntilMs = 0;
  readonly #ports: StorePorts;
  readonly #random: SeededRandom;

  constructor(ports: StorePorts) {
    this.#ports = ports;
    this.#random = ports.world.random.fork('store');
  }

  list(): Promise<readonly Stored[]> {
    return this.#slowly(() => this.#ports.disk.list());
  }

  read(key: string): Promise<Stored | undefined> {
    return this.#slowly(() => this.#ports.disk.read(key));
  }

  compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'> {
    return this.#slowly(async () => {
      const { disk, watch, world, knowledge } = this.#ports;
      if (world.time.nowMs < this.fullUntilMs) throw new NavigatorError('exhausted', 'the disk is full');
      if (this.#random.chance(0.03) && world.rough('lost_races')) return 'conflict';
      const written = await disk.compareAndSwap(key, revision, ledger);
      if (written !== 'conflict') watch.written(written.ledger, knowledge);
      if (this.#random.chance(0.02) && world.rough('lost_answers'))
        throw new NavigatorError('timeout', 'the store did not answer');
      return written;
    });
  }

  remove(key: string, revision: number): Promise<'removed' | 'conflict'> {
    return this.#slowly(() => this.#ports.disk.remove(key, revision));
  }

  async close(): Promise<void> {}

  /** What is on its way when the server is killed may be written or not. */
  async #slowly<T>(work: () => Promise<T>): Promise<T> {
    await this.#ports.clock.sleep(this.#delayMs());
    const outcome = await work().then(
      (value) => ({ value }),
      (thrown: unknown) => ({ thrown }),
    );
    await this.#ports.clock.sleep(this.#delayMs());
    if ('thrown' in outcome) throw outcome.thrown;
    return outcome.value;
  }

  #delayMs(): number {
    const slow = this.#random.chance(0.03) && this.#ports.world.rough('slow_store');
    return slow ? this.#random.between(50, 500) : this.#random.between(0.2, 3);
  }
}

interface RuntimePorts {
  readonly host: Host;
  readonly database: SimulatedDatabase;
  readonly disk: Store;
  readonly watch: StoreWatch;
}

export class SimulatedRuntime implements Runtime {
  readonly #ports: RuntimePorts;
  readonly #clock: ActorClock;

  constructor(ports: RuntimePorts, clock: ActorClock) {
    this.#ports = ports;
    this.#clock = clock;
  }

  async prepare(): Promise<void> {
    await this.#clock.sleep(5);
  }

  async observe(): Promise<readonly RuntimeMember[]> {
    const { places } = this.#ports.host;
    return [...places.values()].map(({ name, version, pilot }) => ({ name, version, alive: pilot?.ended === false }));
  }

  async addresses(_cluster: ClusterSpec, members: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(members.map((member) => [member, this.#ports.database.addressOf(member)]));
  }

  async create(_cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    await this.#clock.sleep(50);
    // What is made by a server that slept through the end of a cluster has no owner any more, and the platform collects it.
    if ((await this.#ports.disk.read(key)) === undefined) return;
    this.#ports.host.launch(record.name, record.version);
  }

  async replace(_cluster: ClusterSpec, record: MemberRecord): Promise<void> {
    const { host } = this.#ports;
    if (host.places.get(record.name)?.version !== record.version) await this.#end(record.name);
    host.launch(record.name, record.version);
  }

  async remove(_cluster: ClusterSpec, record: MemberRecord, keepData: boolean): Promise<void> {
    await this.#end(record.name);
    this.#ports.watch.removing(record.name);
    this.#ports.host.forget(record.name, keepData);
  }

  onChange(callback: (cluster: string) => void): void {
    this.#ports.host.onChange.push(() => this.#clock.defer(() => callback(key)));
  }

  async close(): Promise<void> {}

  async #end(member: string): Promise<void> {
    await this.#clock.sleep(5);
    const late = (): Error => new NavigatorError('timeout', `the pilot of ${member} has not ended`);
    await this.#ports.host.end(member, endWithinMs, late);
    await this.#clock.sleep(5);
  }
}
