/**
 * What the pilots of one cluster have said last. In memory, no I/O, time passed in.
 * A heartbeat replaces what was known of its member, and says whether anything worth a plan has changed: the number
 * of documents and the version of the cluster state alone are not.
 */
import { same } from '../../shared/same.ts';
import type { Leadership } from '../model/ledger.ts';
import type { FromPilot, Heartbeat, Hello, LeadershipWord, ToPilot } from '../model/messages.ts';
import type {
  ClusterObservation,
  MemberObservation,
  NodeObservation,
  Observation,
  RuntimeMember,
  ToldOrder,
  TopologyWatch,
} from '../model/observation.ts';
import type { SettingsOrder } from '../model/plan.ts';
import type { Now } from '../model/timing.ts';
import { Additions } from './additions.ts';
import { leads } from './elections.ts';
import { watchTopology } from './topology-watch.ts';

/** What hearing one message led to. */
export interface Heard {
  readonly changed: boolean;
  readonly answers: readonly ToPilot[];
}

export class Sessions {
  readonly #members = new Map<string, MemberObservation>();
  readonly #permitChangedAtMs = new Map<string, number>();
  readonly #serverStartedAtMs: number;
  readonly #pilotsAtStart: number;
  #cluster: ClusterObservation | undefined;
  #watch: TopologyWatch | undefined;
  #leaseRenewedAtMs: number;
  #told: ToldOrder;
  readonly #additions = new Additions();
  /** The leader of which term last said that it leads, and when. */
  #led: { readonly term: number; readonly atMs: number } | undefined;

  /** `life` is the name that no other life of a server has. */
  constructor(serverStartedAtMs: number, life: string, pilotsAtStart = 0) {
    this.#told = { id: life, content: '' };
    this.#serverStartedAtMs = serverStartedAtMs;
    this.#pilotsAtStart = pilotsAtStart;
    this.#leaseRenewedAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * A pilot has opened its stream. What an earlier life of it asked for is forgotten; what its database was, too. Whether
   * that still runs is unknown until its first heartbeat: it may have ended while nothing was heard.
   */
  connect(hello: Hello, now: Now): void {
    const before = this.#members.get(hello.member);
    const same = before?.incarnation === hello.incarnation;
    const unknown = {
      phase: 'unknown',
      pid: 0,
      restarts: 0,
      specHash: '',
      version: '',
      lastLog: '',
      doing: '',
    } as const;
    this.#members.set(hello.member, {
      member: hello.member,
      incarnation: hello.incarnation,
      connected: true,
      heardAtMs: now.monotonicMs,
      heardAtWall: now.wallMs,
      process: same ? { ...before.process, phase: 'unknown' } : unknown,
      permits: hello.permits,
      ...(same && before.node && { node: before.node }),
      ...(before?.lastHook && { lastHook: before.lastHook }),
    });
  }

  /** A pilot's stream is gone. Its database may well run on, so what it was last seen as stays. */
  disconnect(member: string, incarnation: string): void {
    const before = this.#members.get(member);
    if (before === undefined || before.incarnation !== incarnation) return;
    const { request: _request, use: _use, ...rest } = before;
    this.#members.set(member, { ...rest, connected: false });
  }

  /** Takes in what a connected pilot says. `leadership` is the one in force, as written. */
  hear(member: string, message: FromPilot, now: Now, leadership: Leadership): Heard {
    const before = this.#members.get(member);
    if (before === undefined) return { changed: false, answers: [] };
    const heard = { ...before, heardAtMs: now.monotonicMs, heardAtWall: now.wallMs };
    switch (message.kind) {
      case 'heartbeat':
        return this.#hearHeartbeat(heard, message.heartbeat, now, leadership);
      case 'hook': {
        const { hook, ok, message: text } = message;
        this.#members.set(member, { ...heard, lastHook: { hook, ok, message: text, at: now.wallMs } });
        return { changed: true, answers: [{ kind: 'hook_answer', id: message.id }] };
      }
      case 'request': {
        const { kind: _kind, ...request } = message;
        const asked = { request: { ...request, receivedAtMs: now.monotonicMs }, asking: request.id };
        this.#members.set(member, { ...heard, ...asked });
        return { changed: !seemsSame(before.request, request), answers: [] };
      }
      case 'use': {
        const { permitId, evidence } = message;
        const permits = [...new Set([...heard.permits, permitId])];
        this.#members.set(member, { ...heard, permits, use: { permitId, evidence } });
        return { changed: true, answers: [] };
      }
      // What has become of the member stands in the heartbeat that follows, all at one moment; this is for people.
      case 'completion':
      case 'order_result':
        return { changed: false, answers: [] };
    }
  }

  #hearHeartbeat(member: MemberObservation, heartbeat: Heartbeat, now: Now, leadership: Leadership): Heard {
    const before = { ...this.#members.get(member.member) };
    const { request, node: _node, standsSinceMs: _since, ...rest } = member;
    const after: MemberObservation = {
      ...rest,
      process: heartbeat.process,
      permits: heartbeat.permits,
      asking: heartbeat.asking,
      ...(heartbeat.node && { node: heartbeat.node, standsSinceMs: standsSinceMs(member, heartbeat.node, now) }),
      ...(request && request.id === heartbeat.asking && { request }),
    };
    this.#members.set(member.member, after);
    const yours = leads(leadership, after);
    if (yours) {
      this.#leaseRenewedAtMs = now.monotonicMs;
      if (heartbeat.leadingTerm === leadership.term || this.#led?.term !== leadership.term)
        this.#led = { term: leadership.term, atMs: now.monotonicMs };
    }
    const clusterChanged = yours && this.#hearCluster(heartbeat, now, leadership.term);
    const word: LeadershipWord = { term: leadership.term, leader: leadership.leader, yours };
    const answer: ToPilot = { kind: 'heartbeat_answer', sequence: heartbeat.sequence, leadership: word };
    return { changed: clusterChanged || !seemsSame(before, after), answers: [answer] };
  }

  /** Only what the leader of the present term has read as leader counts. */
  #hearCluster(heartbeat: Heartbeat, now: Now, term: number): boolean {
    if (heartbeat.leadingTerm !== term) return false;
    const before = this.#cluster;
    this.#cluster = heartbeat.cluster && { ...heartbeat.cluster, term, heardAtMs: now.monotonicMs };
    if (this.#cluster) this.#additions.heard(this.#cluster, this.#told.id);
    const topology = this.#cluster?.topology;
    if (topology !== undefined) this.#watch = watchTopology(this.#watch, topology, now.monotonicMs);
    return !seemsSame(before, this.#cluster);
  }

  /** The leader has been told to make this true. */
  ordered(order: SettingsOrder, now: Now): void {
    this.#told = { id: order.id, content: order.content };
    this.#additions.ordered(order, now);
  }

  /** A use has been answered. */
  answered(member: string, permitId: string): void {
    const before = this.#members.get(member);
    if (before?.use?.permitId !== permitId) return;
    const { use: _use, ...rest } = before;
    this.#members.set(member, rest);
  }

  /** The state of these permits has just been written. */
  permitsChanged(ids: readonly string[], now: Now, known: ReadonlySet<string>): void {
    for (const id of ids) this.#permitChangedAtMs.set(id, now.monotonicMs);
    for (const id of this.#permitChangedAtMs.keys()) if (!known.has(id)) this.#permitChangedAtMs.delete(id);
  }

  /** Members that are no longer in the ledger are forgotten. */
  retain(members: ReadonlySet<string>): void {
    for (const name of this.#members.keys()) if (!members.has(name)) this.#members.delete(name);
  }

  /**
   * Everything observed now. What a leader of an earlier term has read is not in it, nor what was heard before
   * `freshSinceMs`; a member that has been silent since then counts as not connected.
   */
  observe(
    leadership: Leadership,
    around: { readonly runtime: readonly RuntimeMember[]; readonly addresses: ReadonlyMap<string, string> },
    freshSinceMs: number,
  ): Observation {
    const cluster = this.#cluster;
    const leader = this.#members.get(leadership.leader);
    const adding = this.#additions.pending(freshSinceMs);
    const counts = cluster?.term === leadership.term && cluster.heardAtMs >= freshSinceMs && leads(leadership, leader);
    return {
      members: new Map([...this.#members].map(([name, member]) => [name, suspected(member, freshSinceMs)])),
      runtime: new Map(around.runtime.map((member) => [member.name, member])),
      addresses: around.addresses,
      serverStartedAtMs: this.#serverStartedAtMs,
      pilotsAtStart: this.#pilotsAtStart,
      leaseRenewedAtMs: this.#leaseRenewedAtMs,
      told: this.#told,
      ...(this.#led?.term === leadership.term && { ledAtMs: this.#led.atMs }),
      permitChangedAtMs: new Map(this.#permitChangedAtMs),
      ...(counts && leader?.connected && { cluster }),
      ...(adding && { adding }),
      ...(this.#watch && { watch: this.#watch }),
    };
  }
}

function suspected(member: MemberObservation, freshSinceMs: number): MemberObservation {
  if (!member.connected || member.heardAtMs >= freshSinceMs) return member;
  const { request: _request, use: _use, ...rest } = member;
  return { ...rest, connected: false };
}

/** Since when it has been the same node in the same place. */
function standsSinceMs(before: MemberObservation, { nodeId, standing }: NodeObservation, now: Now): number {
  const isSame = before.node?.nodeId === nodeId && before.node.standing === standing;
  return (isSame ? before.standsSinceMs : undefined) ?? now.monotonicMs;
}

/** What changes all the time and is worth no plan. */
const passing: ReadonlySet<string> = new Set([
  'documents',
  'stateVersion',
  'heardAtMs',
  'heardAtWall',
  'receivedAtMs',
  'sequence',
  'items',
]);

function seemsSame(before: unknown, after: unknown): boolean {
  return same(before, after, passing);
}
