/**
 * One simulated node: what it knows of its cluster, whom of its peers it hears, and which of them decides. The first
 * living active node is the orchestrator: it alone changes the config, one change after another, and tells the others.
 */
import { randomBytes } from 'node:crypto';
import { activeNodes, entries, withNode, type Config, type NodeEntry } from './config.ts';
import { Disk, type Identity } from './disk.ts';
import type { Pace } from './pace.ts';
import { askPeer, type Wires } from './peers.ts';
import type { BucketMap } from './vbuckets.ts';

export interface Faults {
  /** At how many percent the next rebalance fails. */
  failRebalanceAt?: number;
  /** The path whose next answer is dropped after its effect. */
  dropReply?: string;
  /** How much later every answer comes. */
  slowMs: number;
}

export interface NodeOptions {
  readonly address: string;
  readonly directory: string;
  readonly version: string;
  readonly pace: Pace;
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

const beatMs = 1_000;
const unheardMs = 5_000;
/** In real time: a machine that is busy with tests is no dead node. */
const unheardLeastMs = 5_000;
const warmupMs = { least: 12_000, most: 15_000 };

export class Node {
  readonly address: string;
  readonly version: string;
  readonly pace: Pace;
  readonly disk: Disk;
  readonly life = randomBytes(8).toString('hex');
  readonly wires: Wires = { cut: new Set() };
  readonly faults: Faults = { slowMs: 0 };
  readonly startedAt: number;
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
  #queue: Promise<unknown> = Promise.resolve();

  constructor({ address, directory, version, pace }: NodeOptions) {
    this.address = address;
    this.version = version;
    this.pace = pace;
    this.disk = new Disk(directory, () => freshIdentity());
    this.startedAt = pace.now();
    const wait = this.config === undefined ? 0 : pace.between(warmupMs.least, warmupMs.most);
    this.#readyAt = this.startedAt + wait;
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
    this.keep({ config: { ...config, rev: 1, uuid: randomBytes(16).toString('hex'), nodes } });
  }

  /** What a first node says of its cluster, right after it has become one. */
  describe(name: string, quotas: Readonly<Record<string, number>>): void {
    const { config } = this;
    if (config !== undefined) this.keep({ config: { ...config, name, quotas: { ...config.quotas, ...quotas } } });
  }

  keep(change: Partial<Identity>): void {
    this.disk.keep({ ...this.disk.identity, ...change });
  }

  /** Changes what all agree on. On the orchestrator only; resolves once every living node has been told. */
  change(edit: (config: Config) => Config): Promise<Config> {
    const run = this.#queue.then(async () => {
      const before = this.config;
      if (before === undefined) throw new Error('no cluster');
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
        return {};
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
    this.disk.keep({ ...freshIdentity(), paths, uuid });
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

  async #ping(config: Config, entry: NodeEntry): Promise<void> {
    if (entry.otp === this.otp || this.wires.cut.has(entry.host)) return;
    const limitMs = Math.max(300, 3_000 / this.pace.scale);
    const call = { from: this.disk.identity.host, limitMs };
    try {
      const pong = await askPeer<Pong>(entry.host, 'ping', { otp: this.otp, uuid: config.uuid }, call);
      // Added, and told nothing yet: whoever told the others has died in between.
      const unheard = pong.uuid === '' && entry.membership === 'inactiveAdded' && this.orchestrator()?.otp === this.otp;
      if (unheard) await askPeer(entry.host, 'join', { config, host: entry.host }, call);
      if (pong.uuid !== config.uuid || !pong.member) return;
      const wasAway = !this.isAlive(entry.otp);
      const { ready, version, items } = pong;
      this.#seen.set(entry.otp, { at: this.pace.now(), ready, version, items });
      if (wasAway) this.onHeard(entry.otp);
      if (pong.rev <= (this.config?.rev ?? 0)) return;
      const about = await askPeer<{ config: Config | null }>(entry.host, 'about', {}, call);
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

  async #tell(config: Config): Promise<void> {
    const limitMs = Math.max(500, 5_000 / this.pace.scale);
    const call = { from: this.disk.identity.host, limitMs };
    const others = entries(config).filter(({ otp, host }) => otp !== this.otp && !this.wires.cut.has(host));
    const living = others.filter(({ otp }) => this.isAlive(otp));
    await Promise.allSettled(living.map(({ host }) => askPeer(host, 'config', { config }, call)));
  }
}

/** Adds a node to what all agree on, then tells it. */
export async function admit(node: Node, entry: NodeEntry): Promise<void> {
  const config = await node.change((before) => withNode(before, entry));
  const call = { from: node.disk.identity.host };
  await askPeer(entry.host, 'join', { config, host: entry.host }, call);
}

function freshIdentity(): Identity {
  return { uuid: randomBytes(16).toString('hex'), host: '127.0.0.1', services: [], paths: {} };
}
