/** A cluster of Couchbase in virtual time, as the rest of the simulation has it. */
import type { Engine } from '../../../pilot/engine/engine.ts';
import type { ClusterSpec } from '../../../server/model/cluster.ts';
import type { Ledger } from '../../../server/model/ledger.ts';
import { activeNodes, entries, isBalanced, isData, type Config } from '../../couchbase/simulator/config.ts';
import { basic } from '../../couchbase/simulator/rest.ts';
import type { EnginePorts, SimulatedDatabase } from '../application.ts';
import type { SimulatedDisk } from '../disk.ts';
import type { World } from '../world.ts';
import { administrator, engineOn, fileOf } from './ground.ts';
import { Judge } from './judge.ts';
import { Nodes } from './nodes.ts';

type Form = Readonly<Record<string, string>>;

export class CouchbaseDatabase implements SimulatedDatabase {
  readonly nodes: Nodes;
  readonly judge: Judge;
  readonly #world: World;
  #isFilled = false;

  constructor(world: World) {
    this.#world = world;
    this.nodes = new Nodes(world);
    this.judge = new Judge(world, this.nodes);
  }

  get truth(): Config | undefined {
    return this.judge.truth;
  }

  start(name: string, version: string): void {
    this.nodes.start(name, version);
  }

  kill(name: string): void {
    this.nodes.end(name);
  }

  isHung(name: string): boolean {
    return this.nodes.member(name).life?.clock.frozen === true;
  }

  hang(name: string): void {
    this.#world.disturb();
    this.nodes.member(name).life?.clock.freeze();
  }

  goOn(name: string): void {
    this.nodes.member(name).life?.clock.thaw();
  }

  split(apart: ReadonlySet<string>): void {
    this.#world.disturb();
    for (const member of this.nodes.members.values()) member.side = apart.has(member.name) ? 1 : 0;
  }

  rejoin(): void {
    for (const member of this.nodes.members.values()) member.side = 0;
  }

  destroy(name: string, meant: boolean): void {
    if (!meant)
      for (const id of this.#onlyOnDiskOf(name))
        this.#world.fail('I3', `${id} is lost for good: ${name} had its last copy, and its disk was removed`);
    this.nodes.members.delete(name);
  }

  /** What was on its disk is gone, though nobody asked for it. Its process has ended. */
  loseDisk(name: string, files: SimulatedDisk | undefined): void {
    for (const id of this.#onlyOnDiskOf(name)) this.judge.gone.add(id);
    this.nodes.wipe(this.nodes.member(name));
    files?.lose(fileOf('couchbase-founded'));
  }

  addressOf(name: string): string {
    return this.nodes.hostOf(name);
  }

  engine(name: string, ports: EnginePorts): Engine {
    return engineOn(name, { ...ports, world: this.#world, nodes: this.nodes, judge: this.judge });
  }

  /** One item in each vBucket, on every disk that is to have it. */
  fill(): void {
    this.#isFilled = true;
    for (const { uuid, map } of Object.values(this.truth?.buckets ?? {})) {
      map.forEach((row, vb) => {
        for (const otp of row.filter((one) => one !== ''))
          this.nodes.member(this.#named(otp)).disk.add(uuid, vb, [`item ${vb}`]);
      });
    }
  }

  /** All that is held against it is told by what is kept on its disks. */
  check(): void {}

  written(ledger: Ledger): void {
    this.judge.written(ledger);
  }

  /** What a person does to the cluster by their own hand. Nobody tells them how it went. */
  byHand(path: string, form: Form, at?: string): void {
    const through =
      at ??
      activeNodes(this.truth!)
        .map(({ otp }) => this.#named(otp))
        .find((name) => this.judge.answers(name));
    if (through === undefined) return;
    const words = Object.entries(form).map(([key, value]) => ` ${key}=${value}`);
    this.#world.say('person', `by hand, at ${through}: ${path}${words.join('')}`);
    this.judge.byHand(path);
    const authorization = basic(administrator.username, administrator.password);
    void this.nodes.rest(through, { method: 'POST', path, form, authorization }).catch(() => undefined);
  }

  /** vBuckets that are active on it, and that no other node that answers has a copy of; none where its disk is as new. */
  lastCopiesOn(name: string): readonly string[] {
    return this.judge.isOfCluster(name) ? this.onlyOn(name) : [];
  }

  /** Those that only it is said to have, whether or not it has lost them with its disk. */
  onlyOn(name: string): readonly string[] {
    const otp = `ns_1@${this.nodes.hostOf(name)}`;
    return Object.values(this.truth?.buckets ?? {}).flatMap((bucket) =>
      bucket.map.flatMap((row, vb) => {
        const others = row.slice(1).filter((one) => one !== '' && this.judge.answers(this.#named(one)));
        return row[0] === otp && others.length === 0 ? [`${bucket.name}[${vb}]`] : [];
      }),
    );
  }

  staysBecause(name: string): string | undefined {
    const host = this.nodes.hostOf(name);
    const part = Object.values(this.truth?.nodes ?? {}).find((entry) => entry.host === host);
    const isJustAdded = part !== undefined && this.judge.isJustAdded(part.otp);
    return part && !isJustAdded ? `the cluster has it as ${part.membership}` : undefined;
  }

  outvoted(stays: (name: string) => boolean): string | undefined {
    const active = activeNodes(this.truth!).map(({ otp }) => this.#named(otp));
    const live = active.filter((name) => this.judge.answers(name));
    const left = live.filter(stays).length;
    // Where there is no quorum already, nothing is lost.
    if (live.length * 2 <= active.length || left * 2 > active.length || left === live.length) return undefined;
    return `leaves ${left} of ${active.length} active nodes, and more than half must agree`;
  }

  lacks(name: string, version: string): string {
    const member = this.nodes.members.get(name);
    const part = Object.values(this.truth?.nodes ?? {}).find(({ host }) => host === member?.host);
    if (part?.membership !== 'active') return `is ${part?.membership ?? 'no node of the cluster'}`;
    if (!this.judge.answers(name)) return 'is not up';
    const runs = member?.life?.node.version ?? '';
    return runs.startsWith(version) ? '' : `runs ${runs}`;
  }

  unwell(): string {
    const { truth } = this;
    if (truth === undefined) return 'there is no cluster';
    if (truth.running !== undefined) return 'a rebalance is running';
    const data = activeNodes(truth).filter(isData).length;
    const thin = Object.values(truth.buckets).find(({ map, replicas }) => {
      const copies = 1 + Math.min(replicas, data - 1);
      return map.some((row) => row.filter((otp) => otp !== '').length < copies);
    });
    return isBalanced(truth) && thin === undefined ? '' : `it is not balanced: ${this.trouble()}`;
  }

  leftOver({ couchbase }: ClusterSpec, ledger: Ledger): string {
    const { truth } = this;
    if (truth === undefined || couchbase === undefined) return 'there is no cluster';
    const known = new Set(Object.values(ledger.members).map(({ address }) => address));
    const stranger = entries(truth).find(({ host }) => !known.has(host));
    if (stranger !== undefined) return `${stranger.host} is a node, and no member`;
    for (const { name, replicas } of couchbase.buckets) {
      const bucket = truth.buckets[name];
      if (bucket === undefined || bucket.replicas < replicas) return `bucket ${name} is not as desired`;
    }
    const { enabled, timeout, maxCount } = truth.autoFailover;
    const wanted = couchbase.autoFailover;
    if (enabled !== wanted.enabled || timeout !== wanted.timeout || maxCount !== wanted.maxCount)
      return `settings: auto-failover is ${enabled}, ${timeout} s, ${maxCount}`;
    const gone = this.#empty().filter((id) => !this.judge.gone.has(id));
    return gone.length === 0 ? '' : `data: ${gone.join(', ')} are empty`;
  }

  trouble(): string {
    const { truth } = this;
    if (truth === undefined) return 'there is no cluster';
    const nodes = entries(truth).map(({ host, membership, balanced }) => {
      return `${this.nodes.nameOf(host)} ${membership}${balanced ? '' : ' unbalanced'}`;
    });
    return `nodes ${nodes.join(', ')}${truth.last?.errorMessage === undefined ? '' : `, the last rebalance failed`}`;
  }

  /** vBuckets whose active copy has not what it was given. */
  #empty(): readonly string[] {
    if (!this.#isFilled) return [];
    return Object.values(this.truth?.buckets ?? {}).flatMap(({ name, uuid, map }) =>
      map.flatMap(([otp = ''], vb) => {
        const items = otp === '' ? undefined : this.nodes.members.get(this.#named(otp))?.disk.items(uuid, vb);
        return items === undefined || items.length === 0 ? [`${name}[${vb}]`] : [];
      }),
    );
  }

  #onlyOnDiskOf(name: string): readonly string[] {
    const member = this.nodes.members.get(name);
    const others = [...this.nodes.members.values()].filter((one) => one !== member);
    return Object.values(this.truth?.buckets ?? {}).flatMap((bucket) =>
      bucket.map.flatMap((_row, vb) => {
        const id = `${bucket.name}[${vb}]`;
        const has = (one: typeof member): boolean => (one?.disk.items(bucket.uuid, vb)?.length ?? 0) > 0;
        return has(member) && !others.some(has) && !this.judge.gone.has(id) ? [id] : [];
      }),
    );
  }

  #named(otp: string): string {
    return this.nodes.nameOf(otp.slice('ns_1@'.length));
  }
}
