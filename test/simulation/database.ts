/**
 * The shards of a database in virtual time: primaries and replicas that take time to be made and to move, exclusions,
 * and restricted allocation. A copy on a disk counts as data only while it is in sync.
 */
import type { Engine } from '../../pilot/engine/engine.ts';
import type { Allocation, Settings } from '../../pilot/model.ts';
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { Ledger } from '../../server/model/ledger.ts';
import { wantedMembers } from '../../server/reconcile/topology.ts';
import type { EnginePorts, Filling, SimulatedDatabase } from './application.ts';
import { SimulatedEngine } from './engine.ts';
import { Nodes, type Node } from './nodes.ts';

export interface Copy {
  readonly node: string;
  started: boolean;
  primary: boolean;
  /** Where it moves from. */
  readonly from?: string;
}

export interface Shard {
  readonly id: string;
  readonly replicas: number;
  /** On nodes that are up. */
  copies: Copy[];
  /** Nodes whose disk has all of its data. */
  inSync: Set<string>;
  allocated: boolean;
  lost: boolean;
}

export class Database extends Nodes implements SimulatedDatabase {
  /** Names in the exclusions that no member has: somebody else's. */
  readonly foreign = new Set(['somebody-else']);
  readonly shards: Shard[] = [];
  excluded = [...this.foreign];
  allocation: Allocation = 'all';
  version = 1n;
  #advancing = false;

  addressOf(name: string): string {
    return `${name}.sim`;
  }

  engine(name: string, ports: EnginePorts): Engine {
    return new SimulatedEngine(name, { ...ports, world: this.world, database: this });
  }

  fill({ shards, replicas }: Filling): void {
    for (let number = 0; number < shards; number++) {
      const id = `songs[${number}]`;
      this.shards.push({ id, replicas, copies: [], inSync: new Set(), allocated: false, lost: false });
    }
    this.changed();
  }

  /** Its disk is gone; `meant`: with all that a person has given up. */
  destroy(name: string, meant: boolean): void {
    for (const shard of this.shards) {
      const had = shard.inSync.delete(name);
      if (!had || shard.inSync.size > 0 || shard.lost) continue;
      shard.lost = true;
      if (meant) continue;
      this.world.fail('I3', `${shard.id} is lost for good: ${name} had its last copy, and its disk was removed`);
    }
    this.nodes.delete(name);
    this.changed();
  }

  written(): void {}

  check(): void {
    for (const name of this.foreign)
      if (!this.excluded.includes(name))
        this.world.fail('I7', `the exclusion of ${name}, which somebody else has set, is gone`);
  }

  lastCopiesOn(name: string): readonly string[] {
    return this.onlyOn(name).map(({ id }) => id);
  }

  /** What it holds says all. */
  staysBecause(): undefined {
    return undefined;
  }

  outvoted(stays: (name: string) => boolean): string | undefined {
    const left = this.voters().filter((node) => stays(node.name)).length;
    if (this.master() === undefined || left >= this.quorumInForce()) return undefined;
    return `leaves ${left} voters, and ${this.quorumInForce()} must agree`;
  }

  lacks(name: string, version: string): string {
    const node = this.nodes.get(name);
    if (node?.booted !== true) return 'is not up';
    return node.spec?.version === version ? '' : `runs ${node.spec?.version}`;
  }

  unwell(): string {
    return this.green() ? '' : `shards are missing or moving: ${this.trouble()}`;
  }

  leftOver(spec: ClusterSpec, ledger: Ledger): string {
    const names = wantedMembers(spec).map(({ name }) => name);
    const voters = names.filter((name) => ledger.members[name]?.roles.includes('master')).length;
    const { excluded, allocation } = this;
    if (excluded.some((name) => !this.foreign.has(name)) || allocation !== 'all')
      return `settings have leaked: [${excluded.join(' ')}] ${allocation}`;
    const quorum = Math.floor(voters / 2) + 1;
    return this.quorumInForce() === quorum ? '' : `settings: quorum is ${this.quorumInForce()}, not ${quorum}`;
  }

  copiesOn(name: string): number {
    return this.shards.reduce((sum, { copies }) => sum + copies.filter((copy) => copy.node === name).length, 0);
  }

  /** Started copies on this node without a started one elsewhere. */
  onlyOn(name: string): readonly Shard[] {
    return this.shards.filter(({ copies }) => {
      const started = copies.filter((copy) => copy.started);
      return started.some((copy) => copy.node === name) && started.every((copy) => copy.node === name);
    });
  }

  moving(): number {
    return this.shards.reduce((sum, { copies }) => sum + copies.filter((copy) => !copy.started).length, 0);
  }

  unassigned(): number {
    const whole = (shard: Shard): number => shard.copies.filter((copy) => copy.from === undefined).length;
    return this.shards.reduce((sum, shard) => sum + Math.max(0, 1 + shard.replicas - whole(shard)), 0);
  }

  unassignedPrimaries(): number {
    return this.shards.filter((shard) => !shard.copies.some((copy) => copy.primary)).length;
  }

  /** Which shards are not whole, and where their data is, for people. */
  trouble(): string {
    const master = this.master()?.name ?? 'nobody';
    const whole = (shard: Shard): boolean =>
      shard.copies.length === 1 + shard.replicas && shard.copies.every((copy) => copy.started);
    const broken = this.shards
      .filter((shard) => !whole(shard))
      .map(
        ({ id, copies, inSync }) =>
          `${id} on [${copies.map(({ node }) => node).join(' ')}], data on [${[...inSync].join(' ')}]`,
      );
    return `${master} is master, allocation is ${this.allocation}, ${broken.join('; ') || 'all shards are whole'}`;
  }

  /** Every copy is where it should be. */
  green(): boolean {
    return this.master() !== undefined && this.unassigned() === 0 && this.moving() === 0;
  }

  apply(settings: Settings): void {
    const foreign = this.excluded.filter((name) => !settings.owned.includes(name));
    const excluded = [...new Set([...foreign, ...settings.excluded])].sort();
    const quorum = settings.quorum > 0 ? settings.quorum : this.quorum;
    const { allocation } = settings;
    if (JSON.stringify([excluded, allocation, quorum]) === JSON.stringify(this.settings())) return;
    Object.assign(this, { excluded, allocation, quorum });
    this.world.say('settings', `excluded [${excluded.join(' ')}], allocation ${allocation}, quorum ${quorum ?? '-'}`);
    this.changed();
  }

  settings(): unknown[] {
    return [this.excluded, this.allocation, this.quorum];
  }

  changed(): void {
    this.version++;
    if (this.#advancing) return;
    this.#advancing = true;
    this.world.time.after(5, () => {
      this.#advancing = false;
      this.#advance();
    });
  }

  #advance(): void {
    if (this.master() === undefined) return;
    for (const shard of this.shards) {
      this.#recoverPrimary(shard);
      this.#makeReplica(shard);
      this.#moveAway(shard);
    }
    this.#rebalance();
  }

  protected lose(name: string, hadMaster: boolean): void {
    for (const shard of this.shards) this.#loseCopies(shard, name, hadMaster);
  }

  #loseCopies(shard: Shard, name: string, hadMaster: boolean): void {
    const { copies } = shard;
    if (!copies.some((copy) => copy.node === name || copy.from === name)) return;
    const wasStarted = copies.some((copy) => copy.node === name && copy.started);
    shard.copies = copies.filter((copy) => copy.node !== name && copy.from !== name);
    const heir = shard.copies.find((copy) => copy.started);
    if (heir === undefined) {
      // Without a started copy nothing can be copied from.
      shard.copies = [];
      return;
    }
    // The master writes down who has missed something only where there is one.
    if (wasStarted && hadMaster) shard.inSync.delete(name);
    if (!shard.copies.some((copy) => copy.primary)) heir.primary = true;
  }

  /** An existing primary comes back where its data is, even to an excluded node. */
  #recoverPrimary(shard: Shard): void {
    if (shard.copies.length > 0 || shard.lost || this.allocation === 'none') return;
    if (!shard.allocated) {
      const node = this.#roomFor(shard);
      if (node === undefined) return;
      shard.allocated = true;
      shard.inSync.add(node.name);
      shard.copies.push({ node: node.name, started: true, primary: true });
      this.version++;
      return;
    }
    if (this.allocation === 'new_primaries') return;
    const holder = this.booted().find((node) => node.fetched && shard.inSync.has(node.name));
    if (holder === undefined) return;
    this.#begin(shard, { node: holder.name, started: false, primary: true }, [50, 2_000]);
  }

  #makeReplica(shard: Shard): void {
    const primary = shard.copies.find((copy) => copy.primary && copy.started);
    const whole = shard.copies.filter((copy) => copy.from === undefined).length;
    if (primary === undefined || this.allocation !== 'all' || whole > shard.replicas) return;
    const node = this.#roomFor(shard, primary.node);
    if (node !== undefined) this.#begin(shard, { node: node.name, started: false, primary: false });
  }

  #moveAway(shard: Shard): void {
    const copy = shard.copies.find((one) => one.started && this.excluded.includes(one.node));
    if (copy === undefined || this.#isMoving(shard, copy)) return;
    const may = this.allocation === 'all' || (this.allocation === 'primaries' && copy.primary);
    const node = may ? this.#roomFor(shard, copy.node) : undefined;
    if (node) this.#begin(shard, { node: node.name, started: false, primary: copy.primary, from: copy.node });
  }

  /** One shard at a time goes from the fullest node to the emptiest. */
  #rebalance(): void {
    if (this.allocation !== 'all' || this.moving() > 0 || this.unassigned() > 0) return;
    const nodes = this.booted().filter((node) => this.#mayHold(node));
    const load = (node: Node): number => this.copiesOn(node.name);
    const sorted = nodes.sort((a, b) => load(a) - load(b));
    const least = sorted[0];
    const most = sorted.at(-1);
    if (least === undefined || most === undefined || load(most) - load(least) < 2) return;
    const shard = this.shards.find(
      ({ copies }) => copies.some((one) => one.node === most.name) && !copies.some((one) => one.node === least.name),
    );
    const copy = shard?.copies.find((one) => one.node === most.name);
    if (shard === undefined || copy === undefined || !this.#isOld(least, most.name)) return;
    this.#begin(shard, { node: least.name, started: false, primary: copy.primary, from: most.name });
  }

  #isMoving(shard: Shard, copy: Copy): boolean {
    return shard.copies.some((one) => one.from === copy.node);
  }

  #begin(shard: Shard, copy: Copy, [least, most]: readonly [number, number] = [300, 9_000]): void {
    shard.copies.push(copy);
    this.version++;
    this.world.time.after(this.random.between(least, most), () => this.#finish(shard, copy));
  }

  #finish(shard: Shard, copy: Copy): void {
    if (!shard.copies.includes(copy)) return;
    if (this.master() === undefined) {
      this.world.time.after(500, () => this.#finish(shard, copy));
      return;
    }
    copy.started = true;
    if (copy.from !== undefined) this.world.say('database', `${shard.id} has moved from ${copy.from} to ${copy.node}`);
    // What comes back alone goes on alone: every other disk misses what is written from now on.
    if (copy.primary && copy.from === undefined) shard.inSync.clear();
    shard.inSync.add(copy.node);
    const moved = shard.copies.find((one) => one.node === copy.from);
    if (moved !== undefined) {
      shard.copies = shard.copies.filter((one) => one !== moved);
      const { node } = copy;
      shard.copies[shard.copies.indexOf(copy)] = { node, started: true, primary: moved.primary };
      shard.inSync.delete(moved.node);
    }
    this.changed();
  }

  #mayHold(node: Node): boolean {
    return node.spec?.roles.includes('data') === true && !this.excluded.includes(node.name);
  }

  /** A copy never goes to an older node than the one that it is made from. */
  #isOld(node: Node, source: string): boolean {
    return (node.spec?.version ?? '') >= (this.nodes.get(source)?.spec?.version ?? '');
  }

  #roomFor(shard: Shard, source?: string): Node | undefined {
    const taken = new Set(shard.copies.map((copy) => copy.node));
    return this.booted()
      .filter((node) => this.#mayHold(node) && !taken.has(node.name))
      .filter((node) => source === undefined || this.#isOld(node, source))
      .sort((a, b) => this.copiesOn(a.name) - this.copiesOn(b.name))[0];
  }
}
