/** What one server has been told of its members by their pilots, and so must know. */
import { timing } from './server-ports.ts';
import type { World } from './world.ts';

/** Which stream something was heard on. */
export interface Source {
  readonly incarnation: string;
}

interface Known {
  source: Source;
  incarnation: string;
  connected: boolean;
  serving: boolean;
  heardAtMs: number;
  /** Since when it is known not to serve. */
  awaySinceMs: number;
}

export class Knowledge {
  readonly #world: World;
  readonly #known = new Map<string, Known>();
  readonly #startedAtMs: number;
  /** When the server went on after it had been stopped: what it was about to write was decided before. */
  wokeAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
    this.#startedAtMs = world.time.nowMs;
  }

  /** `serving` is what a heartbeat has said, if it was one. */
  heard(member: string, source: Source, serving: boolean | undefined): void {
    const before = this.#known.get(member);
    const { nowMs } = this.#world.time;
    const same = before?.incarnation === source.incarnation;
    const serves = serving ?? (same && before.serving);
    const awaySinceMs = before === undefined || (serves && before.connected) ? nowMs : before.awaySinceMs;
    const { incarnation } = source;
    this.#known.set(member, { source, incarnation, connected: true, serving: serves, heardAtMs: nowMs, awaySinceMs });
  }

  gone(member: string, source: Source): void {
    const known = this.#known.get(member);
    if (known?.source !== source || !known.connected) return;
    known.connected = false;
    known.awaySinceMs = this.#world.time.nowMs;
  }

  /** Since when this server knows that the member is away; infinite: it is not, as far as it knows. */
  awaySinceMs(member: string): number {
    const known = this.#known.get(member);
    if (known === undefined) return this.#startedAtMs;
    if (!known.connected || !known.serving) return known.awaySinceMs;
    const silentSinceMs = known.heardAtMs + timing.leaseMs;
    return silentSinceMs < this.#world.time.nowMs ? silentSinceMs : Number.POSITIVE_INFINITY;
  }
}
