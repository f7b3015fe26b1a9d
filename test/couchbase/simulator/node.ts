/**
 * One simulated node: what it knows of its cluster, whom of its peers it hears, and which of them decides. The first
 * living active node is the orchestrator: it alone changes the config, one change after another, and tells the others.
 */
import { activeNodes, entries, withNode, type Config, type NodeEntry } from './config.ts';
import { freshIdentity, type Disk, type Identity } from './disk.ts';
import type { Wires } from './peers.ts';
import type { Pace, Size, Surroundings } from './surroundings.ts';
import type { BucketMap } from './vbuckets.ts';

export interface Faults {
  /** At how many percent the next rebalance fails. */
  failRebalanceAt?: number;
  /** Whether a rebalance or a graceful failover stands still. */
  holdRebalance: boolean;
  /** The path whose next answer is dropped after its effect. */
  dropReply?: string;
  /** How much later every answer comes. */
  slowMs: number;
}

interface Pong {
  readonly otp: string;
  readonly uuid: string;
  readonly rev: number;
  readonly ready: boolean;
  readonly version: string;
  /** How many items are active on it, by the uuid of their bucket. */
  readonly items: Readonly<Record<string, number>>;
  /** Whether the asker is one of its cluster's nodes. */
  readonly member: boolean;
}

type Seen = Pick<Pong, 'ready' | 'version' | 'items'> & { readonly at: number };

/** Within which a peer answers, unless more is said. */
const askLimitMs = 5_000;
const beatMs = 1_000;
const pingLeastMs = 2_000;
const unheardMs = 5_000;
/** In real time: a machine that is busy with tests is no dead node. */
const unheardLeastMs = 5_000;
const warmupMs = { least: 12_000, most: 15_000 };

export class Node {
  readonly version: string;
  readonly pace: Pace;
  readonly disk: Disk;
  readonly size: Size;
  readonly life: string;
  readonly wires: Wires = { cut: new Set() };
  readonly faults: Faults = { slowMs: 0, holdRebalance: false };
  readonly startedAt: number;
  /** The rebalance that this process is at; empty: none. */
  working = '';
  /** Where the orchestrator is in its rebalance: to be stopped. */
  stopAsked = false;
  /** Who gets what is written to a vBucket while it is on the move, by bucket and vBucket. */
  readonly forwards = new Map<string, readonly string[]>();
  /** A peer is heard again after a silence, or for the first time. */
  onHeard: (otp: string) => void = () => undefined;
  /** What lies in the node's inbox: whether there is an authority, and to take up the certificate, if there is one. */
  inbox = { authority: (): boolean => false, reload: (): boolean => false };
  /** Closes the REST interface for as long as a node that leaves is away. */
  onReset: (wasOut: Promise<void>) => void = () => undefined;
  readonly #seen = new Map<string, Seen>();
  readonly #readyAt: number;
  readonly #around: Surroundings;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(version: string, around: Surroundings) {
    this.version = version;
    this.#around = around;
    const { pace, disk, size } = around;
    this.pace = pace;
    this.disk = disk;
    this.size = size;
    this.life = around.hex(8);
    this.startedAt = pace.now();
    const wait = this.config === undefined ? 0 : pace.between(warmupMs.least, warmupMs.most);
    this.#readyAt = this.startedAt + wait;
  }

  hex(bytes: number): string {
    return this.#around.hex(bytes);
  }

  /** Asks a peer. Rejects where it is not reached, refuses, or does not answer in time. */
  ask<T>(host: string, method: string, body: unknown, limitMs = askLimitMs): Promise<T> {
    return this.#around.peers.ask(host, method, body, limitMs);
  }

  probe(host: string, port: number): Promise<'fine' | 'no TLS' | 'away'> {
    return this.#around.peers.probe(host, port);
  }

  resolves(host: string): Promise<boolean> {
    return this.#around.peers.resolves(host);
  }

  get config(): Config | undefined {
    return this.disk.identity.config;
  }

  get otp(): string {
    return `ns_1@${this.disk.identity.host}`;
  }

  get ready(): boolean {
    return this.pace.now() >= this.#readyAt;
  }

  isAlive(otp: string): boolean {
    if (otp === this.otp) return true;
    const seen = this.#seen.get(otp);
    const limitMs = Math.max(unheardMs, unheardLeastMs * this.pace.scale);
    return seen !== undefined && this.pace.now() - seen.at < limitMs;
  }

  /** Since when nothing is heard of a node, in simulated ms. */
  silentMs(otp: string): number {
    if (otp === this.otp) return 0;
    return this.pace.now() - (this.#seen.get(otp)?.at ?? this.startedAt);
  }

  /** The version that a node runs now; undefined: it is not heard. */
  versionOf(otp: string): string | undefined {
    return otp === this.otp ? this.version : this.#seen.get(otp)?.version;
  }

  statusOf(otp: string): 'healthy' | 'unhealthy' | 'warmup' {
    if (!this.isAlive(otp)) return 'unhealthy';
    const ready = otp === this.otp ? this.ready : this.#seen.get(otp)!.ready;
    return ready ? 'healthy' : 'warmup';
  }

  /** How many items of a bucket are active on the nodes that are heard, as they last said it. */
  itemsOf(bucket: string): number {
    const own = this.#ownItems()[bucket] ?? 0;
    const heard = [...this.#seen].filter(([otp]) => this.isAlive(otp));
    return heard.reduce((sum, [, { items }]) => sum + (items[bucket] ?? 0), own);
  }

  #ownItems(): Readonly<Record<string, number>> {
    const buckets = Object.values(this.config?.buckets ?? {});
    const count = (uuid: string, map: BucketMap): number =>
      map.reduce((sum, row, vb) => sum + (row[0] === this.otp ? this.disk.count(uuid, vb) : 0), 0);
    return Object.fromEntries(buckets.map(({ uuid, map }) => [uuid, count(uuid, map)]));
  }

  hasQuorum(): boolean {
    const active = this.config === undefined ? [] : activeNodes(this.config);
    return active.filter(({ otp }) => this.isAlive(otp)).length * 2 > active.length;
  }

  /** Undefined where no majority is heard. Who runs a rebalance stays it until that has ended. */
  orchestrator(): NodeEntry | undefined {
    if (this.config === undefined || !this.hasQuorum()) return undefined;
    const living = activeNodes(this.config).filter(({ otp }) => this.isAlive(otp));
    return living.find(({ otp }) => otp === this.config?.running?.orchestrator) ?? living[0];
  }

  /** Becomes a cluster of one. */
  found(config: Omit<Config, 'rev' | 'uuid' | 'nodes'>): void {
    const { uuid, services } = this.disk.identity;
    const entry: NodeEntry = {
      otp: this.otp,
      host: this.disk.identity.host,
      uuid,
      version: this.version,
      membership: 'active',
      recovery: 'none',
      services: services.length === 0 ? ['kv'] : services,
      balanced: true,
    };
    const nodes = { [entry.otp]: entry };
    this.keep({ config: { ...config, rev: 1, uuid: this.hex(16), nodes } });
  }

  /** What a first node says of its cluster, right after it has become one. */
  describe(name: string, quotas: Readonly<Record<string, number>>): void {
    const { config } = this;
    if (config !== undefined) this.keep({ config: { ...config, name, quotas: { ...config.quotas, ...quotas } } });
  }

  keep(change: Partial<Identity>): void {
    this.disk.keep({ ...this.disk.identity, ...change });
  }

  /**
   * Changes what all agree on. On the orchestrator only; resolves once every living node has been told. Rejects where no
   * majority answers, or one of them knows better: whoever was cut off, and does not know it yet, decides nothing, unless it is told to do the unsafe.
   */
  change(edit: (config: Config) => Config, isUnsafe = false): Promise<Config> {
    const run = this.#queue.then(async () => {
      const before = this.config;
      if (before === undefined) throw new Error('no cluster');
      if (!isUnsafe && !(await this.#isFollowed(before))) throw new Error('no majority follows');
      const after = { ...edit(before), rev: before.rev + 1 };
      this.#adopt(after);
      await this.#tell(after);
      return after;
    });
    this.#queue = run.catch(() => undefined);
    return run;
  }

  /** What peers and tests ask that concerns the config. */
  hear(method: string, body: unknown): unknown {
    switch (method) {
      case 'ping': {
        const { otp, uuid } = body as { otp: string; uuid: string };
        const { config } = this;
        const member = config?.uuid === uuid && config.nodes[otp] !== undefined;
        const pong: Pong = {
          otp: this.otp,
          uuid: config?.uuid ?? '',
          rev: config?.rev ?? 0,
          ready: this.ready,
          version: this.version,
          items: this.#ownItems(),
          member,
        };
        return pong;
      }
      case 'count-rebalances':
        return { begun: this.config?.rebalances ?? 0 };
      case 'about':
        return { uuid: this.disk.identity.uuid, version: this.version, config: this.config ?? null };
      case 'config': {
        const { config } = body as { config: Config };
        if (config.uuid === this.config?.uuid && config.rev > this.config.rev) this.#adopt(config);
        return { rev: this.config?.rev ?? 0 };
      }
      case 'join': {
        const { config, host } = body as { config: Config; host: string };
        this.disk.prune(() => false);
        this.keep({ config, host, services: config.nodes[`ns_1@${host}`]?.services ?? [] });
        return { ready: this.ready, version: this.version, items: {} };
      }
      case 'leave': {
        const { uuid } = body as { uuid: string };
        if (this.config?.uuid === uuid) void this.reset();
        return {};
      }
      default:
        throw new Error(`no such method: ${method}`);
    }
  }

  /** Leaves its cluster: away for a while, then as new. Its files of vBuckets are gone. */
  async reset(): Promise<void> {
    const away = this.pace.wait(this.pace.between(4_000, 6_000));
    this.onReset(away);
    const { paths, uuid } = this.disk.identity;
    this.disk.keep({ ...freshIdentity(uuid), paths });
    this.disk.prune(() => false);
    this.#seen.clear();
    await away;
  }

  async beat(): Promise<never> {
    for (;;) {
      const { config } = this;
      if (config !== undefined) await Promise.all(entries(config).map((entry) => this.#ping(config, entry)));
      await this.pace.wait(beatMs);
    }
  }

  /** A peer is there, by its own word. */
  note(otp: string, { ready, version, items }: Omit<Seen, 'at'>): void {
    const wasAway = !this.isAlive(otp);
    this.#seen.set(otp, { at: this.pace.now(), ready, version, items });
    if (wasAway) this.onHeard(otp);
  }

  async #ping(config: Config, entry: NodeEntry): Promise<void> {
    if (entry.otp === this.otp || this.wires.cut.has(entry.host)) return;
    const limitMs = this.#pingLimitMs();
    try {
      const pong = await this.ask<Pong>(entry.host, 'ping', { otp: this.otp, uuid: config.uuid }, limitMs);
      // Added, and told nothing yet: whoever told the others has died in between.
      const unheard = pong.uuid === '' && entry.membership === 'inactiveAdded' && this.orchestrator()?.otp === this.otp;
      if (unheard) await this.ask(entry.host, 'join', { config, host: entry.host }, limitMs);
      if (pong.uuid !== config.uuid || !pong.member) return;
      this.note(entry.otp, pong);
      if (pong.rev <= (this.config?.rev ?? 0)) return;
      const about = await this.ask<{ config: Config | null }>(entry.host, 'about', {}, limitMs);
      if (about.config?.uuid === this.config?.uuid && about.config?.nodes[this.otp]) this.#adopt(about.config);
    } catch {
      // What is not heard is noticed by its silence.
    }
  }

  #adopt(config: Config): void {
    if (this.config !== undefined && config.rev <= this.config.rev) return;
    this.keep({ config });
    const own = config.nodes[this.otp];
    if (config.running === undefined) this.forwards.clear();
    if (config.running !== undefined || own?.membership !== 'active') return;
    this.disk.prune((uuid, vb) => {
      const bucket = Object.values(config.buckets).find((one) => one.uuid === uuid);
      return bucket?.map[vb]?.includes(this.otp) === true;
    });
  }

  /** However fast the time is here, a busy machine may take as long as that to answer. */
  #pingLimitMs(): number {
    return Math.max(pingLeastMs, 3_000 / this.pace.scale);
  }

  async #isFollowed(config: Config): Promise<boolean> {
    const active = activeNodes(config);
    const limitMs = Math.max(unheardLeastMs, 3_000 / this.pace.scale);
    const body = { otp: this.otp, uuid: config.uuid };
    const others = active.filter(({ otp, host }) => otp !== this.otp && this.isAlive(otp) && !this.wires.cut.has(host));
    let following = active.some(({ otp }) => otp === this.otp) ? 1 : 0;
    const isMajority = (): boolean => following * 2 > active.length;
    // The slowest are not waited for: by then the first that answered could be out of reach, and never hear of the change.
    return new Promise((resolve) => {
      const asked = others.map(async ({ host }) => {
        const { uuid, rev } = await this.ask<Pong>(host, 'ping', body, limitMs);
        if (uuid !== config.uuid) return;
        if (rev > config.rev) resolve(false);
        else following++;
        if (isMajority()) resolve(true);
      });
      void Promise.allSettled(asked).then(() => resolve(isMajority()));
    });
  }

  async #tell(config: Config): Promise<void> {
    const limitMs = Math.max(500, 5_000 / this.pace.scale);
    const others = entries(config).filter(({ otp, host }) => otp !== this.otp && !this.wires.cut.has(host));
    const living = others.filter(({ otp }) => this.isAlive(otp));
    await Promise.allSettled(living.map(({ host }) => this.ask(host, 'config', { config }, limitMs)));
  }
}

/** Adds a node to what all agree on, then tells it. */
export async function admit(node: Node, entry: NodeEntry): Promise<void> {
  const config = await node.change((before) => withNode(before, entry));
  const pong = await node.ask<Omit<Seen, 'at'>>(entry.host, 'join', { config, host: entry.host });
  // Whoever has answered is there: a rebalance that begins at once must not miss it until the next beat.
  node.note(entry.otp, pong);
}
