/** One simulation of one script: a cluster is made, everything goes wrong, everything heals, and it must be as desired. */
import type { ClusterLoop } from '../../server/cluster-loop.ts';
import type { Application, ClusterSpec } from '../../server/model/cluster.ts';
import { isLive } from '../../server/model/permit.ts';
import { desiredOf } from '../../server/reconcile/plan.ts';
import { wantedMembers } from '../../server/reconcile/topology.ts';
import { MemoryStore } from '../../server/store/memory.ts';
import { Checks } from './checks.ts';
import type { SimulatedDatabase } from './application.ts';
import { CouchbaseDatabase } from './couchbase/database.ts';
import { tend } from './couchbase/person.ts';
import { Database } from './database.ts';
import { Host } from './host.ts';
import { Machine } from './machine.ts';
import { Network } from './network.ts';
import { setDeleting, setPaused, unblock } from './person.ts';
import { SeededRandom } from './random.ts';
import { faultsOf, scriptOf, stormMs, wishesOf, type Beat, type Choice, type Script } from './script.ts';
import { Server } from './server.ts';
import { World, type Line, type Violation } from './world.ts';

const bootMs = 120_000;
/** Within which everything must be as desired once all faults are over. */
const healMs = 1_500_000;
/** After which a person allows that the only copy of a shard is away for a while. */
const patienceMs = 900_000;

export interface Outcome {
  readonly seed: number;
  readonly application: Application;
  readonly violation: Violation | undefined;
  readonly events: number;
  readonly virtualMs: number;
  readonly digest: string;
  readonly tail: readonly string[];
}

export class Simulation {
  readonly script: Script;
  readonly world: World;
  readonly database: SimulatedDatabase;
  readonly machine: Machine;
  readonly network: Network;
  readonly host: Host;
  readonly checks: Checks;
  readonly disk = new MemoryStore();
  /** The servers that live, the newest last. One of them leads, unless something has gone wrong. */
  readonly servers: Server[] = [];
  /** The least data members that the replicas of the index need. */
  readonly least: number;
  spec: ClusterSpec;
  before: ClusterSpec | undefined;
  #lives = 0;

  constructor(script: Script, listener?: (line: Line) => void) {
    this.script = script;
    const seeded = new SeededRandom(Math.imul(script.seed, 0x9e3779b1) ^ 0x5f356495);
    const world = new World(seeded, script.calmed, listener);
    this.world = world;
    this.database = script.spec.application === 'couchbase' ? new CouchbaseDatabase(world) : new Database(world);
    this.machine = new Machine(world, this.database);
    this.network = new Network(world);
    this.checks = new Checks(this);
    const { database, machine, network, checks } = this;
    this.host = new Host(script.spec, { world, database, machine, network, watch: checks });
    checks.host = this.host;
    checks.machine = machine;
    this.least = script.replicas + 1;
    this.spec = script.spec;
  }

  /** Throws where it is another database. */
  get elasticsearch(): Database {
    if (this.database instanceof Database) return this.database;
    throw new Error('it is not Elasticsearch');
  }

  /** Throws where it is another database. */
  get couchbase(): CouchbaseDatabase {
    if (this.database instanceof CouchbaseDatabase) return this.database;
    throw new Error('it is not Couchbase');
  }

  /** The server that people speak to. */
  get server(): Server | undefined {
    return this.servers.at(-1);
  }

  /** Whether a person has asked for everything to go. */
  get deleted(): boolean {
    return this.host.dataGivenUp;
  }

  cluster(): ClusterLoop | undefined {
    return this.server?.cluster();
  }

  async run(): Promise<Outcome> {
    const { world } = this;
    const onError = (thrown: unknown): void =>
      world.fail('I0', thrown instanceof Error ? `${thrown.stack}` : String(thrown));
    world.time.onError = onError;
    process.on('unhandledRejection', onError);
    try {
      await this.boot();
      await this.#storm();
      await this.#heal();
    } finally {
      process.off('unhandledRejection', onError);
    }
    const { violation, tail, time } = this.world;
    const { seed, spec } = this.script;
    const { application } = spec;
    const [events, virtualMs, digest] = [time.events, time.nowMs, this.world.digest()];
    return { seed, application, violation, events, virtualMs, digest, tail };
  }

  /** The cluster is made, comes up, and is given an index. */
  async boot(): Promise<void> {
    const { world, database, script } = this;
    this.startServer();
    await this.until(1_000);
    void this.server?.loop.apply(this.spec, '# simulated');
    await this.#untilDesired(bootMs, 'has not come up');
    database.fill(script);
    await this.until(world.time.nowMs + 30_000);
  }

  startServer(): void {
    const { world, host, database, network, disk, checks } = this;
    this.#lives++;
    const name = this.#lives === 1 ? 'server' : `server ${this.#lives}`;
    const server = new Server({ name, world, host, database, network, disk, watch: checks });
    this.servers.push(server);
    checks.serverStarted();
    void server.open();
  }

  killServer(server: Server): void {
    const at = this.servers.indexOf(server);
    if (at < 0) return;
    this.servers.splice(at, 1);
    server.kill();
    this.checks.serverKilled();
  }

  /** Lets it happen. A person whose server is away achieves nothing. */
  happen({ kind, name, salt }: Beat): void {
    const random = new SeededRandom(salt);
    const { application } = this.script.spec;
    if (kind === 'fault') return faultsOf(application)[name]?.strike(this, random);
    const cluster = this.cluster();
    if (cluster !== undefined) wishesOf(application)[name]?.act(this, random, cluster);
  }

  /** Runs until this moment, or until an invariant is broken. */
  async until(untilMs: number): Promise<void> {
    const { world, checks } = this;
    if (world.violation !== undefined) return;
    await world.time.run(untilMs, () => {
      checks.every();
      return world.violation === undefined;
    });
  }

  async #storm(): Promise<void> {
    const { world, script } = this;
    world.stormy = true;
    for (const beat of script.beats) world.time.after(beat.atMs, () => world.stormy && this.happen(beat));
    await this.until(world.time.nowMs + stormMs);
    world.stormy = false;
  }

  async #heal(): Promise<void> {
    const { world } = this;
    world.say('weather', 'everything heals');
    this.#mend();
    await this.until(world.time.nowMs + 2_000);
    const healedAtMs = world.time.nowMs;
    const look = (): void => {
      const cluster = this.cluster();
      if (cluster !== undefined) {
        if (cluster.ledger.paused) void setPaused(cluster, false);
        if (this.deleted) void setDeleting(cluster);
        else if (JSON.stringify(cluster.ledger.spec) !== JSON.stringify(this.spec))
          void this.server?.loop.apply(this.spec, '# simulated').catch(() => undefined);
        const patience = world.time.nowMs < healedAtMs + patienceMs;
        unblock(this, cluster, patience);
        if (this.database instanceof CouchbaseDatabase) tend(this, cluster);
      }
      world.time.after(20_000, look);
    };
    look();
    await this.#untilDesired(healMs, 'has not reached what is desired');
  }

  #mend(): void {
    const { network, host, database, servers } = this;
    network.severed.clear();
    database.rejoin();
    for (const pilot of host.pilots()) pilot.clock.thaw();
    for (const place of host.places.values()) {
      place.disk.fullUntilMs = 0;
      database.goOn(place.name);
    }
    for (const server of servers.slice(0, -1)) this.killServer(server);
    if (servers.length === 0) this.startServer();
    for (const server of servers) {
      server.store.fullUntilMs = 0;
      server.thaw();
    }
  }

  async #untilDesired(withinMs: number, trouble: string): Promise<void> {
    const { world } = this;
    const endMs = world.time.nowMs + withinMs;
    let why = this.missing();
    while (why !== '' && world.time.nowMs < endMs && world.violation === undefined) {
      await this.until(world.time.nowMs + 5_000);
      why = this.missing();
    }
    if (why === '') return world.say('weather', 'all is as desired');
    const holds = this.cluster()?.snapshot?.plan.holds.map(({ name, member }) => `${name} ${member}`);
    const broken = why.startsWith('settings') ? 'I7' : why.startsWith('data') ? 'I3' : 'I8';
    world.fail(broken, `the cluster ${trouble}: ${why}; holds: ${holds?.join(', ') ?? 'unknown'}`);
  }

  /** What is not as desired, in words; empty: nothing. */
  missing(): string {
    const { database, host, spec, machine } = this;
    if (this.server === undefined) return 'there is no server';
    const ledger = this.cluster()?.ledger;
    if (this.deleted) return ledger === undefined && host.places.size === 0 ? '' : 'the cluster is still there';
    if (ledger === undefined) return 'there is no cluster';
    const names = wantedMembers(spec).map(({ name }) => name);
    for (const name of names) {
      const record = ledger.members[name];
      if (record === undefined) return `${name} is not up`;
      const lack = database.lacks(name, spec.version);
      if (lack !== '') return `${name} ${lack}`;
      if (machine.life(name)?.specHash !== desiredOf(ledger, record, 0).spec.hash) return `${name} has an old config`;
    }
    const extra = [...host.places.keys(), ...Object.keys(ledger.members)].find((name) => !names.includes(name));
    if (extra !== undefined) return `${extra} is still there; ${database.trouble()}`;
    const unwell = database.unwell();
    if (unwell !== '') return unwell;
    const live = ledger.permits.find(isLive);
    return live === undefined ? database.leftOver(spec, ledger) : `${live.id} is ${live.state}`;
  }
}

/** Runs the script of a seed. */
export function simulate(seed: number, choice: Choice = 'any'): Promise<Outcome> {
  return new Simulation(scriptOf(seed, choice)).run();
}
