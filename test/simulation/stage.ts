/** A stage on which one story is played: calm weather, and only what the story says goes wrong. */
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { Permit, PermitState } from '../../server/model/permit.ts';
import { clusterSpec, pool } from '../support/model.ts';
import type { LivePilot } from './host.ts';
import { apply, versionsOf } from './person.ts';
import { Simulation } from './simulation.ts';
import type { Line } from './world.ts';

/** Everything that a story waits for has come by then. */
const waitMostMs = 600_000;

export interface Scene {
  readonly members?: number;
  readonly shards?: number;
  readonly replicas?: number;
  readonly spec?: Partial<ClusterSpec>;
}

export class Stage {
  readonly simulation: Simulation;
  readonly lines: Line[] = [];
  #startedAtMs = 0;

  constructor({ members = 3, shards = 3, replicas = 1, spec = {} }: Scene) {
    const wanted = clusterSpec([pool('node', members)], { version: versionsOf.elasticsearch[0], ...spec });
    const script = { seed: 0, spec: wanted, shards, replicas, beats: [], calmed: [] };
    this.simulation = new Simulation(script, (line) => this.lines.push(line));
  }

  /** The cluster is there and well; the story begins. */
  async open(): Promise<void> {
    await this.simulation.boot();
    this.lines.length = 0;
    this.#startedAtMs = this.simulation.world.time.nowMs;
  }

  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  /** Plays on until this is so. Throws where it never comes. */
  async when(what: string, so: () => boolean): Promise<void> {
    const { world } = this.simulation;
    const endMs = world.time.nowMs + waitMostMs;
    while (!so()) {
      if (world.violation !== undefined) throw new Error(`${world.violation.invariant}: ${world.violation.message}`);
      if (world.time.nowMs > endMs) throw new Error(`it never comes that ${what}: ${this.simulation.missing()}`);
      await this.simulation.until(world.time.nowMs + 20);
    }
  }

  async seconds(count: number): Promise<void> {
    await this.simulation.until(this.simulation.world.time.nowMs + count * 1_000);
  }

  /** Everything is as desired. */
  async settled(): Promise<void> {
    await this.when('all is as desired', () => this.simulation.missing() === '');
    this.say('narrator', 'all is as desired');
  }

  say(who: string, what: string): void {
    this.simulation.world.say(who, what);
  }

  /** A person changes what is wanted. */
  want(what: string, change: Partial<ClusterSpec>): void {
    apply(this.simulation, { ...this.simulation.spec, ...change }, what);
  }

  scale(members: number, what: string): void {
    this.want(what, { nodePools: [pool('node', members)] });
  }

  pilot(member: string): LivePilot {
    const pilot = this.simulation.host.places.get(member)?.pilot;
    if (pilot === undefined) throw new Error(`${member} has no pilot`);
    return pilot;
  }

  leader(): LivePilot {
    return this.pilot(this.simulation.cluster()?.ledger.leadership.leader ?? '');
  }

  /** The newest permit of a member for this step, if there is one in this state. */
  permit(member: string, verb: Permit['verb'], state: PermitState): Permit | undefined {
    return this.simulation
      .cluster()
      ?.ledger.permits.findLast((permit) => permit.member === member && permit.verb === verb && permit.state === state);
  }

  killServer(): void {
    const { server } = this.simulation;
    if (server !== undefined) this.simulation.killServer(server);
  }

  startServer(): void {
    this.simulation.startServer();
  }
}
