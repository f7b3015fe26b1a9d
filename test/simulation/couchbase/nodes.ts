/**
 * The nodes of a simulated Couchbase in virtual time. What a node does is the code of test/couchbase/simulator, whose nodes
 * are processes elsewhere; here they have a virtual clock, a disk in memory, and peers that they reach by a call.
 */
import { NavigatorError } from '../../../shared/errors.ts';
import { catchUp } from '../../couchbase/simulator/copies.ts';
import { Disk, freshIdentity } from '../../couchbase/simulator/disk.ts';
import { govern } from '../../couchbase/simulator/govern.ts';
import { hear } from '../../couchbase/simulator/hear.ts';
import { Node } from '../../couchbase/simulator/node.ts';
import type { Reply } from '../../couchbase/simulator/operations.ts';
import { answer, type Asked } from '../../couchbase/simulator/rest.ts';
import type { Peers, Size } from '../../couchbase/simulator/surroundings.ts';
import type { SeededRandom } from '../random.ts';
import { ActorClock } from '../time.ts';
import type { World } from '../world.ts';

/** Few and slow to move: what a rebalance looks like is the same, and it has as many moments to be disturbed in. */
const size: Size = { vBuckets: 12, batch: 2, perMoveMs: 600 };

/** One life of a database process. */
export interface Life {
  readonly member: Member;
  readonly clock: ActorClock;
  readonly node: Node;
  /** Whether its REST interface is there. */
  open: boolean;
  /** What is asked of it and has no answer yet: rejected when it ends. */
  readonly pending: Set<(error: Error) => void>;
}

/** One member's database: its disk, and the process that there may be. */
export interface Member {
  readonly name: string;
  readonly host: string;
  disk: Disk;
  life: Life | undefined;
  /** On which side of a split network it is. */
  side: 0 | 1;
}

export class Nodes {
  readonly members = new Map<string, Member>();
  /** Told after every change of what a node has of its cluster. */
  onKeep: (member: Member) => void = () => undefined;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #hosts = new Map<string, string>();
  readonly #names = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('couchbase');
  }

  /** A member's address, for ever. */
  hostOf(name: string): string {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    const host = `10.0.0.${this.#hosts.size + 1}`;
    this.#hosts.set(name, host);
    this.#names.set(host, name);
    return host;
  }

  /** Empty: nobody has that address. */
  nameOf(host: string): string {
    return this.#names.get(host) ?? '';
  }

  member(name: string): Member {
    const known = this.members.get(name);
    if (known !== undefined) return known;
    const member: Member = { name, host: this.hostOf(name), disk: this.#emptyDisk(name), life: undefined, side: 0 };
    this.members.set(name, member);
    return member;
  }

  /** Its disk is as new. Only while its process is down. */
  wipe(member: Member): void {
    member.disk = this.#emptyDisk(member.name);
  }

  #emptyDisk(name: string): Disk {
    const put = (file: string): void => {
      const member = this.members.get(name);
      if (member !== undefined && file === 'node.json') this.onKeep(member);
    };
    return new Disk({ put, remove: () => undefined }, { identity: freshIdentity(this.#random.hex(4)) });
  }

  start(name: string, version: string): void {
    const member = this.member(name);
    const { disk } = member;
    const clock = new ActorClock(this.#world.time, 1, 0);
    const random = this.#random.fork(name);
    const pace = {
      scale: 1,
      wait: (ms: number) => clock.sleep(ms),
      between: (least: number, most: number) => random.between(least, most),
      now: () => clock.monotonicMs(),
    };
    const hex = (bytes: number): string => random.hex(Math.ceil(bytes / 4));
    const peers: Peers = {
      ask: (host, method, body, limitMs) => this.#ask(life, { host, method, body, limitMs }),
      resolves: async () => false,
      probe: async (host) => {
        await clock.sleep(2);
        return this.#reached(life, host)?.open === true ? 'fine' : 'away';
      },
    };
    const node = new Node(version, { pace, peers, disk, size, hex });
    const life: Life = { member, clock, node, open: false, pending: new Set() };
    member.life = life;
    node.onHeard = (otp) => void catchUp(node, otp).catch(() => undefined);
    node.onReset = (away) => {
      life.open = false;
      void away.then(() => (life.open = true));
    };
    clock.after(random.between(1_000, this.#world.rough('slow_starts') ? 12_000 : 3_000), () => {
      life.open = true;
      void node.beat();
      void govern(node);
    });
  }

  end(name: string): void {
    const member = this.member(name);
    const { life } = member;
    if (life === undefined) return;
    member.life = undefined;
    life.clock.stop();
    for (const reject of [...life.pending]) reject(new Error(`${member.host} is away`));
  }

  /** One request to the REST interface of a node. Rejects where there is no answer. */
  async rest(name: string, asked: Asked): Promise<Reply> {
    const life = this.members.get(name)?.life;
    if (life?.open !== true) throw new NavigatorError('unavailable', `${name}: connection refused`);
    return this.#serve(life, () => answer(life.node, asked));
  }

  /** Where the network is whole, and there is somebody. */
  #reached(from: Life, host: string): Life | undefined {
    const to = this.members.get(this.nameOf(host));
    return to?.side === from.member.side ? to.life : undefined;
  }

  async #ask<T>(
    from: Life,
    { host, method, body, limitMs }: { host: string; method: string; body: unknown; limitMs: number },
  ): Promise<T> {
    // Heartbeats are most of what there is. They take no time, so that they cost none.
    const isBeat = method === 'ping';
    if (!isBeat) await from.clock.sleep(this.#random.between(0.5, 5));
    const to = this.#reached(from, host);
    if (to === undefined) throw new Error(`${host} is not reached`);
    if (isBeat && !to.clock.frozen && to.clock.held === 0) return hear(to.node, method, body) as T;
    return new Promise<T>((resolve, reject) => {
      const timer = from.clock.after(limitMs, () => reject(new Error(`no answer from ${host}`)));
      const back = (tell: () => void): void =>
        from.clock.defer(() => {
          // What is said across a network that has split meanwhile is never heard.
          if (this.#reached(from, host) !== to) return;
          timer.cancel();
          tell();
        });
      void this.#serve(to, async () => hear(to.node, method, body) as T).then(
        (value) => back(() => resolve(value)),
        (thrown: unknown) => back(() => reject(thrown instanceof Error ? thrown : new Error(String(thrown)))),
      );
    });
  }

  /** Has a node do something when it runs. Rejects where it ends before it has an answer. */
  #serve<T>(life: Life, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      life.pending.add(reject);
      life.clock.defer(() => {
        void work()
          .then(resolve, reject)
          .finally(() => life.pending.delete(reject));
      });
    });
  }
}
