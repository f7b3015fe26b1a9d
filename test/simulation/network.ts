/** The network between pilots and servers: streams of bytes that are slow, stall one way, and are cut. */
import type { SeededRandom } from './random.ts';
import type { ActorClock } from './time.ts';
import type { World } from './world.ts';

/** grpc's keepalive: a peer that answers nothing for so long is given up. */
const keepaliveMs = 15_000;

/** One end of a stream: what reaches it. */
export interface End {
  readonly clock: ActorClock;
  receive(bytes: Uint8Array): void;
  /** The other side has ended it in order; empty: and had nothing to complain of. */
  ended(why: string): void;
  /** It is gone, and so is what was on its way. */
  lost(why: string): void;
}

export type Direction = 'up' | 'down';

/** Whoever takes streams: a server that is up. */
export interface Listener {
  accept(stream: Stream): End;
}

/** A stream, in order in each direction, until it is cut. */
export class Stream {
  readonly member: string;
  open = true;
  client: End | undefined;
  server: End | undefined;
  /** Messages on their way. */
  readonly underWay = { up: 0, down: 0 };
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #stalledUntilMs = { up: 0, down: 0 };
  readonly #lastMs = { up: 0, down: 0 };

  constructor(member: string, world: World, random: SeededRandom) {
    this.member = member;
    this.#world = world;
    this.#random = random;
  }

  send(direction: Direction, bytes: Uint8Array): void {
    this.#carry(direction, () => this.#end(direction)?.receive(bytes));
  }

  /** The sender ends it; what was said before arrives. */
  finish(direction: Direction, why: string): void {
    this.#carry(direction, () => {
      const end = this.#end(direction);
      // The pilot's end is closed only once the server has closed its own.
      if (direction === 'down') this.open = false;
      end?.ended(why);
    });
  }

  /** What is on its way is lost; both ends learn of it, each in its time. */
  cut(why: string): void {
    if (!this.open) return;
    this.open = false;
    for (const end of [this.client, this.server]) {
      this.#world.time.after(this.#random.between(1, 20), () => end?.clock.defer(() => end.lost(why)));
    }
  }

  /** Nothing arrives in this direction for so long; a long stall is a loss to both. */
  stall(direction: Direction, forMs: number): void {
    this.#stalledUntilMs[direction] = this.#world.time.nowMs + forMs;
    if (forMs > keepaliveMs) this.#world.time.after(keepaliveMs, () => this.cut('no answer to keepalive'));
  }

  #end(direction: Direction): End | undefined {
    return direction === 'up' ? this.server : this.client;
  }

  #carry(direction: Direction, arrive: () => void): void {
    if (!this.open) return;
    const { time } = this.#world;
    const slow = this.#random.chance(0.01) && this.#world.rough('slow_network');
    const latencyMs = slow ? this.#random.between(50, 3_000) : this.#random.between(1, 8);
    const free = Math.max(time.nowMs, this.#stalledUntilMs[direction]) + latencyMs;
    const atMs = Math.max(free, this.#lastMs[direction]);
    this.#lastMs[direction] = atMs;
    this.underWay[direction]++;
    time.after(atMs - time.nowMs, () => this.#deliver(direction, arrive));
  }

  /** A stall that began after the sending holds it, too. */
  #deliver(direction: Direction, arrive: () => void): void {
    if (!this.open) return;
    const waitMs = this.#stalledUntilMs[direction] - this.#world.time.nowMs;
    if (waitMs > 0) {
      this.#lastMs[direction] = Math.max(this.#lastMs[direction], this.#stalledUntilMs[direction]);
      this.#world.time.after(waitMs, () => this.#deliver(direction, arrive));
      return;
    }
    this.#end(direction)?.clock.defer(() => {
      this.underWay[direction]--;
      if (this.open) arrive();
    });
  }
}

export class Network {
  /** Servers that take streams now, the newest last. */
  readonly listeners: Listener[] = [];
  readonly streams = new Set<Stream>();
  /** Members that reach no server now. */
  readonly severed = new Set<string>();
  readonly #world: World;
  readonly #random: SeededRandom;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('network');
  }

  /** A stream to one of the servers; where there is none, it is lost soon, or never answers. */
  dial(member: string, client: End): Stream {
    const stream = new Stream(member, this.#world, this.#random);
    stream.client = client;
    for (const old of this.streams) if (!old.open) this.streams.delete(old);
    this.streams.add(stream);
    if (this.severed.has(member)) {
      if (this.#random.chance(0.5)) stream.cut('no route');
      return stream;
    }
    const listener = this.listeners.length > 1 ? this.#random.pick(this.listeners) : this.listeners[0];
    if (listener === undefined) stream.cut('connection refused');
    else stream.server = listener.accept(stream);
    return stream;
  }

  unlisten(listener: Listener): void {
    const at = this.listeners.indexOf(listener);
    if (at >= 0) this.listeners.splice(at, 1);
  }

  sever(member: string): void {
    this.severed.add(member);
    this.cutAll(member, 'network unreachable');
  }

  cutAll(member: string, why: string): void {
    for (const stream of this.streams) if (stream.member === member) stream.cut(why);
  }
}
