/** The nodes of a database in virtual time: processes that start, hang and end, a network that splits, and who is elected. */
import type { MemberSpec } from '../../pilot/model.ts';
import type { SeededRandom } from './random.ts';
import type { World } from './world.ts';

export interface Node {
  readonly name: string;
  readonly nodeId: string;
  life: number;
  /** Its process is there. */
  up: boolean;
  /** It is part of the cluster that the elected master has. */
  booted: boolean;
  /** It runs and answers, and is part of no cluster: what it could reach has no quorum, or it was given up. */
  apart: boolean;
  /** As SIGSTOP: it answers nobody. */
  hung: boolean;
  /** On which side of a split network it is. */
  side: 0 | 1;
  /** The master has asked it what is on its disk; until then it looks as if it held nothing. */
  fetched: boolean;
  spec: MemberSpec | undefined;
}

export abstract class Nodes {
  readonly nodes = new Map<string, Node>();
  quorum: number | undefined = undefined;
  protected readonly world: World;
  protected readonly random: SeededRandom;
  #made = 0;
  #splits = 0;
  #master = '';

  constructor(world: World) {
    this.world = world;
    this.random = world.random.fork('database');
  }

  /** Something has changed that the elected master acts upon. */
  abstract changed(): void;

  /** The cluster has lost this node; `hadMaster`: and there was somebody to write it down. */
  protected abstract lose(name: string, hadMaster: boolean): void;

  node(name: string): Node {
    const known = this.nodes.get(name);
    if (known !== undefined) return known;
    const nodeId = `id-${name}-${++this.#made}`;
    const node: Node = {
      name,
      nodeId,
      life: 0,
      up: false,
      booted: false,
      apart: false,
      hung: false,
      side: 0,
      fetched: false,
      spec: undefined,
    };
    this.nodes.set(name, node);
    return node;
  }

  start(name: string): void {
    const node = this.node(name);
    Object.assign(node, { up: true, booted: false, apart: false, hung: false, fetched: false });
    node.life++;
    this.#join(node, this.random.between(1_500, this.world.rough('slow_starts') ? 20_000 : 6_000));
  }

  #join(node: Node, afterMs: number): void {
    const { life } = node;
    this.world.time.after(afterMs, () => {
      if (!node.up || node.booted || node.life !== life) return;
      // On the side without a master there is nothing to join.
      if (node.hung || node.side !== this.masterSide()) return this.#join(node, 1_000);
      node.booted = true;
      node.apart = false;
      this.world.say(node.name, 'database has joined');
      this.changed();
      this.world.time.after(this.random.between(50, this.world.rough('slow_starts') ? 8_000 : 1_000), () => {
        if (node.life !== life) return;
        node.fetched = true;
        this.changed();
      });
    });
  }

  /** These nodes and the others do not reach each other any more. */
  split(names: ReadonlySet<string>): void {
    for (const node of this.nodes.values()) node.side = names.has(node.name) ? 1 : 0;
    this.#splits++;
    this.world.disturb();
    this.#noticeSides(this.#splits);
  }

  rejoin(): void {
    this.#splits++;
    for (const node of this.nodes.values()) node.side = 0;
  }

  /** Soon, and again as long as the network is split: who cannot reach the master is given up. */
  #noticeSides(split: number): void {
    this.world.time.after(this.random.between(500, 4_000), () => {
      if (split !== this.#splits) return;
      this.#giveUp((node) => node.side !== this.masterSide());
      this.#noticeSides(split);
    });
  }

  /** As SIGSTOP to its process: after a while its peers give it up. */
  hang(name: string): void {
    const node = this.node(name);
    node.hung = true;
    this.world.disturb();
    this.world.time.after(this.random.between(3_000, 30_000), () => this.#giveUp((one) => one === node && one.hung));
  }

  isHung(name: string): boolean {
    return this.node(name).hung;
  }

  goOn(name: string): void {
    const node = this.node(name);
    node.hung = false;
  }

  /** The cluster goes on without these nodes; they run on and come back when they can. */
  #giveUp(which: (node: Node) => boolean): void {
    for (const node of this.booted().filter(which)) {
      const hadMaster = this.#standing().length >= this.quorumInForce();
      Object.assign(node, { booted: false, apart: true, fetched: false });
      this.world.say(node.name, 'database is given up by its peers');
      this.world.disturb();
      this.lose(node.name, hadMaster);
      this.#join(node, this.random.between(500, 3_000));
    }
    this.changed();
  }

  /** The side on which a master can be elected. */
  masterSide(): 0 | 1 {
    const onOther = this.#standing().filter((node) => node.side === 1).length;
    const here = this.#standing().filter((node) => node.side === 0).length;
    return onOther >= this.quorumInForce() && onOther > here ? 1 : 0;
  }

  /** Voters that run, whether or not they are part of the cluster. */
  #standing(): Node[] {
    return [...this.nodes.values()].filter(
      (node) => (node.booted || node.apart) && !node.hung && node.spec?.roles.includes('master'),
    );
  }

  /** Its process is gone; its disk is not. */
  kill(name: string): void {
    const node = this.node(name);
    const hadMaster = this.master() !== undefined;
    Object.assign(node, { up: false, booted: false, apart: false, hung: false });
    this.lose(name, hadMaster);
    this.changed();
  }

  voters(): Node[] {
    return this.booted().filter((node) => node.spec?.roles.includes('master'));
  }

  booted(): Node[] {
    return [...this.nodes.values()].filter((node) => node.booted).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The quorum in force: the setting, or what the files say where it was never set. */
  quorumInForce(): number {
    return this.quorum ?? Math.max(1, ...this.voters().map((node) => node.spec?.quorum ?? 1));
  }

  /** Stays who he is while he is there and enough voters are. */
  master(): Node | undefined {
    const side = this.masterSide();
    const voters = this.voters().filter((node) => node.side === side);
    if (voters.length < this.quorumInForce()) return undefined;
    const last = voters.find((node) => node.name === this.#master);
    // Until its peers have given it up, nobody else is elected.
    if (last?.hung === true) return undefined;
    const master = last ?? voters.find((node) => !node.hung);
    this.#master = master?.name ?? '';
    return master;
  }
}
