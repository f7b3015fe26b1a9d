/** A database in memory: nodes, shards that move, settings, and an engine for each member. For tests of the pilot. */
import { NavigatorError } from '../../shared/errors.ts';
import type {
  Allocation,
  ClusterObservation,
  Evidence,
  MemberSpec,
  NodeObservation,
  Settings,
} from '../../pilot/model.ts';
import { refuseUnlessLeading, type Engine, type MayWrite } from '../../pilot/engine/engine.ts';

export interface FakeNode {
  readonly name: string;
  readonly nodeId: string;
  /** Counts its process lives; 0 before the first. */
  life: number;
  up: boolean;
  spec: MemberSpec | undefined;
  /** How often the engine was asked to prepare, to flush. */
  prepared: number;
  flushed: number;
  plugins: string[];
}

export interface FakeCopy {
  node: string;
  /** Set while it moves. */
  target?: string;
  primary: boolean;
}

export interface FakeShard {
  readonly index: string;
  readonly number: number;
  replicas: number;
  documents: number;
  /** Those that serve. A copy on a node that is down is not among them. */
  copies: FakeCopy[];
  /** Nodes that are down and hold the newest copy; only these can bring it back. */
  lost: string[];
}

/**
 * The whole database. Shards move at once where `eager`, and by one `step()` at a time where not, so that a test can
 * stop in the middle of a drain.
 */
export class FakeCluster {
  readonly nodes = new Map<string, FakeNode>();
  readonly shards: FakeShard[] = [];
  excluded: string[] = [];
  allocation: Allocation = 'all';
  /** By setting; undefined: what the files say. */
  quorum: number | undefined = undefined;
  version = 1n;
  eager: boolean;
  /** Times that a setting was written. */
  writes = 0;

  constructor(eager = true) {
    this.eager = eager;
  }

  /** The engine of a member. Its node exists from now on, and is down. */
  engine(name: string): Engine {
    return new FakeEngine(this, this.ensure(name));
  }

  /** The member's process runs from now on; what it held before is there again. */
  start(name: string): void {
    const node = this.node(name);
    if (node.up) throw new Error(`${name} runs already`);
    if (!node.spec) throw new Error(`${name} was never prepared`);
    node.life++;
    node.up = true;
    this.changed();
  }

  /** The member's process is gone, its data is not. */
  kill(name: string): void {
    const node = this.node(name);
    node.up = false;
    for (const shard of this.shards) this.#loseCopy(shard, name);
    this.changed();
  }

  /** An index, allocated as far as it can be. */
  createIndex(index: string, shards: number, replicas: number, documents = 0): void {
    for (let number = 0; number < shards; number++) {
      this.shards.push({ index, number, replicas, documents: 0, copies: [], lost: [] });
    }
    this.write(index, documents);
    this.changed();
  }

  /** Spreads documents over the shards of an index. */
  write(index: string, documents: number): void {
    const shards = this.shards.filter((shard) => shard.index === index);
    for (let number = 0; number < documents; number++) {
      const shard = shards[number % shards.length];
      if (shard) shard.documents++;
    }
  }

  /** Forgets an index. */
  deleteIndex(index: string): void {
    this.shards.splice(0, this.shards.length, ...this.shards.filter((shard) => shard.index !== index));
    this.changed();
  }

  /** The documents of an index that can be read. */
  documents(index?: string): number {
    const readable = this.shards.filter(({ copies, index: of }) => copies.length > 0 && of === (index ?? of));
    return readable.reduce((sum, shard) => sum + shard.documents, 0);
  }

  /** The elected master: the first voter by name, if enough of them are up. */
  master(): FakeNode | undefined {
    const voters = this.voters();
    const files = Math.max(0, ...voters.map((node) => node.spec?.quorum ?? 0));
    return voters.length >= (this.quorum ?? files) ? voters[0] : undefined;
  }

  /** The voters that are up, by name. */
  voters(): FakeNode[] {
    return this.up().filter((node) => node.spec?.roles.includes('master'));
  }

  /** The nodes that are up, by name. */
  up(): FakeNode[] {
    return [...this.nodes.values()].filter((node) => node.up).sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** A node that exists. */
  node(name: string): FakeNode {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`there is no member ${name}`);
    return node;
  }

  /** To be called after anything was changed by hand. */
  changed(): void {
    this.version++;
    while (this.eager && this.step());
  }

  /** The next single change of the shards: something comes back, is allocated, arrives or sets out. False: all is done. */
  step(): boolean {
    if (!this.master()) return false;
    const done =
      this.shards.some((shard) => this.#recover(shard)) ||
      this.shards.some((shard) => this.#arrive(shard)) ||
      this.shards.some((shard) => this.#allocate(shard)) ||
      this.shards.some((shard) => this.#setOut(shard));
    if (done) this.version++;
    return done;
  }

  ensure(name: string): FakeNode {
    const known = this.nodes.get(name);
    if (known) return known;
    const node = { name, nodeId: `id-${name}`, life: 0, up: false, spec: undefined };
    const made: FakeNode = { ...node, prepared: 0, flushed: 0, plugins: [] };
    this.nodes.set(name, made);
    return made;
  }

  #loseCopy(shard: FakeShard, name: string): void {
    for (const copy of shard.copies) if (copy.target === name) delete copy.target;
    const held = shard.copies.some((copy) => copy.node === name);
    if (!held) return;
    shard.copies = shard.copies.filter((copy) => copy.node !== name);
    const next = shard.copies[0];
    if (next) next.primary = true;
    else shard.lost.push(name);
  }

  /** As the database does it: an existing primary comes back where its data is, even to an excluded node. */
  #recover(shard: FakeShard): boolean {
    const name = shard.lost.find((lost) => this.nodes.get(lost)?.up);
    if (name === undefined || this.allocation === 'none' || this.allocation === 'new_primaries') return false;
    shard.lost = [];
    shard.copies = [{ node: name, primary: true }];
    return true;
  }

  #arrive(shard: FakeShard): boolean {
    const moving = shard.copies.find((copy) => copy.target !== undefined);
    if (moving?.target === undefined) return false;
    moving.node = moving.target;
    delete moving.target;
    return true;
  }

  #allocate(shard: FakeShard): boolean {
    const fresh = shard.copies.length === 0;
    if (shard.lost.length > 0 || this.allocation === 'none') return false;
    if (!fresh && (shard.copies.length > shard.replicas || this.allocation !== 'all')) return false;
    const node = this.#roomFor(shard);
    if (node) shard.copies.push({ node: node.name, primary: fresh });
    return node !== undefined;
  }

  #setOut(shard: FakeShard): boolean {
    const leaving = shard.copies.find((copy) => this.excluded.includes(copy.node) && copy.target === undefined);
    if (!leaving || (this.allocation !== 'all' && !(this.allocation === 'primaries' && leaving.primary))) return false;
    const node = this.#roomFor(shard);
    if (node) leaving.target = node.name;
    return node !== undefined;
  }

  #roomFor(shard: FakeShard): FakeNode | undefined {
    const taken = new Set(shard.copies.flatMap((copy) => [copy.node, copy.target ?? copy.node]));
    const load = (node: FakeNode): number => copiesOn(this, node.name).length;
    return this.up()
      .filter((node) => node.spec?.roles.includes('data'))
      .filter((node) => !taken.has(node.name) && !this.excluded.includes(node.name))
      .sort((one, other) => load(one) - load(other))[0];
  }
}

/** The copies that are on a node or on their way to it. */
export function copiesOn(cluster: FakeCluster, name: string): FakeCopy[] {
  return cluster.shards.flatMap((shard) => shard.copies).filter((copy) => copy.node === name || copy.target === name);
}

class FakeEngine implements Engine {
  readonly #cluster: FakeCluster;
  readonly #node: FakeNode;

  constructor(cluster: FakeCluster, node: FakeNode) {
    this.#cluster = cluster;
    this.#node = node;
  }

  prepare(spec: MemberSpec): Promise<void> {
    if (this.#node.up) return Promise.reject(new NavigatorError('conflict', `${this.#node.name} still runs`));
    this.#node.spec = spec;
    this.#node.prepared++;
    this.#node.plugins = [...new Set(spec.plugins)].sort();
    return Promise.resolve();
  }

  /** A real program, for tests that spawn: it ends on SIGTERM as the database does. */
  launch(): ReturnType<Engine['launch']> {
    const script = `trap 'kill $!; exit 143' TERM; sleep 86400 & wait`;
    return { command: '/bin/sh', args: ['-c', script], env: { PATH: '/usr/bin:/bin' }, cwd: '/' };
  }

  observeNode(): Promise<NodeObservation | undefined> {
    const { nodeId, name, spec, up } = this.#node;
    if (!up || !spec) return Promise.resolve(undefined);
    const joined = this.#cluster.master() !== undefined;
    const shards = copiesOn(this.#cluster, name).length;
    const held = this.#cluster.shards.filter(({ copies }) => copies.some((copy) => copy.node === name));
    const documents = held.reduce((sum, shard) => sum + shard.documents, 0);
    return Promise.resolve({ nodeId, processId: this.#processId(), joined, shards, documents, version: spec.version });
  }

  observeCluster(): Promise<ClusterObservation | undefined> {
    const { shards, version, excluded, allocation, quorum } = this.#cluster;
    const master = this.#cluster.master();
    if (!master || !this.#node.up) return Promise.resolve(undefined);
    const unassigned = this.#unassigned();
    const red = shards.some((shard) => shard.copies.length === 0);
    return Promise.resolve({
      stateVersion: version,
      health: red ? 'red' : unassigned > 0 ? 'yellow' : 'green',
      nodes: this.#cluster.up().map((node) => node.name),
      moving: this.#moving(),
      unassigned,
      unassignedPrimaries: this.#lostPrimaries(),
      excluded: [...excluded],
      allocation,
      documents: this.#cluster.documents(),
      electedMaster: master.name,
      ...(quorum === undefined ? {} : { quorum }),
    });
  }

  readEvidence(): Promise<Evidence | undefined> {
    const { version, excluded, allocation } = this.#cluster;
    const { name, nodeId, up } = this.#node;
    const master = this.#cluster.master();
    if (!master || !up) return Promise.resolve(undefined);
    const only = this.#cluster.shards.filter(
      ({ copies }) => copies.some((copy) => copy.node === name) && copies.every((copy) => copy.node === name),
    );
    return Promise.resolve({
      nodeId,
      processId: this.#processId(),
      stateVersion: version,
      shards: copiesOn(this.#cluster, name).length,
      lastCopies: only.length,
      unassignedPrimaries: this.#lostPrimaries(),
      unassigned: this.#unassigned(),
      moving: this.#moving(),
      excluded: excluded.includes(name),
      allocation,
      liveVoters: this.#cluster.voters().length,
      quorum: this.#cluster.quorum ?? master.spec?.quorum ?? 0,
    });
  }

  async applySettings(settings: Settings, mayWrite?: MayWrite): Promise<void> {
    const cluster = this.#cluster;
    if (!cluster.master() || !this.#node.up) {
      throw new NavigatorError('unavailable', 'no master is elected');
    }
    const foreign = cluster.excluded.filter((name) => !settings.owned.includes(name));
    const excluded = [...new Set([...foreign, ...settings.excluded])].sort();
    const quorum = settings.quorum > 0 ? settings.quorum : cluster.quorum;
    const before = JSON.stringify([cluster.excluded, cluster.allocation, cluster.quorum]);
    if (JSON.stringify([excluded, settings.allocation, quorum]) === before) return;
    refuseUnlessLeading(mayWrite);
    Object.assign(cluster, { excluded, allocation: settings.allocation, quorum });
    cluster.writes++;
    cluster.changed();
  }

  beforeStop(): Promise<undefined> {
    if (this.#node.up) this.#node.flushed++;
    return Promise.resolve(undefined);
  }

  lastLog(lines: number): string {
    const lives = Array.from({ length: this.#node.life }, (_, life) => `${this.#node.name} started, life ${life + 1}`);
    return lines > 0 ? lives.slice(-lines).join('\n') : '';
  }

  #processId(): string {
    return `${this.#node.nodeId}-life-${this.#node.life}`;
  }

  #moving(): number {
    return this.#cluster.shards.flatMap((shard) => shard.copies).filter((copy) => copy.target !== undefined).length;
  }

  #unassigned(): number {
    return this.#cluster.shards.reduce((sum, shard) => sum + 1 + shard.replicas - shard.copies.length, 0);
  }

  #lostPrimaries(): number {
    return this.#cluster.shards.filter((shard) => shard.copies.length === 0 && shard.lost.length > 0).length;
  }
}
