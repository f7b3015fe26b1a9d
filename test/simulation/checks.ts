/** The invariants, held against what really happens, after every event. */
import type { Settings } from '../../pilot/model.ts';
import type { FromServer } from '../../pilot/wire.ts';
import type { HoldName } from '../../server/model/hold.ts';
import type { Ledger, MemberRecord } from '../../server/model/ledger.ts';
import { isOpen, type Permit } from '../../server/model/permit.ts';
import { votes } from '../../server/reconcile/quorum.ts';
import type { SimulatedDatabase } from './application.ts';
import type { Host, LivePilot, Watch } from './host.ts';
import type { Machine } from './machine.ts';
import type { Knowledge } from './knowledge.ts';
import type { ServerWatch } from './server.ts';
import { timing } from './server-ports.ts';
import type { World } from './world.ts';

/** How long a plan may be under way before it is written. */
const planningMs = 2_000;
/** After a database was lost from sight, what was read before may still be acted upon for so long. */
const staleMs = 10_000;
/** What drifting clocks make of the length of a permit. */
const toleranceMs = 20;
const quorumHistoryMs = 30_000;
const lastCopyHolds: readonly HoldName[] = ['last_copy_of_a_shard', 'last_copy_of_a_vbucket'];

export interface ChecksPorts {
  readonly world: World;
  readonly database: SimulatedDatabase;
}

export class Checks implements Watch, ServerWatch {
  host: Host | undefined;
  machine: Machine | undefined;
  ledger: Ledger | undefined;
  /** Servers that live now. */
  serversUp = 0;
  readonly #ports: ChecksPorts;
  readonly #everGranted = new Map<string, Permit>();
  readonly #used = new Map<LivePilot, string>();
  /** How many voters there were, and how many of them could leave at any moment. */
  readonly #voters: { readonly atMs: number; readonly known: number; readonly going: number }[] = [];
  /** Until when pilots may hold themselves leaders by the word of two servers. */
  #doubtUntilMs = 0;
  #highestTerm = 0;

  constructor(ports: ChecksPorts) {
    this.#ports = ports;
  }

  serverStarted(): void {
    this.serversUp++;
    if (this.serversUp > 1) this.#doubtUntilMs = Number.POSITIVE_INFINITY;
  }

  serverKilled(): void {
    this.serversUp--;
    if (this.serversUp <= 1 && this.#doubtUntilMs === Number.POSITIVE_INFINITY)
      this.#doubtUntilMs = this.#now() + 3 * timing.leaseMs;
  }

  /** After every event. */
  every(): void {
    const leaders: { readonly member: string; readonly term: number }[] = [];
    for (const pilot of this.host?.pilots() ?? []) {
      const { leadingTerm, grant } = pilot.status();
      if (leadingTerm > 0) leaders.push({ member: pilot.member, term: leadingTerm });
      const { highestTerm } = pilot.memory.current();
      if (leadingTerm > highestTerm)
        this.#fail('I1', `${pilot.member} leads in term ${leadingTerm} and has not written it down`);
      if (highestTerm < pilot.disk.highestTerm)
        this.#fail('I1', `${pilot.member} has forgotten term ${pilot.disk.highestTerm}, and knows ${highestTerm}`);
      pilot.disk.highestTerm = highestTerm;
      if (grant?.used === true && this.#used.get(pilot) !== grant.permitId) this.#began(pilot, grant.permitId);
    }
    if (leaders.length > 1) this.#manyLead(leaders);
    this.#ports.database.check();
  }

  /** Two servers that both believe they lead may have a leader each, and never in one term. */
  #manyLead(leaders: readonly { readonly member: string; readonly term: number }[]): void {
    const terms = new Set(leaders.map(({ term }) => term));
    if (terms.size === leaders.length && this.#now() < this.#doubtUntilMs) return;
    const names = leaders.map(({ member, term }) => `${member} in term ${term}`).join(', ');
    this.#fail('I1', `two pilots believe that they lead: ${names}`);
  }

  written(after: Ledger, by: Knowledge): void {
    const before = this.ledger;
    this.ledger = after;
    this.#ports.database.written(after);
    const { term } = after.leadership;
    if (term < this.#highestTerm) this.#fail('I1', `term ${term} follows ${this.#highestTerm}`);
    const other = before?.leadership;
    if (
      other?.term === term &&
      other.leader !== '' &&
      after.leadership.leader !== '' &&
      other.leader !== after.leadership.leader
    )
      this.#fail('I1', `term ${term} has two leaders: ${other.leader} and ${after.leadership.leader}`);
    this.#highestTerm = term;
    const known = Object.values(after.members).filter((one) => votes(one) && one.joinedOnce && !one.left).length;
    const going = after.permits.filter((permit) => permit.verb === 'leave' && isOpen(permit)).length;
    this.#voters.push({ atMs: this.#now(), known, going });
    while ((this.#voters[1]?.atMs ?? this.#now()) < this.#now() - quorumHistoryMs) this.#voters.shift();
    this.#say(before, after);
    for (const permit of after.permits) {
      const was = before?.permits.find(({ id }) => id === permit.id)?.state;
      if (!isOpen(permit) || was === permit.state) continue;
      this.#everGranted.set(permit.id, permit);
      this.#budget({ before: before ?? after, after, by }, permit);
    }
  }

  told(member: string, message: FromServer): void {
    const find = (id: string): Permit | undefined => this.ledger?.permits.find((permit) => permit.id === id);
    if (message.kind === 'decision' && message.decision.state === 'granted') {
      this.#ports.world.say('server', `tells ${member}: ${message.decision.permitId} is granted`);
      if (!this.#everGranted.has(message.decision.permitId))
        this.#fail('I6', `${member} is told of ${message.decision.permitId}, which is not in the ledger as granted`);
    }
    if (message.kind === 'use_answer' && message.ok && find(message.permitId)?.state !== 'used')
      this.#fail('I6', `${member} may begin ${message.permitId}, which is not in the ledger as used`);
    if (message.kind === 'heartbeat_answer' && message.yours && message.term > this.#highestTerm)
      this.#fail('I6', `${member} is told of term ${message.term}, which is not in the ledger`);
  }

  removing(member: string): void {
    if (this.machine?.runs(member)) this.#fail('I5', `${member} is removed while its database runs`);
  }

  applying(pilot: LivePilot, settings: Settings): void {
    const { leadingTerm } = pilot.status();
    if (leadingTerm === 0) this.#fail('I1', `${pilot.member} changes settings and does not lead`);
    const told = pilot.orders.get(leadingTerm)?.some((order) => JSON.stringify(order) === JSON.stringify(settings));
    if (told !== true) this.#fail('I1', `${pilot.member} carries out an order that is not of its term ${leadingTerm}`);
    const left = Math.min(...this.#voters.map(({ known, going }) => known - Math.max(1, going)));
    const least = Math.floor(left / 2) + 1;
    if (settings.quorum > 0 && settings.quorum < least)
      this.#fail('I4', `the database is made to ask for ${settings.quorum} voters, where ${least} are the least`);
  }

  /** A pilot sends SIGTERM to its database. */
  stopping(pilot: LivePilot): void {
    const { world } = this.#ports;
    const { incarnation, grant } = pilot.status();
    const permit = this.ledger?.permits.find((one) => one.id === grant?.permitId);
    const used = permit?.state === 'used' && permit.incarnation === incarnation && permit.member === pilot.member;
    world.say(pilot.member, `stops its database${used ? ` by ${permit.id}` : ''}`);
    if (used) return this.#stoppedBy(permit);
    if (pilot.terminated) return world.disturb();
    const away = this.serversUp === 0 || !pilot.connected;
    const how = grant ? `by ${grant.permitId}, which is ${permit?.state ?? 'not in the ledger'}` : 'without any permit';
    this.#fail(away ? 'I9' : 'I5', `${pilot.member} stops its database ${how}`);
  }

  #stoppedBy(permit: Permit): void {
    const { database, world } = this.#ports;
    if (this.ledger?.deleting === true) return;
    const approved = permit.approvedHolds ?? [];
    const calm = this.#now() > world.disturbedAtMs + staleMs;
    const record = this.ledger?.members[permit.member];
    if (record === undefined) return;
    const others = Object.values(this.ledger?.members ?? {}).filter(
      (one) => one.name !== record.name && one.roles.includes('data') && !one.left,
    );
    const stays = permit.verb === 'leave' ? database.staysBecause(record.name) : undefined;
    if (stays !== undefined) this.#fail('I5', `${permit.id} stops ${record.name} for good: ${stays}`);
    const only = database.lastCopiesOn(record.name);
    const mayTakeLast = others.length === 0 || lastCopyHolds.some((name) => approved.includes(name));
    if (only.length > 0 && (permit.verb === 'leave' || (calm && !mayTakeLast)))
      this.#fail('I3', `${permit.id} takes ${only.join(', ')}, of which there is no other copy`);
    if (!this.#votes(record) || !calm || approved.includes('quorum_would_be_lost') || others.length === 0) return;
    const left = database.outvoted((name) => name !== record.name && this.machine?.isEnding(name) !== true);
    if (left !== undefined) this.#fail('I4', `${permit.id} ${left}`);
  }

  /** Every node of Couchbase has a voice. */
  #votes(record: MemberRecord): boolean {
    return votes(record) || this.ledger?.spec.application === 'couchbase';
  }

  /** By true time, from the sending of the asking that was granted. */
  #began(pilot: LivePilot, id: string): void {
    this.#used.set(pilot, id);
    const permit = this.#everGranted.get(id);
    const askedAtMs = pilot.askedAtMs.get(permit?.sequence ?? -1);
    if (permit === undefined || askedAtMs === undefined) return;
    const age = this.#now() - askedAtMs;
    if (age > permit.ttlMs + toleranceMs)
      this.#fail(
        'I5',
        `${pilot.member} begins ${id} ${Math.round(age)} ms after it asked; it lasts ${permit.ttlMs} ms`,
      );
  }

  #budget(
    { before, after, by }: { readonly before: Ledger; readonly after: Ledger; readonly by: Knowledge },
    permit: Permit,
  ): void {
    if (after.deleting || after.stopping !== undefined) return;
    // Who is out of the cluster of Couchbase, before it leaves or joins, takes nothing away by its stop.
    const isOut = this.#ports.database.staysBecause(permit.member) === undefined;
    if (after.spec.application === 'couchbase' && (permit.verb === 'leave' || isOut)) return;
    const now = this.#now();
    if (now - by.wokeAtMs < planningMs) return;
    const others = Object.values(after.members).filter((record) => {
      if (record.left || record.name === permit.member || before.members[record.name] === undefined) return false;
      const open = after.permits.some((one) => isOpen(one) && one.member === record.name);
      return open || now - by.awaySinceMs(record.name) > planningMs;
    });
    if (others.length + 1 <= after.spec.maxUnavailable) return;
    const names = others.map(({ name }) => name).join(', ');
    this.#fail(
      'I2',
      `${permit.id} is ${permit.state} while ${names} is away; the budget is ${after.spec.maxUnavailable}`,
    );
  }

  #say(before: Ledger | undefined, after: Ledger): void {
    const { world } = this.#ports;
    const { leader, term } = after.leadership;
    if (leader !== before?.leadership.leader) world.say('ledger', `term ${term}: ${leader || 'nobody'} leads`);
    for (const permit of after.permits) {
      const was = before?.permits.find(({ id }) => id === permit.id)?.state;
      if (was !== permit.state) world.say('ledger', `${permit.id} is ${permit.state} ${permit.decision}`);
    }
  }

  #now(): number {
    return this.#ports.world.time.nowMs;
  }

  #fail(invariant: Parameters<World['fail']>[0], message: string): void {
    this.#ports.world.fail(invariant, message);
  }
}
