/**
 * One cluster's loop: snapshot → plan → write the intent by compare-and-swap → do it. One pass at a time.
 * It holds no truth of its own: what must last is in the ledger, what was heard is in the sessions, and a pass that
 * lost a race throws its plan away and looks again.
 */
import type { Clock, Timer } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import type { Recorder } from '../shared/journal.ts';
import type { Logger } from '../shared/log.ts';
import type { Random } from '../shared/random.ts';
import { same } from '../shared/same.ts';
import { Sessions } from './coordination/sessions.ts';
import { changesOf, type ClusterEvent } from './events.ts';
import type { Ledger } from './model/ledger.ts';
import type { FromPilot, Hello, PilotLink } from './model/messages.ts';
import type { Observation } from './model/observation.ts';
import type { Action, Plan } from './model/plan.ts';
import type { Now, Timing } from './model/timing.ts';
import { plan } from './reconcile/plan.ts';
import { neededMembers } from './reconcile/topology.ts';
import { ClusterRecording } from './recording.ts';
import type { Runtime } from './runtime/runtime.ts';
import { troubleIn, wordsOf, type Saying, type Words } from './saying.ts';
import type { Store, Stored } from './store/store.ts';

export interface LoopPorts {
  readonly clock: Clock;
  readonly store: Store;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly random: Random;
  readonly timing: Timing;
  /** Where decisions are written down before they take effect. */
  readonly record: Recorder;
  readonly publish: (event: ClusterEvent) => void;
  /** Told of each pass that went through, after its ledger was written. It must not throw. */
  readonly passed?: (cluster: string, snapshot: Snapshot) => void;
}

/** What people are shown of a cluster: the last pass, whole. */
export interface Snapshot {
  readonly stored: Stored;
  readonly observed: Observation;
  readonly plan: Plan;
}

/** How often a pass that lost a race is tried again before it waits for the next one. */
const racesPerPass = 5;

type RuntimeAction = Extract<Action, { kind: 'create_member' | 'replace_member' | 'remove_member' }>;

interface Seat {
  readonly incarnation: string;
  readonly link: PilotLink;
  /** What was said last, by topic, so that nothing is said twice. */
  readonly said: Map<string, unknown>;
}

export class ClusterLoop {
  readonly key: string;
  readonly #ports: LoopPorts;
  readonly #sessions: Sessions;
  readonly #recording: ClusterRecording;
  readonly #seats = new Map<string, Seat>();
  /** Members that the runtime is working on, so that no two works on one member overlap. */
  readonly #working = new Set<string>();
  /** Members that it has worked on since the runtime was last looked at: what was seen of them is over. */
  readonly #touched = new Set<string>();
  #stored: Stored;
  /** When the ledger was last seen to be the one in the store. */
  #confirmedAtMs: number;
  #snapshot: Snapshot | undefined;
  /** Of a write that is under way, or whose outcome is not known. */
  #writing: Ledger['leadership'] | undefined;
  #timer: Timer | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #woken = false;
  #closed = false;
  #forgotten: () => void = () => undefined;

  constructor(stored: Stored, ports: LoopPorts, serverStartedAtMs: number, pilotsAtStart = 0) {
    this.key = stored.key;
    this.#stored = stored;
    this.#ports = ports;
    this.#confirmedAtMs = ports.clock.monotonicMs();
    this.#sessions = new Sessions(serverStartedAtMs, ports.random.hex(8), pilotsAtStart);
    this.#recording = new ClusterRecording(stored.key, ports.record);
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get ledger(): Ledger {
    return this.#stored.ledger;
  }

  /** Asks for a pass soon. Many wakes before it make one pass. */
  wake(): void {
    if (this.#woken || this.#closed) return;
    this.#woken = true;
    void this.#enqueue(() => this.#pass());
  }

  /** A pilot has come. An older stream of the same member is ended. */
  connect(hello: Hello, link: PilotLink): void {
    if (this.#stored.ledger.members[hello.member] === undefined) {
      throw new NavigatorError('not_found', `cluster ${this.key} has no member ${hello.member}`);
    }
    const before = this.#seats.get(hello.member);
    this.#seats.set(hello.member, { incarnation: hello.incarnation, link, said: new Map() });
    before?.link.end('conflict', 'another stream of this member has been opened');
    this.#sessions.connect(hello, this.#now());
    link.say({ kind: 'welcome', heartbeatMs: this.#ports.timing.heartbeatMs, leaseMs: this.#ports.timing.leaseMs });
    this.wake();
  }

  /** A pilot's stream has ended. Its member is suspect from now on. */
  disconnect(member: string, link: PilotLink): void {
    const seat = this.#seats.get(member);
    if (seat?.link !== link) return;
    this.#seats.delete(member);
    this.#sessions.disconnect(member, seat.incarnation);
    this.wake();
  }

  /** A pilot has said something. Costs no I/O, and a pass only where something has changed. */
  hear(member: string, link: PilotLink, message: FromPilot): void {
    if (this.#seats.get(member)?.link !== link) return;
    const heard = this.#sessions.hear(member, message, this.#now(), this.#leadership());
    for (const answer of heard.answers) link.say(answer);
    const trouble = troubleIn(message);
    if (trouble !== '') this.#event(member, 'held', trouble);
    if (heard.changed) this.wake();
  }

  /** While another leadership is being written nobody is told that it leads: the write may have taken effect already. */
  #leadership(): Ledger['leadership'] {
    const { leadership } = this.#stored.ledger;
    return this.#writing === undefined || this.#writing === leadership ? leadership : { ...leadership, leader: '' };
  }

  /** Changes the ledger as a person asked, and has it followed. `edit` may be called again after a lost race. */
  change(edit: (ledger: Ledger) => Ledger): Promise<Ledger> {
    return this.#enqueue(async () => {
      if (this.#mayBeOld()) await this.#readAgain();
      for (let race = 0; race < racesPerPass; race++) {
        const { ledger, revision } = this.#stored;
        const next = edit(ledger);
        if (next === ledger) return ledger;
        this.#recording.ruled(ledger, next, revision);
        if (await this.#write(next)) return this.#stored.ledger;
      }
      throw new NavigatorError('conflict', `cluster ${this.key} is being changed by somebody else; try again`);
    }).finally(() => this.wake());
  }

  /** Calls back once the cluster is deleted and nothing of it is left. */
  onForgotten(callback: () => void): void {
    this.#forgotten = callback;
  }

  /** Ends the loop. Streams are ended by the one who closes; nothing is stopped. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#queue.catch(() => undefined);
    for (const seat of this.#seats.values()) seat.link.end('unavailable', 'the server is stopping');
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(work, work);
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async #pass(): Promise<void> {
    this.#woken = false;
    if (this.#closed) return;
    this.#timer?.cancel();
    let recheckInMs = this.#ports.timing.heartbeatMs;
    try {
      recheckInMs = await this.#planAndDo();
    } catch (thrown) {
      this.#ports.log.error({ cluster: this.key, err: thrown }, 'a pass has failed; it is tried again');
    }
    if (!this.#isClosed()) this.#timer = this.#ports.clock.after(recheckInMs, () => this.wake());
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  async #planAndDo(): Promise<number> {
    const { runtime, timing } = this.#ports;
    for (let race = 0; race < racesPerPass && !this.#isClosed(); race++) {
      if (this.#mayBeOld()) await this.#readAgain();
      if (this.#isClosed()) break;
      const { ledger, revision } = this.#stored;
      const wanted = neededMembers(ledger).map((member) => member.name);
      const missing = wanted.filter((name) => ledger.members[name] === undefined);
      this.#touched.clear();
      for (const name of this.#working) this.#touched.add(name);
      const around = {
        runtime: await runtime.observe(ledger.spec),
        addresses: await runtime.addresses(ledger.spec, missing),
      };
      const now = this.#now();
      const heard = this.#sessions.observe(ledger.leadership, around, now.monotonicMs - timing.leaseMs);
      const unrecordable = this.#recording.trouble();
      const observed = unrecordable === undefined ? heard : { ...heard, unrecordable };
      const next = plan({ ledger, revision, observed, now, timing });
      if (!this.#recording.decided({ ledger, revision, observed, now, timing }, next)) continue;
      if (next.ledger !== ledger && !(await this.#write(next.ledger))) continue;
      if (next.ledger === ledger && !(await this.#isNewest(next.actions))) continue;
      // The server slept meanwhile: another one may have ended what this one has just permitted.
      if (this.#mayBeOld()) continue;
      this.#report(next);
      this.#snapshot = { stored: this.#stored, observed, plan: next };
      this.#ports.passed?.(this.key, this.#snapshot);
      for (const action of next.actions) await this.#act(action);
      return next.ledger === ledger ? next.recheckInMs : Math.min(next.recheckInMs, timing.heartbeatMs / 4);
    }
    return timing.heartbeatMs;
  }

  /** Writes the ledger where nobody else has. What is told to pilots always comes after this. */
  async #write(next: Ledger): Promise<boolean> {
    const before = this.#stored;
    const askedAtMs = this.#now().monotonicMs;
    this.#writing = next.leadership;
    // Where this throws, it may have been written all the same: nobody knows before the ledger is read again.
    const written = await this.#ports.store.compareAndSwap(this.key, before.revision, next);
    this.#writing = undefined;
    this.#recording.written(written !== 'conflict');
    if (written === 'conflict') {
      await this.#readAgain();
      return false;
    }
    this.#stored = written;
    this.#confirmedAtMs = askedAtMs;
    const changed = next.permits.filter(
      (permit) => before.ledger.permits.find((old) => old.id === permit.id)?.state !== permit.state,
    );
    const ids = new Set(next.permits.map((permit) => permit.id));
    this.#sessions.permitsChanged(
      changed.map((permit) => permit.id),
      this.#now(),
      ids,
    );
    this.#sessions.retain(new Set(Object.keys(next.members)));
    for (const event of changesOf(before.ledger, next)) this.#event(event.member, event.kind, event.message);
    return true;
  }

  /**
   * Where other servers write, too, nothing new is said or done on a ledger that was not written or read just now: an
   * order from an old ledger could undo what a newer one has permitted a member to rely on.
   */
  async #isNewest(actions: readonly Action[]): Promise<boolean> {
    if (!this.#ports.store.shared || !actions.some((action) => this.#isNews(action))) return true;
    const { revision } = this.#stored;
    await this.#readAgain();
    return !this.#closed && this.#stored.revision === revision;
  }

  /**
   * The answer to a write was lost, or another server that believes it leads may have written meanwhile: no lease is
   * renewed for long on what it knows better.
   */
  #mayBeOld(): boolean {
    const { store, timing } = this.#ports;
    if (this.#writing !== undefined) return true;
    return store.shared && this.#now().monotonicMs >= this.#confirmedAtMs + timing.leaseMs;
  }

  async #readAgain(): Promise<void> {
    const askedAtMs = this.#now().monotonicMs;
    const fresh = await this.#ports.store.read(this.key);
    this.#confirmedAtMs = askedAtMs;
    this.#writing = undefined;
    if (fresh === undefined) return this.#forget();
    this.#stored = fresh;
  }

  #forget(): void {
    this.#closed = true;
    this.#forgotten();
  }

  async #act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'say_desired':
      case 'say_order':
      case 'say_decision':
        return this.#say(action);
      case 'say_use_answer': {
        const { member, answer } = action;
        this.#sessions.answered(member, answer.permitId);
        return this.#seats.get(member)?.link.say({ kind: 'use_answer', answer });
      }
      case 'create_member':
      case 'replace_member':
      case 'remove_member':
        return this.#work(action);
      case 'forget_cluster':
        await this.#ports.store.remove(this.key, this.#stored.revision);
        this.#event('', 'done', 'deleted');
        return this.#forget();
    }
  }

  /** Whether doing this would tell or change anything. What a decision permits is judged again when it is used. */
  #isNews(action: Action): boolean {
    switch (action.kind) {
      case 'say_desired':
      case 'say_order':
        return !this.#isSaid(action.member, wordsOf(action));
      case 'say_decision':
        return false;
      case 'say_use_answer':
        return action.answer.ok;
      case 'create_member':
      case 'replace_member':
      case 'remove_member':
        return !this.#touched.has(action.record.name);
      case 'forget_cluster':
        return true;
    }
  }

  #isSaid(member: string, { topic, content }: Words): boolean {
    const said = this.#seats.get(member)?.said;
    if (said === undefined) return true;
    if (!same(said.get(topic), content)) return false;
    // The newest of equals: what it shares with the next one then need not be looked into.
    said.set(topic, content);
    return true;
  }

  #say(action: Saying): void {
    const words = wordsOf(action);
    const seat = this.#seats.get(action.member);
    if (seat === undefined || this.#isSaid(action.member, words)) return;
    seat.said.set(words.topic, words.content);
    if (action.kind === 'say_order') this.#sessions.ordered(action.order, this.#now());
    seat.link.say(words.message);
  }

  /** The runtime's work may take long; the loop goes on meanwhile and looks again when it is done. */
  #work(action: RuntimeAction): void {
    const { name } = action.record;
    if (this.#touched.has(name)) return;
    this.#working.add(name);
    this.#touched.add(name);
    this.#perform(action)
      .then(() => this.#recording.worked(name, action.kind, ''))
      .catch((thrown: unknown) => {
        const { message } = NavigatorError.from(thrown);
        this.#recording.worked(name, action.kind, message);
        this.#ports.log.error({ cluster: this.key, member: name, err: thrown }, `${action.kind} failed`);
        this.#event(name, 'refused', `${action.kind.replace('_', ' ')}: ${message}`);
        return new Promise<void>((resolve) => void this.#ports.clock.after(this.#ports.timing.leaseMs, resolve));
      })
      .finally(() => {
        this.#working.delete(name);
        this.wake();
      });
  }

  #perform(action: RuntimeAction): Promise<void> {
    const { runtime } = this.#ports;
    const { spec } = this.#stored.ledger;
    switch (action.kind) {
      case 'create_member':
        return runtime.create(spec, action.record);
      case 'replace_member':
        return runtime.replace(spec, action.record);
      case 'remove_member':
        return runtime.remove(spec, action.record, action.keepData);
    }
  }

  /** Holds that are new since the last pass are told once. */
  #report(next: Plan): void {
    const before = new Set(this.#snapshot?.plan.holds.map((hold) => `${hold.name} ${hold.member}`));
    for (const hold of next.holds) {
      if (!before.has(`${hold.name} ${hold.member}`)) this.#event(hold.member, 'held', `${hold.name}: ${hold.message}`);
    }
  }

  #event(member: string, kind: ClusterEvent['kind'], message: string): void {
    this.#ports.publish({ at: this.#ports.clock.wallMs(), cluster: this.key, member, kind, message });
  }

  #now(): Now {
    return { monotonicMs: this.#ports.clock.monotonicMs(), wallMs: this.#ports.clock.wallMs() };
  }
}
