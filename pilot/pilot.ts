/** One pilot: drives the pure supervisor, does its effects beside it, and tells the server. Events are taken in one by one. */
import { backoffMs } from '../shared/backoff.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import type { Recorder } from '../shared/journal.ts';
import { Latest } from '../shared/latest.ts';
import type { Logger } from '../shared/log.ts';
import type { Random } from '../shared/random.ts';
import type { Engine } from './engine/engine.ts';
import { Keeping } from './keeping.ts';
import { Leading } from './leading.ts';
import type { Evidence, Hook, MemberSpec } from './model.ts';
import { Observer } from './observer.ts';
import { mayBeUnrecorded, PilotRecording } from './recording.ts';
import type { Line } from './session.ts';
import type { DatabaseProcess, Exit, Running, StateFile } from './supervisor/ports.ts';
import { doing } from './supervisor/doing.ts';
import { initial, isAlive, step, type Effect, type Event, type State } from './supervisor/step.ts';
import * as wire from './wire.ts';
import { evidenceToWire, type Decision, type FromServer, type Greeting } from './wire.ts';

export interface PilotIdentity {
  readonly namespace: string;
  readonly cluster: string;
  readonly member: string;
  readonly application: string;
  /** The version of the distribution that this pilot was launched with, and what stands for its pod, if there are any. */
  readonly version: string;
  readonly template?: string;
  readonly pilotVersion: string;
}

export interface PilotPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly engine: Engine;
  readonly process: DatabaseProcess;
  readonly memory: StateFile;
  /** Where everything is written down before it is done. */
  readonly record: Recorder;
}

/** How long the database may take to end after SIGTERM. */
const termMs = 60_000;
const crashRule = { firstMs: 1_000, capMs: 60_000 };
/** Askings whose send time and evidence are remembered. */
const rememberedAskings = 64;
const logLines = 20;

export class Pilot {
  readonly #identity: PilotIdentity;
  readonly #ports: PilotPorts;
  readonly #leading = new Leading();
  readonly #keeping: Keeping;
  readonly #observer: Observer;
  readonly #recording: PilotRecording;
  readonly #asked = new Latest<number, { readonly atMs: number; readonly evidence: Evidence | undefined }>(
    rememberedAskings,
  );
  readonly #incarnation: string;
  readonly #onExit: () => void;
  #state: State;
  #session: Line | undefined;
  #running: Running | undefined;
  #launching: Promise<void> = Promise.resolve();
  #beat: Timer | undefined;
  #heartbeatMs = 1_000;
  #leaseMs = 6_000;
  #sequence = 0n;
  #askings = 0;
  #hooks = 0;
  #lastLog = '';
  #applied = '';
  #held = '';

  constructor(identity: PilotIdentity, ports: PilotPorts, onExit: () => void) {
    this.#identity = identity;
    this.#ports = ports;
    this.#onExit = onExit;
    this.#keeping = new Keeping(ports.memory, ports.log);
    this.#incarnation = ports.random.hex(8);
    this.#state = initial(this.#incarnation, identity.version, identity.template);
    const { namespace, cluster, member } = identity;
    const life = { cluster: `${namespace}/${cluster}`, member, incarnation: this.#incarnation };
    this.#recording = new PilotRecording(life, ports.record);
    this.#observer = new Observer(ports, {
      intervalMs: () => this.#heartbeatMs,
      leadingTerm: () => this.#leading.term(this.#now()),
      spec: () => this.#state.desired?.spec,
      onLook: () => void this.#seen(),
    });
  }

  /** Takes up a database that an earlier life has left running, then whatever the server said last. */
  start(session: Line): void {
    this.#session = session;
    const { applied, desired, left } = this.#keeping.current();
    const running = this.#ports.process.adopt();
    if (left === true) this.#state = { ...this.#state, left };
    if (applied !== undefined) this.#state = { ...this.#state, spec: applied };
    if (running !== undefined) {
      this.#watch(running);
      const spec = applied ?? desired?.spec;
      if (spec !== undefined) this.#take({ kind: 'adopted', spec: { ...spec, hash: running.specHash } });
    }
    if (desired !== undefined) this.#take({ kind: 'desired', desired });
    this.#observer.begin();
    this.#heartbeat();
    session.open();
  }

  /** What a new stream is greeted with. */
  hello(): Greeting {
    const { highestTerm, highestRevision } = this.#keeping.current();
    const permits = this.#permits();
    return { ...this.#identity, incarnation: this.#incarnation, highestTerm, highestRevision, permits };
  }

  /** SIGTERM: the server is asked; a second one changes nothing. */
  terminate(graceMs: number): void {
    this.#take({ kind: 'terminate', graceMs });
  }

  /** Passes a signal on to the database, where there is one. */
  forward(signal: NodeJS.Signals): void {
    this.#running?.signal(signal);
  }

  /** Whether the database serves, and if not, why. */
  readiness(): { readonly ready: true } | { readonly ready: false; readonly reason: string } {
    const { node } = this.#observer.latest();
    if (this.#state.phase === 'running' && node?.joined === true) return { ready: true };
    return { ready: false, reason: this.#state.trouble || `the database is ${this.#state.phase}` };
  }

  /** What is known of this pilot, for people. */
  status(): unknown {
    const { node } = this.#observer.latest();
    const { phase, restarts, asking, grant } = this.#state;
    const leadingTerm = this.#leading.term(this.#now());
    const { member } = this.#identity;
    return { member, incarnation: this.#incarnation, phase, restarts, asking, grant, node, leadingTerm };
  }

  /** Takes in what the server says. Terms and revisions are written down before they are obeyed. */
  hear(message: FromServer): void {
    switch (message.kind) {
      case 'welcome':
        this.#heartbeatMs = message.heartbeatMs || this.#heartbeatMs;
        this.#leaseMs = message.leaseMs || this.#leaseMs;
        return;
      case 'heartbeat_answer':
        if (this.#obeys(message.term)) this.#leading.answered(message, this.#leaseMs);
        return;
      case 'desired': {
        const { desired } = message;
        if (desired.revision < this.#keeping.current().highestRevision) return;
        if (!this.#keeping.keep({ desired, highestRevision: desired.revision })) return this.#keeping.putOff(message);
        return this.#take({ kind: 'desired', desired });
      }
      case 'order':
        return this.#hearOrder(message);
      case 'decision':
        return this.#hearDecision(message.decision);
      case 'use_answer': {
        const { message: why, ...answer } = message;
        if (!answer.ok) this.#ports.log.info({ permit: answer.permitId }, `not now: ${why}`);
        return this.#take(answer);
      }
      case 'hook_answer':
        return;
    }
  }

  /** An order is obeyed in the term in which this pilot leads, and in no other. */
  #hearOrder(order: Extract<FromServer, { kind: 'order' }>): void {
    const leads = this.#leading.term(this.#now());
    const obeyed = this.#obeys(order.term) && order.term >= leads;
    const { highestTerm } = this.#keeping.current();
    if (order.term > highestTerm) return this.#keeping.putOff(order);
    const { kind: _kind, ...words } = order;
    this.#recording.note('order', { ...words, obeyed }, obeyed);
    if (obeyed) return this.#observer.order(order);
    const why = `order of term ${order.term} is refused; this pilot has seen term ${highestTerm}`;
    this.#session?.say(wire.orderResultToWire({ id: order.id, ok: false, message: why }));
  }

  #hearDecision(decision: Decision): void {
    if (!this.#obeys(decision.term)) return;
    const asked = this.#asked.get(decision.sequence);
    const sentAtMs = asked?.atMs;
    const expiresAtMs = sentAtMs === undefined ? 0 : sentAtMs + decision.ttlMs;
    this.#held = decision.holds.join(', ');
    const { ttlMs: _ttl, sequence: _sequence, ...words } = decision;
    const proof = words.state === 'granted' ? { evidence: asked?.evidence } : {};
    this.#recording.noteOnce('heard', { ...words, ...proof });
    this.#take({ kind: 'decision', decision: { ...decision, expiresAtMs } });
  }

  /** False for a term below the highest one seen. A higher one is kept on disk first. */
  #obeys(term: number): boolean {
    return term >= this.#keeping.current().highestTerm && this.#keeping.keep({ highestTerm: term });
  }

  #take(event: Event): void {
    const nowMs = this.#now();
    const next = step(this.#state, event, nowMs);
    const { state, effects } = next;
    const grant = this.#state.grant ?? state.grant;
    if (!this.#recording.stepped(this.#state, event, nowMs, next) && !mayBeUnrecorded(grant)) {
      // What takes something away is not begun unrecorded; only a SIGTERM whose time is up leaves no choice.
      if (event.kind === 'use_answer' && event.ok) return this.#take({ ...event, ok: false });
      if (effects.some(({ kind }) => kind === 'use')) return;
    }
    if (state.phase !== this.#state.phase) {
      this.#ports.log.info({ from: this.#state.phase, to: state.phase }, `database is ${state.phase}`);
      this.#observer.forget();
    }
    if (state.left) this.#keeping.keep({ left: true });
    const told = state.phase !== this.#state.phase || state.grant !== this.#state.grant;
    this.#state = state;
    if (told) this.#tell();
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    switch (effect.kind) {
      case 'prepare':
        void this.#run('prepare', () => this.#prepare(effect.spec));
        return;
      case 'start':
        this.#launching = this.#run('start', () => this.#launch(effect.spec));
        return;
      case 'stop':
        void this.#stop();
        return;
      case 'use':
        void this.#use(effect.permitId);
        return;
      case 'wipe':
        void this.#wipe();
        return;
      case 'complete': {
        this.#session?.say(wire.completionToWire(effect));
        return;
      }
      case 'hook':
        return this.#tellHook(effect.hook, effect);
      case 'exit':
        return this.#exit();
    }
  }

  #run(what: 'prepare' | 'start', work: () => Promise<void>): Promise<void> {
    return work().catch((thrown: unknown) => {
      const { message } = NavigatorError.from(thrown);
      this.#ports.log.error({ err: thrown }, `${what} has failed: ${message}`);
      this.#take({ kind: 'failed', what, message, retryInMs: this.#retryInMs() });
    });
  }

  async #prepare(spec: MemberSpec): Promise<void> {
    await this.#ports.engine.prepare(spec);
    this.#take({ kind: 'prepared' });
  }

  async #launch(spec: MemberSpec): Promise<void> {
    this.#ports.memory.remember({ applied: spec });
    const launch = this.#ports.engine.launch(spec);
    this.#watch(await this.#ports.process.start(launch, { specHash: spec.hash, version: spec.version }));
    this.#recording.note('started', { pid: this.#running?.pid, version: spec.version, specHash: spec.hash });
  }

  #watch(running: Running): void {
    this.#running = running;
    running.onExit((exit) => this.#exited(running, exit));
  }

  #exited(running: Running, exit: Exit): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    const how = exit.signal ?? (exit.code === null ? 'an unknown code' : `code ${exit.code}`);
    this.#recording.note('exited', { how, asked: this.#state.phase === 'stopping' });
    if (this.#state.phase !== 'stopping') this.#lastLog = this.#ports.engine.lastLog(logLines);
    this.#take({ kind: 'exited', message: `the database has ended with ${how}`, retryInMs: this.#retryInMs() });
  }

  /** PreStop, then SIGTERM, then SIGKILL after a bound. The exit comes back as an event. */
  async #stop(): Promise<void> {
    await this.#launching;
    const running = this.#running;
    let message = '';
    const objection = await this.#ports.engine.beforeStop(this.#state.grant).catch((thrown: unknown) => {
      message = NavigatorError.from(thrown).message;
      return undefined;
    });
    this.#tellHook('pre_stop', { ok: message === '' && objection === undefined, message: objection ?? message });
    // What ended by itself meanwhile has been told, and what runs now is not what was to be stopped.
    if (this.#running !== running) return;
    if (running === undefined && this.#state.phase === 'stopping')
      return this.#take({ kind: 'exited', message: '', retryInMs: 0 });
    if (objection !== undefined) return this.#take({ kind: 'called_off', message: objection });
    if (running !== undefined) await this.#ports.process.stop(running, { termMs });
  }

  /** Reads the evidence again, now, and asks whether the permit may be used on it. */
  async #use(permitId: string): Promise<void> {
    const evidence = await this.#observer.evidence();
    if (!this.#recording.note('use', { permitId, evidence }, true) && !mayBeUnrecorded(this.#state.grant)) return;
    this.#session?.say(wire.useToWire(permitId, evidenceToWire(this.#incarnation, evidence)));
  }

  async #wipe(): Promise<void> {
    const error = await this.#ports.engine.wipe?.().catch((thrown: unknown) => NavigatorError.from(thrown));
    this.#observer.forget();
    this.#take({ kind: 'wiped', ok: !error, message: error ? error.message : 'it is as new' });
  }

  #tellHook(hook: Hook, outcome: { readonly ok: boolean; readonly message: string }): void {
    this.#hooks++;
    const { ok, message } = outcome;
    this.#session?.say(wire.hookToWire(`${this.#incarnation}-${this.#hooks}`, hook, { ok, message }));
  }

  /** The observer has looked: what follows from it, and what is asked on fresh evidence. */
  async #seen(): Promise<void> {
    const { node, appliedOrder } = this.#observer.latest();
    if (appliedOrder !== '' && appliedOrder !== this.#applied) this.#recording.note('applied', { order: appliedOrder });
    this.#applied = appliedOrder || this.#applied;
    this.#take(node?.joined === true ? { kind: 'joined' } : { kind: 'tick' });
    if (this.#state.asking !== undefined && this.#state.grant === undefined) await this.#ask();
  }

  async #ask(): Promise<void> {
    const evidence = await this.#observer.evidence();
    const { asking, grant } = this.#state;
    if (asking === undefined || grant !== undefined || !this.#recording.asks(asking, evidence)) return;
    this.#askings++;
    this.#asked.set(this.#askings, { atMs: this.#now(), evidence });
    this.#session?.say(wire.requestToWire(asking, this.#askings, evidenceToWire(this.#incarnation, evidence)));
  }

  #heartbeat(): void {
    for (const message of this.#keeping.takeUp()) this.hear(message);
    this.#take({ kind: 'tick' });
    this.#tell();
    this.#beat = this.#ports.clock.after(this.#heartbeatMs, () => this.#heartbeat());
  }

  /** Tells the server how things stand, whether or not the database answers. */
  #tell(): void {
    const now = this.#now();
    this.#sequence++;
    const { node, cluster, appliedOrder } = this.#observer.latest();
    const leadingTerm = this.#leading.term(now);
    const { phase, spec, restarts, asking } = this.#state;
    const beat = {
      sequence: this.#sequence,
      phase,
      pid: this.#running?.pid ?? 0,
      restarts,
      specHash: isAlive(this.#state) ? (spec?.hash ?? '') : '',
      version: this.#identity.version,
      lastLog: phase === 'backoff' ? this.#lastLog : '',
      doing: this.#doing(),
      leadingTerm,
      appliedOrder,
      permits: this.#permits(),
      asking: asking?.id ?? '',
      ...(node && { node }),
      ...(cluster && leadingTerm > 0 && { cluster }),
    };
    if (this.#session?.say(wire.beatToWire(beat)) === true) this.#leading.sent(this.#sequence, now);
  }

  #doing(): string {
    const { asking } = this.#state;
    const recording = asking === undefined || mayBeUnrecorded(asking) ? '' : this.#recording.trouble;
    return doing(this.#state, { keeping: this.#keeping.trouble, recording, held: this.#held });
  }

  #permits(): string[] {
    return this.#state.grant === undefined ? [] : [this.#state.grant.permitId];
  }

  #exit(): void {
    this.#beat?.cancel();
    this.#observer.end();
    void (this.#session?.close() ?? Promise.resolve()).finally(this.#onExit);
  }

  #retryInMs(): number {
    return backoffMs(crashRule, this.#state.failures, this.#ports.random);
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }
}
