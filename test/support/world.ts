/**
 * A small pure world for plan(): a ledger, members that are what a test says they are, and a clock that a test moves.
 * Nothing happens by itself but what `pass` writes and what the runtime does at once.
 */
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { Hold } from '../../server/model/hold.ts';
import type { Ledger, MemberRecord } from '../../server/model/ledger.ts';
import type { MemberObservation, Observation, ProcessPhase, ToldOrder } from '../../server/model/observation.ts';
import { isLive, type Evidence, type Permit, type Verb } from '../../server/model/permit.ts';
import type { Action, Decision, Plan, SettingsOrder, UseAnswer } from '../../server/model/plan.ts';
import { defaultTiming } from '../../server/model/timing.ts';
import { plan } from '../../server/reconcile/plan.ts';
import { clusterSeen, evidence, ledgerOf, process, request } from './model.ts';

/** What is true of one member, whether or not anybody has looked. */
export interface Truth {
  life: number;
  processLife: number;
  connected: boolean;
  /** Whether a heartbeat has come on its stream. */
  heard: boolean;
  phase: ProcessPhase;
  joined: boolean;
  shards: number;
  lastCopies: number;
  /** What its pilot asks for, until it says otherwise. */
  asks?: { readonly id: string; readonly verb: Verb };
  uses?: string;
  /** Permits that its pilot holds. */
  permits: readonly string[];
}

export class World {
  readonly timing = defaultTiming;
  readonly members = new Map<string, Truth>();
  readonly runtime = new Map<string, { version: string; alive: boolean }>();
  readonly settings = {
    excluded: [] as readonly string[],
    allocation: 'all' as Evidence['allocation'],
    quorum: 1,
    appliedOrder: '',
  };
  ledger: Ledger;
  nowMs = 1_000_000;
  serverStartedAtMs = 0;
  moving = 0;
  unassigned = 0;
  electedMaster = '';
  #revision = 1;
  #asked = 0;
  #permitChangedAtMs = new Map<string, number>();
  #told: ToldOrder = { id: 'server-life', content: '' };
  #leaseRenewedAtMs = Number.NEGATIVE_INFINITY;
  #last: Plan | undefined;

  /** A cluster of this spec with every member up, a leader, and its settings as ordered. */
  constructor(spec: ClusterSpec) {
    this.ledger = ledgerOf([], { spec, leadership: { term: 0, leader: '', incarnation: '' } });
    this.settle();
  }

  /** Brings up whatever the runtime has made, until the plan has nothing more to write. */
  settle(): this {
    for (let pass = 0; pass < 5; pass++) {
      this.pass().obey();
      for (const name of this.runtime.keys()) if (!this.members.has(name)) this.up(name);
    }
    return this;
  }

  get last(): Plan {
    if (this.#last === undefined) throw new Error('no pass yet');
    return this.#last;
  }

  /** One pass: plan, write, and what the runtime does. */
  pass(): this {
    for (const [name, truth] of this.members) {
      const { leader, incarnation } = this.ledger.leadership;
      if (truth.connected && leader === name && incarnation === lifeName(name, truth))
        this.#leaseRenewedAtMs = this.nowMs;
    }
    const before = this.ledger;
    const next = this.think();
    if (next.ledger !== before) this.#revision++;
    for (const one of next.ledger.permits) {
      const old = before.permits.find((candidate) => candidate.id === one.id);
      if (old?.state !== one.state) this.#permitChangedAtMs.set(one.id, this.nowMs);
    }
    this.ledger = next.ledger;
    this.#last = next;
    for (const action of next.actions) this.#act(action);
    return this;
  }

  /** The plan for now, with nothing written. */
  think(): Plan {
    const now = { monotonicMs: this.nowMs, wallMs: this.nowMs };
    return plan({ ledger: this.ledger, revision: this.#revision, observed: this.observed(), now, timing: this.timing });
  }

  #act(action: Action): void {
    if (action.kind === 'create_member')
      this.runtime.set(action.record.name, { version: action.record.version, alive: true });
    if (action.kind === 'remove_member') {
      this.runtime.delete(action.record.name);
      this.members.delete(action.record.name);
    }
    if (action.kind === 'replace_member')
      this.runtime.set(action.record.name, { version: action.record.version, alive: true });
    if (action.kind === 'say_use_answer') delete this.truth(action.member).uses;
    if (action.kind === 'say_order') this.#told = action.order;
  }

  /** The leader does what it was last ordered. */
  obey(): this {
    const order = this.order();
    if (order === undefined) return this;
    this.settings.excluded = order.excluded;
    this.settings.allocation = order.allocation;
    this.settings.appliedOrder = order.id;
    if (order.quorum > 0) this.settings.quorum = order.quorum;
    return this;
  }

  /** Passes and obedience until nothing changes any more. */
  run(passes = 4): this {
    for (let pass = 0; pass < passes; pass++) this.pass().obey();
    return this;
  }

  order(): SettingsOrder | undefined {
    return this.last.actions.flatMap((action) => (action.kind === 'say_order' ? [action.order] : []))[0];
  }

  actions(kind: Action['kind']): readonly string[] {
    return this.last.actions.flatMap((action) =>
      action.kind !== kind
        ? []
        : 'record' in action
          ? [action.record.name]
          : 'member' in action
            ? [action.member]
            : [''],
    );
  }

  decision(member: string): Decision | undefined {
    return this.last.actions.flatMap((one) =>
      one.kind === 'say_decision' && one.member === member ? [one.decision] : [],
    )[0];
  }

  /** What holds a member's asking up, as a person is shown it. */
  shown(member: string): readonly Hold[] {
    return this.decision(member)?.holds ?? [];
  }

  /** The names of what holds a member's asking up. */
  holds(member: string): readonly string[] {
    return this.decision(member)?.holds.map((hold) => hold.name) ?? [];
  }

  answer(member: string): UseAnswer | undefined {
    return this.last.actions.flatMap((one) =>
      one.kind === 'say_use_answer' && one.member === member ? [one.answer] : [],
    )[0];
  }

  truth(member: string): Truth {
    const found = this.members.get(member);
    if (found === undefined) throw new Error(`there is no ${member}`);
    return found;
  }

  record(member: string): MemberRecord | undefined {
    return this.ledger.members[member];
  }

  /** The one that counts: that which is not over, or else the one that ended last. */
  permit(member: string): Permit | undefined {
    const own = this.ledger.permits.filter((one) => one.member === member);
    return own.findLast(isLive) ?? own.at(-1);
  }

  /** A member runs this version, and its record says so. */
  versioned(name: string, version: string): this {
    const record = this.record(name);
    const present = this.runtime.get(name);
    if (record === undefined || present === undefined) throw new Error(`there is no ${name}`);
    this.runtime.set(name, { ...present, version });
    return this.change({ members: { ...this.ledger.members, [name]: { ...record, version } } });
  }

  change(to: Partial<Ledger>): this {
    this.ledger = { ...this.ledger, ...to };
    return this;
  }

  spec(change: Partial<ClusterSpec>): this {
    return this.change({ spec: { ...this.ledger.spec, ...change } });
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  /** The member's database is up and joined. */
  up(member: string): this {
    const before = this.members.get(member) ?? newTruth();
    const processLife = before.joined ? before.processLife : before.processLife + 1;
    this.members.set(member, { ...before, processLife, connected: true, phase: 'running', joined: true });
    if (this.electedMaster === '') this.electedMaster = member;
    return this;
  }

  /** Its database is not there; its pilot is. */
  down(member: string, phase: ProcessPhase = 'backoff'): this {
    Object.assign(this.truth(member), { phase, joined: false });
    return this;
  }

  disconnect(member: string): this {
    const truth = this.truth(member);
    truth.connected = false;
    delete truth.uses;
    return this;
  }

  /** Its pilot begins another life: it holds nothing and asks nothing. */
  newLife(member: string): this {
    const truth = this.truth(member);
    truth.life++;
    truth.permits = [];
    delete truth.asks;
    delete truth.uses;
    return this;
  }

  ask(member: string, verb: Verb): this {
    this.truth(member).asks = { id: `ask-${++this.#asked}`, verb };
    return this;
  }

  /** Uses what it was granted: the pilot holds it and asks for the last word. */
  use(member: string): this {
    const truth = this.truth(member);
    const { asks } = truth;
    if (asks === undefined) throw new Error(`${member} asks for nothing`);
    truth.uses = `${asks.verb}-${member}-${asks.id}`;
    truth.permits = [truth.uses];
    return this;
  }

  /** Asks, is granted and uses it. Throws where it is not granted. */
  begin(member: string, verb: Verb): this {
    this.ask(member, verb).run();
    if (this.permit(member)?.state !== 'granted')
      throw new Error(`${member} is held by ${this.holds(member).join(', ')}`);
    this.use(member).pass();
    delete this.truth(member).asks;
    return this;
  }

  /** Its pilot no longer holds a permit. */
  completed(member: string): this {
    this.truth(member).permits = [];
    return this;
  }

  /** The server is started anew: it has the ledger, and remembers nothing. */
  restartServer(): this {
    this.serverStartedAtMs = this.nowMs;
    this.#permitChangedAtMs = new Map();
    this.#leaseRenewedAtMs = Number.NEGATIVE_INFINITY;
    return this;
  }

  /** What a member reads of itself now. */
  evidence(member: string): Evidence {
    const truth = this.truth(member);
    const incarnation = lifeName(member, truth);
    if (!truth.joined) return { incarnation, nodeId: '', processId: '', stateVersion: 0 };
    return evidence(member, {
      incarnation,
      processId: `process-${truth.processLife}`,
      shards: truth.shards,
      lastCopies: truth.lastCopies,
      unassigned: this.unassigned,
      moving: this.moving,
      excluded: this.settings.excluded.includes(member),
      ...(this.settings.allocation && { allocation: this.settings.allocation }),
      liveVoters: this.#joined().filter((name) => this.record(name)?.roles.includes('master')).length,
      quorum: this.settings.quorum,
    });
  }

  observed(): Observation {
    const { leadership } = this.ledger;
    const leader = this.members.get(leadership.leader);
    const leads =
      leader?.connected === true && lifeName(leadership.leader, leader) === leadership.incarnation && leader.joined;
    const cluster = clusterSeen({
      term: leadership.term,
      nodes: this.#joined(),
      moving: this.moving,
      unassigned: this.unassigned,
      excluded: this.settings.excluded,
      appliedOrder: this.settings.appliedOrder,
      electedMaster: this.electedMaster,
      quorum: this.settings.quorum,
      ...(this.settings.allocation && { allocation: this.settings.allocation }),
    });
    const wanted = this.ledger.spec.nodePools.flatMap((one) =>
      Array.from({ length: one.replicas }, (_, ordinal) => `${this.ledger.spec.id.name}-${one.name}-${ordinal}`),
    );
    return {
      members: new Map([...this.members].map(([name, truth]) => [name, this.#seen(name, truth)])),
      runtime: new Map([...this.runtime].map(([name, one]) => [name, { name, ...one }])),
      addresses: new Map(
        wanted.filter((name) => this.record(name) === undefined).map((name) => [name, `${name}.local`]),
      ),
      serverStartedAtMs: this.serverStartedAtMs,
      leaseRenewedAtMs: this.#leaseRenewedAtMs,
      told: this.#told,
      adding: [],
      permitChangedAtMs: new Map(this.#permitChangedAtMs),
      ...(leads && { cluster }),
    };
  }

  #seen(name: string, truth: Truth): MemberObservation {
    const read = this.evidence(name);
    const node = {
      nodeId: `id-of-${name}`,
      processId: `process-${truth.processLife}`,
      joined: true,
      version: '6.8.23',
    };
    return {
      member: name,
      incarnation: lifeName(name, truth),
      connected: truth.connected,
      heardAtMs: this.nowMs,
      heardAtWall: this.nowMs,
      process: { ...process(truth.phase), version: this.runtime.get(name)?.version ?? '' },
      permits: truth.permits,
      ...(truth.heard && { asking: truth.asks?.id ?? '' }),
      ...(truth.joined && { node: { ...node, shards: truth.shards } }),
      ...(truth.connected &&
        truth.heard &&
        truth.asks && { request: request(name, truth.asks.verb, { id: truth.asks.id, evidence: read }) }),
      ...(truth.connected && truth.uses && { use: { permitId: truth.uses, evidence: read } }),
    };
  }

  #joined(): readonly string[] {
    return [...this.members].filter(([, truth]) => truth.joined).map(([name]) => name);
  }
}

function newTruth(): Truth {
  return {
    life: 1,
    processLife: 0,
    connected: true,
    heard: true,
    phase: 'starting',
    joined: false,
    shards: 0,
    lastCopies: 0,
    permits: [],
  };
}

function lifeName(member: string, truth: Truth): string {
  return `${member}-life-${truth.life}`;
}
