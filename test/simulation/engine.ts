/** A member's engine in virtual time: each call takes its time on the way there and back, and may fail. */
import {
  objectionToOld,
  refuseUnlessLeading,
  type Engine,
  type MayWrite,
  type StopPermit,
} from '../../pilot/engine/engine.ts';
import type { ClusterObservation, Evidence, Launch, MemberSpec, NodeObservation, Settings } from '../../pilot/model.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { EnginePorts as Ports } from './application.ts';
import type { Database } from './database.ts';
import type { Node } from './nodes.ts';
import type { World } from './world.ts';

interface EnginePorts extends Ports {
  readonly world: World;
  readonly database: Database;
}

/** As in pilot/engine/elasticsearch/http.ts. */
const answerWithinMs = 5_000;
/** As in pilot/engine/elasticsearch/engine.ts. */
const flushLimitMs = 12_000;

/** Fields that a database in trouble may leave out. */
const unsure = ['shards', 'lastCopies', 'unassignedPrimaries', 'unassigned', 'moving', 'excluded'] as const;

export class SimulatedEngine implements Engine {
  readonly #name: string;
  readonly #ports: EnginePorts;
  /** What it has read last: a node that its master cannot reach any more goes on to answer with it for a while. */
  #lastCluster: ClusterObservation | undefined;
  #lastEvidence: Evidence | undefined;
  /** For a while one field is left out. */
  #blindUntilMs = 0;
  #unknown: (typeof unsure)[number] = 'shards';

  constructor(name: string, ports: EnginePorts) {
    this.#name = name;
    this.#ports = ports;
  }

  async prepare(spec: MemberSpec): Promise<void> {
    await this.#call(() => {
      if (this.#node().up) throw new NavigatorError('conflict', `${this.#name} still runs`);
      this.#node().spec = spec;
    });
  }

  launch(): Launch {
    return { command: 'database', args: [], env: {}, cwd: '/' };
  }

  observeNode(): Promise<NodeObservation | undefined> {
    return this.#call(() => {
      const { database } = this.#ports;
      const node = this.#node();
      if (!node.booted && !node.apart) return undefined;
      const joined = node.booted && (this.#isBehind() || database.master() !== undefined);
      const { nodeId, name } = node;
      const version = node.spec?.version ?? '';
      return { nodeId, processId: processOf(node), joined, shards: database.copiesOn(name), documents: 0, version };
    });
  }

  observeCluster(): Promise<ClusterObservation | undefined> {
    return this.#call(() => {
      const { database } = this.#ports;
      if (this.#isBehind()) return this.#lastCluster;
      const master = database.master();
      if (master === undefined || !this.#node().booted) return undefined;
      const unassigned = database.unassigned();
      this.#lastCluster = {
        stateVersion: database.version,
        health: database.unassignedPrimaries() > 0 ? 'red' : unassigned > 0 ? 'yellow' : 'green',
        nodes: database.booted().map((node) => node.name),
        moving: database.moving(),
        unassigned,
        unassignedPrimaries: database.unassignedPrimaries(),
        excluded: [...database.excluded],
        allocation: database.allocation,
        documents: 0,
        electedMaster: master.name,
        ...(database.quorum !== undefined && { quorum: database.quorum }),
      };
      return this.#lastCluster;
    });
  }

  readEvidence(): Promise<Evidence | undefined> {
    return this.#call(() => {
      const { database, world, random } = this.#ports;
      const node = this.#node();
      if (this.#isBehind()) return this.#lastEvidence;
      if (!node.booted || database.master() === undefined) return undefined;
      const whole: Evidence = {
        nodeId: node.nodeId,
        processId: processOf(node),
        stateVersion: database.version,
        shards: database.copiesOn(node.name),
        lastCopies: database.onlyOn(node.name).length,
        unassignedPrimaries: database.unassignedPrimaries(),
        unassigned: database.unassigned(),
        moving: database.moving(),
        excluded: database.excluded.includes(node.name),
        allocation: database.allocation,
        liveVoters: database.voters().length,
        quorum: database.quorumInForce(),
      };
      this.#lastEvidence = whole;
      if (!world.rough('blind_evidence')) return whole;
      if (world.time.nowMs >= this.#blindUntilMs && random.chance(0.04)) {
        this.#blindUntilMs = world.time.nowMs + random.between(500, 15_000);
        this.#unknown = random.pick(unsure) ?? 'shards';
      }
      if (world.time.nowMs >= this.#blindUntilMs) return whole;
      const { [this.#unknown]: _unknown, ...rest } = whole;
      return rest;
    });
  }

  async applySettings(settings: Settings, mayWrite?: MayWrite): Promise<void> {
    refuseUnlessLeading(mayWrite);
    this.#ports.onApply(settings);
    await this.#call(() => {
      const { database } = this.#ports;
      if (database.master() === undefined || !this.#node().booted)
        throw new NavigatorError('unavailable', 'no master is elected');
      if (this.#isBehind()) throw new NavigatorError('timeout', 'the master did not answer');
      database.apply(settings);
    });
  }

  async beforeStop(permit?: StopPermit): Promise<string | undefined> {
    const { clock } = this.#ports;
    const sinceMs = clock.monotonicMs();
    await this.#call(() => undefined).catch(() => undefined);
    return permit && objectionToOld(clock, sinceMs, flushLimitMs);
  }

  lastLog(): string {
    return `${this.#name} was in life ${this.#node().life}`;
  }

  /** It is cut off from the master, and does not know it yet. */
  #isBehind(): boolean {
    const { database } = this.#ports;
    return this.#node().booted && this.#node().side !== database.masterSide();
  }

  #node(): Node {
    return this.#ports.database.node(this.#name);
  }

  /** The database does its part though the pilot may be frozen or dead by then; the answer waits for the pilot. */
  async #call<T>(work: () => T): Promise<T> {
    const { world, clock, random } = this.#ports;
    await new Promise<void>((resolve) => void world.time.after(this.#latencyMs(), resolve));
    let outcome: { readonly value: T } | { readonly thrown: unknown };
    try {
      if (this.#node().hung) {
        await clock.sleep(answerWithinMs);
        if (this.#node().hung) throw new NavigatorError('timeout', 'the database did not answer');
      }
      if (random.chance(0.02) && world.rough('silent_database'))
        throw new NavigatorError('timeout', 'the database did not answer');
      outcome = { value: work() };
      // It is done, and nobody is told.
      if (random.chance(0.01) && world.rough('lost_replies'))
        throw new NavigatorError('timeout', 'the database did not answer');
    } catch (thrown) {
      outcome = { thrown };
    }
    await clock.sleep(this.#latencyMs());
    if ('thrown' in outcome) throw outcome.thrown;
    return outcome.value;
  }

  #latencyMs(): number {
    const { world, random } = this.#ports;
    return random.chance(0.02) && world.rough('slow_database') ? random.between(200, 5_000) : random.between(1, 15);
  }
}

function processOf(node: Node): string {
  return `${node.nodeId}-life-${node.life}`;
}
