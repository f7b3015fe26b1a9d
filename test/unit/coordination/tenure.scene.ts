/** Servers that want one lease, each with a clock of its own, on a network that delays and loses, in made-up time. */
import type { TenureTiming } from '../../../server/coordination/tenure.ts';
import {
  beginTenure,
  hasFailed,
  heldTerm,
  leave,
  nextStep,
  wasRead,
  wasWritten,
  type Tenure,
} from '../../../server/coordination/tenure.ts';
import type { Lease, LeaseRecord } from '../../../server/model/lease.ts';

export const timing: TenureTiming = { ttlMs: 1_000, renewEveryMs: 250, driftMax: 0.05 };

/** What becomes of one call. Delays in true ms. */
export interface Fate {
  readonly thereMs: number;
  readonly backMs: number;
  /** The answer never comes: it is given up at the deadline. */
  readonly isLost: boolean;
}

/** What people and accidents do, at a true time. */
export interface Incident {
  readonly atMs: number;
  readonly server: number;
  readonly what: 'crash' | 'leave' | 'delete' | 'touch' | 'stall';
}

export interface Script {
  /** Speed of each server's clock, from 1 - driftMax to 1 + driftMax. */
  readonly speeds: readonly number[];
  readonly fates: readonly Fate[];
  readonly incidents: readonly Incident[];
}

const deadlineMs = 400;
const stallMs = 1_700;

interface Server {
  readonly index: number;
  life: number;
  tenure: Tenure;
  /** Answers to a former life mean nothing. */
  pending: boolean;
  stalledUntilMs: number;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** One run. `onEvent` is called after every event. */
export class Scene {
  readonly history: LeaseRecord[] = [];
  readonly servers: Server[];
  nowMs = 0;
  readonly #script: Script;
  readonly #events: Event[] = [];
  #orders = 0;
  #calls = 0;
  #versions = 0;
  #record: LeaseRecord | undefined;

  constructor(script: Script) {
    this.#script = script;
    this.servers = script.speeds.map((_, index) => {
      return { index, life: 0, tenure: beginTenure(`${index}.0`), pending: false, stalledUntilMs: 0 };
    });
    for (const server of this.servers) this.#at(server.index * 10, () => this.#step(server));
    for (const incident of script.incidents) this.#at(incident.atMs, () => this.#happen(incident));
  }

  /** Who holds the lease now, each by its own clock. */
  holders(): readonly Server[] {
    return this.servers.filter((server) => heldTerm(server.tenure, this.#clockOf(server)) !== undefined);
  }

  run(untilMs: number, onEvent: () => void): void {
    for (;;) {
      this.#events.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const next = this.#events[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#events.shift();
      this.nowMs = next.atMs;
      next.run();
      onEvent();
    }
    this.nowMs = untilMs;
  }

  /** A clock of its own: another origin, another speed. */
  #clockOf(server: Server): number {
    return 5_000 * (server.index + 1) + this.nowMs * (this.#script.speeds[server.index] ?? 1);
  }

  #at(atMs: number, run: () => void): void {
    this.#events.push({ atMs, order: (this.#orders += 1), run });
  }

  /** Runs unless the server has died meanwhile; later where it stands still. */
  #later(server: Server, delayMs: number, run: () => void): void {
    const { life } = server;
    this.#at(this.nowMs + delayMs, () => {
      if (server.life !== life) return;
      if (this.nowMs < server.stalledUntilMs) this.#later(server, server.stalledUntilMs - this.nowMs, run);
      else run();
    });
  }

  #step(server: Server): void {
    if (server.pending) return;
    const step = nextStep(server.tenure, this.#clockOf(server), timing);
    if (step.kind === 'end') return;
    if (step.kind === 'wait') {
      const speed = this.#script.speeds[server.index] ?? 1;
      this.#later(server, (step.untilMs - this.#clockOf(server)) / speed + 0.001, () => this.#step(server));
      return;
    }
    server.pending = true;
    const fate = this.#script.fates[this.#calls % this.#script.fates.length] ?? {
      thereMs: 1,
      backMs: 1,
      isLost: false,
    };
    this.#calls += 1;
    const sentAtMs = this.#clockOf(server);
    const isLate = fate.isLost || fate.thereMs + fate.backMs >= deadlineMs;
    let answer: LeaseRecord | undefined | 'conflict';
    this.#at(this.nowMs + fate.thereMs, () => {
      answer = step.kind === 'read' ? this.#record : this.#write(step.lease, step.version);
    });
    this.#later(server, isLate ? deadlineMs : fate.thereMs + fate.backMs, () => {
      server.pending = false;
      const nowMs = this.#clockOf(server);
      if (isLate) server.tenure = hasFailed(server.tenure, step.kind);
      else if (step.kind === 'write') {
        server.tenure = wasWritten(server.tenure, answer as LeaseRecord | 'conflict', { sentAtMs, nowMs });
      } else server.tenure = wasRead(server.tenure, answer as LeaseRecord | undefined, nowMs);
      this.#later(server, isLate ? 50 : 0, () => this.#step(server));
    });
  }

  #write(lease: Lease, version: string | undefined): LeaseRecord | 'conflict' {
    if (this.#record?.version !== version) return 'conflict';
    this.#record = { ...lease, version: String((this.#versions += 1)) };
    this.history.push(this.#record);
    return this.#record;
  }

  #happen({ server: index, what }: Incident): void {
    const server = this.servers[index % this.servers.length];
    if (server === undefined) return;
    switch (what) {
      case 'crash':
        server.life += 1;
        server.tenure = beginTenure(`${server.index}.${server.life}`);
        server.pending = false;
        this.#later(server, 1, () => this.#step(server));
        break;
      case 'leave':
        server.tenure = leave(server.tenure);
        this.#step(server);
        break;
      case 'delete':
        this.#record = undefined;
        break;
      case 'touch':
        if (this.#record) this.#record = { ...this.#record, version: String((this.#versions += 1)) };
        break;
      case 'stall':
        server.stalledUntilMs = this.nowMs + stallMs;
        break;
    }
  }
}
