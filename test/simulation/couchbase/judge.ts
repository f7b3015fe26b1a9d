/** What is done to a simulated cluster of Couchbase, by whom, and whether it may be: held against the cluster as it really is. */
import type { Ledger } from '../../../server/model/ledger.ts';
import { isOpen, type Verb } from '../../../server/model/permit.ts';
import { leavingMembers } from '../../../server/reconcile/topology.ts';
import { entries, isBalanced, type Config } from '../../couchbase/simulator/config.ts';
import type { LivePilot } from '../host.ts';
import type { World } from '../world.ts';
import type { Member, Nodes } from './nodes.ts';

/** For so long a call may be on its way, and what it was decided on be true no longer. */
const staleMs = 15_000;
/** A node learns of what the others have decided within so long. */
const lagMs = 3_000;

/** What a pilot begins within so long after it was frozen it has decided before. */
const wakingMs = 1_000;

/** What happens within so long after a person's own hand is taken for its effect. */
const handMs = 5_000;

type Form = Readonly<Record<string, string>>;

interface Ask {
  readonly atMs: number;
  readonly path: string;
  readonly form: Form;
  /** Whether there was anything to rebalance when it was sent. */
  readonly needed: boolean;
}

export class Judge {
  /** The newest that any node has of the cluster. */
  truth: Config | undefined;
  /** vBuckets whose last copies were on a disk that was lost. */
  readonly gone = new Set<string>();
  /** Those of them that a person has given up. */
  readonly givenUp = new Set<string>();
  /** How many rebalances pilots have begun. */
  rebalances = 0;
  readonly #world: World;
  readonly #nodes: Nodes;
  readonly #ledgers: { readonly atMs: number; readonly ledger: Ledger }[] = [];
  readonly #asked: Ask[] = [];
  /** When a person last did this by their own hand. */
  readonly #handAtMs = new Map<string, number>();
  #unbalancedAtMs = Number.NEGATIVE_INFINITY;
  /** When nodes that wait for their first rebalance were added. */
  readonly #addedAtMs = new Map<string, number>();

  constructor(world: World, nodes: Nodes) {
    this.#world = world;
    this.#nodes = nodes;
    nodes.onKeep = (member) => this.#kept(member);
  }

  written(ledger: Ledger): void {
    const { nowMs } = this.#world.time;
    this.#ledgers.push({ atMs: nowMs, ledger });
    while ((this.#ledgers[1]?.atMs ?? nowMs) < nowMs - staleMs) this.#ledgers.shift();
  }

  /** A pilot sets out to do this to its cluster. */
  asked(pilot: LivePilot, path: string, form: Form): void {
    const { nowMs } = this.#world.time;
    while ((this.#asked[0]?.atMs ?? nowMs) < nowMs - 120_000) this.#asked.shift();
    const seemed = nowMs - this.#unbalancedAtMs < lagMs || nowMs - pilot.clock.thawedAtMs < wakingMs;
    const needed = this.#isUnbalanced() || seemed || (form.ejectedNodes ?? '') !== '';
    this.#asked.push({ atMs: nowMs, path, form, needed });
    const { member } = pilot;
    const what = Object.entries(form).filter(([key]) => !/user|password/.test(key) && !/path$/.test(key));
    this.#world.say(member, `${path} ${what.map(([key, value]) => `${key}=${value}`).join(' ')}`);
    if (path === '/controller/rebalance') this.#mayEject(member, named(form.ejectedNodes));
    if (path === '/controller/ejectNode') this.#mayDrop(member, form.otpNode ?? '');
    if (path === '/controller/startGracefulFailover') this.#mayHandOver(pilot);
  }

  /** A person does this by their own hand. */
  byHand(path: string): void {
    this.#handAtMs.set(path, this.#world.time.nowMs);
  }

  /** Who leaves asks first, and who is thrown out was lost or leaves. */
  #mayEject(by: string, otps: readonly string[]): void {
    for (const otp of otps) {
      const name = this.#nodes.nameOf(short(otp));
      const failed = this.truth?.nodes[otp]?.membership === 'inactiveFailed';
      const leaves = this.#ledgers.some(({ ledger }) => {
        const asks = (verb: Verb): boolean => ledger.permits.some((one) => one.member === name && one.verb === verb);
        // By a swap it comes back as a member of the new version.
        if (ledger.spec.couchbase?.upgrade === 'swap' && asks('upgrade')) return true;
        return asks('leave') && leavingMembers(ledger).some((record) => record.name === name);
      });
      if (!failed && !leaves) this.#fail('I5', `${by} has ${name} taken out by a rebalance, and it does not leave`);
    }
  }

  #mayDrop(by: string, otp: string): void {
    const name = this.#nodes.nameOf(short(otp));
    // Whoever was failed over and begins anew is forgotten before it is added again.
    const isFresh = this.#nodes.member(name).disk.identity.config === undefined;
    if (isFresh && this.truth?.nodes[otp]?.membership === 'inactiveFailed') return;
    const isWanted = this.#ledgers.every(({ ledger }) => ledger.members[name]?.left === false);
    const isWhole = this.#isOfIt(this.#nodes.members.get(name));
    if ((isWanted && isWhole) || this.answers(name))
      this.#fail('I5', `${by} lets ${name} go, which is a member or answers`);
  }

  #mayHandOver({ member }: LivePilot): void {
    const used = this.#ledgers.at(-1)?.ledger.permits.some((one) => one.member === member && isOpen(one));
    if (used !== true) this.#fail('I5', `${member} fails itself over without a permit`);
  }

  #kept(member: Member): void {
    const { config } = member.disk.identity;
    const before = this.truth;
    if (config === undefined) return;
    if (before !== undefined && config.uuid !== before.uuid) return this.#isOther(member, config, before);
    if (before !== undefined && config.rev <= before.rev) return;
    if (before === undefined) this.#world.say(member.name, 'has made a cluster of itself');
    this.truth = config;
    if (this.#isUnbalanced()) this.#unbalancedAtMs = this.#world.time.nowMs;
    if (before !== undefined) this.#changed(before, config);
  }

  /** A second cluster of one name: what the first one holds will be thrown away when it is added to the other. */
  #isOther(member: Member, config: Config, before: Config): void {
    const others = [...this.#nodes.members.values()].filter((one) => one.disk.identity.config?.uuid === before.uuid);
    if (others.length > 0 && config.rev === 1) {
      const names = others.map(({ name }) => name).join(', ');
      this.#fail('I1', `${member.name} makes a cluster of itself, and there is one already, of ${names}`);
    }
    if (others.length === 0) this.truth = config;
  }

  #changed(before: Config, after: Config): void {
    const { running } = after;
    if (running !== undefined && running.id !== before.running?.id) {
      const eject = running.eject.length > 0 ? `, without ${running.eject.map(short).join(' ')}` : '';
      this.#world.say('couchbase', `${running.subtype} begins${eject}`);
      if (running.subtype === 'rebalance') this.#begun(before, running);
    }
    if (before.running !== undefined && running === undefined)
      this.#world.say('couchbase', `${before.running.subtype} ends: ${after.last?.errorMessage ?? 'well'}`);
    for (const { otp, membership } of entries(after)) {
      const was = before.nodes[otp]?.membership;
      if (was === undefined && membership === 'inactiveAdded') this.#addedAtMs.set(otp, this.#world.time.nowMs);
      if (was !== membership) this.#world.say('couchbase', `${short(otp)} is ${membership}`);
    }
    for (const otp of Object.keys(before.nodes))
      if (after.nodes[otp] === undefined) this.#world.say('couchbase', `${short(otp)} is out`);
    const over = entries(after).filter(
      ({ otp, membership }) => membership === 'inactiveFailed' && before.nodes[otp]?.membership === 'active',
    );
    if (over.length > 0) this.#world.disturb();
    const otps = over.map(({ otp }) => otp);
    if (otps.length > 0 && after.last?.reportId.startsWith('failover-') === true) this.#failedOver(before, after, otps);
  }

  /** By a pilot, or else by a person: a pilot's own call with the same form is not far away. */
  #askOf(path: string, isIt: (form: Form) => boolean): Ask | undefined {
    const { nowMs } = this.#world.time;
    if (nowMs - (this.#handAtMs.get(path) ?? Number.NEGATIVE_INFINITY) < handMs) return undefined;
    return this.#asked.findLast((ask) => ask.path === path && isIt(ask.form) && ask.atMs > nowMs - 60_000);
  }

  #begun(before: Config, running: NonNullable<Config['running']>): void {
    const ask = this.#askOf('/controller/rebalance', ({ ejectedNodes }) => {
      const eject = named(ejectedNodes).filter((otp) => before.nodes[otp]?.membership !== 'inactiveFailed');
      return eject.toSorted().join() === [...running.eject].toSorted().join();
    });
    if (ask === undefined) return;
    this.rebalances++;
    if (!ask.needed) this.#fail('I5', 'a rebalance is begun, and nothing has asked for it');
    for (const otp of running.failed) this.#mayThrowOut(otp);
    const lost = this.#rows().filter(({ row, holders }) => {
      const left = holders.filter((otp) => before.nodes[otp] !== undefined && !running.failed.includes(otp));
      return row[0] === '' && holders.length > 0 && left.length === 0;
    });
    for (const { id } of lost)
      if (!this.gone.has(id) && !this.givenUp.has(id))
        this.#fail('I3', `a rebalance throws out the last copy of ${id}`);
  }

  /** A node that was failed over comes back with what it holds, unless that is lost or it is to leave. */
  #mayThrowOut(otp: string): void {
    const name = this.#nodes.nameOf(short(otp));
    const isWhole = this.#isOfIt(this.#nodes.members.get(name));
    const isWanted = this.#ledgers.every(({ ledger }) => {
      return ledger.members[name] !== undefined && leavingMembers(ledger).every((record) => record.name !== name);
    });
    if (isWhole && isWanted) this.#fail('I5', `a rebalance throws out ${name}, which was failed over and is wanted`);
  }

  #failedOver(before: Config, after: Config, otps: readonly string[]): void {
    const ask = this.#askOf('/controller/failOver', ({ otpNode }) => otps.includes(otpNode ?? ''));
    if (ask === undefined) return;
    for (const otp of otps) {
      const name = this.#nodes.nameOf(short(otp));
      if (this.answers(name)) this.#fail('I5', `${name} is failed over, and it answers`);
    }
    for (const { name, map } of Object.values(after.buckets)) {
      map.forEach((row, vb) => {
        const id = `${name}[${vb}]`;
        const had = before.buckets[name]?.map[vb]?.[0] ?? '';
        if (row[0] === '' && had !== '' && !this.givenUp.has(id))
          this.#fail('I3', `a failover of ${otps.map(short).join(' ')} leaves no copy of ${id}`);
      });
    }
  }

  /** Whether it holds what the cluster believes that it holds. */
  isOfCluster(name: string): boolean {
    return this.#isOfIt(this.#nodes.members.get(name));
  }

  /** Whether it waits for its first rebalance, since so lately that nobody can know. It holds nothing. */
  isJustAdded(otp: string): boolean {
    const isAdded = this.truth?.nodes[otp]?.membership === 'inactiveAdded';
    return isAdded && this.#world.time.nowMs - (this.#addedAtMs.get(otp) ?? Number.NEGATIVE_INFINITY) < lagMs;
  }

  /** Whether its disk is that of a node of this cluster, or once was. */
  #isOfIt(member: Member | undefined): boolean {
    return this.truth !== undefined && member?.disk.identity.config?.uuid === this.truth.uuid;
  }

  /** Whether it serves its peers and its pilot. */
  answers(name: string): boolean {
    const member = this.#nodes.members.get(name);
    const life = member?.life;
    if (member === undefined || life === undefined || !this.#isOfIt(member)) return false;
    return life.open && !life.clock.frozen && member.side === this.#majoritySide() && life.node.ready;
  }

  #majoritySide(): 0 | 1 {
    const active = Object.values(this.truth?.nodes ?? {}).filter(({ membership }) => membership === 'active');
    const apart = active.filter(({ host }) => this.#nodes.members.get(this.#nodes.nameOf(host))?.side === 1);
    return apart.length * 2 > active.length ? 1 : 0;
  }

  /** Every vBucket that was given something to hold, where the cluster says that it is, and on whose disks it is. */
  #rows(): readonly { readonly id: string; readonly row: readonly string[]; readonly holders: readonly string[] }[] {
    const members = [...this.#nodes.members.values()];
    return Object.values(this.truth?.buckets ?? {}).flatMap(({ name, uuid, map }) =>
      map.map((row, vb) => {
        const has = members.filter(({ disk }) => (disk.items(uuid, vb)?.length ?? 0) > 0);
        return { id: `${name}[${vb}]`, row, holders: has.map(({ host }) => `ns_1@${host}`) };
      }),
    );
  }

  #isUnbalanced(): boolean {
    return this.truth !== undefined && (!isBalanced(this.truth) || this.truth.last?.errorMessage !== undefined);
  }

  #fail(invariant: Parameters<World['fail']>[0], message: string): void {
    this.#world.fail(invariant, message);
  }
}

const named = (text = ''): readonly string[] => text.split(',').filter((otp) => otp !== '');

/** The address of a node by its name in the database. */
function short(otp: string): string {
  return otp.slice('ns_1@'.length);
}
