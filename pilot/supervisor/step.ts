/**
 * What the supervisor of one database process does next. Pure: (state, event, now) → (state, effects).
 *
 * Invariants: a healthy process is stopped only with a permit that the server has confirmed at the moment of use, or
 * because a SIGTERM's grace period is nearly over; losing the server, the lease or the session is no event here at
 * all. A process that has crashed is started again without asking: that takes nothing away.
 */
import type { Desired, Hook, MemberSpec, Verb } from '../model.ts';

export type Phase = 'idle' | 'preparing' | 'starting' | 'running' | 'stopping' | 'stopped' | 'backoff';

export interface State {
  /** The life of this pilot; it begins the id of everything that the pilot asks. */
  readonly incarnation: string;
  /** The version of the distribution that this pilot was launched with. */
  readonly home: string;
  /** What stands for the pod that it was launched in; empty: there are no pods. */
  readonly template: string;
  readonly phase: Phase;
  readonly desired?: Desired;
  /** What the process runs with, or ran with last. */
  readonly spec?: MemberSpec;
  /** Crashes since the pilot began, for people. */
  readonly restarts: number;
  /** Crashes in a row. */
  readonly failures: number;
  readonly retryAtMs: number;
  readonly runningSinceMs: number;
  readonly termination?: Termination;
  readonly asking?: Asking;
  /** How many askings there were. */
  readonly askings: number;
  readonly grant?: Grant;
  /** It has left by permit: nothing starts here again. */
  readonly left: boolean;
  /** It is stopped for an upgrade and waits to be launched with another distribution. */
  readonly replaced: boolean;
  /** Why it is not running, for people. */
  readonly trouble: string;
}

export interface Termination {
  /** When the grace period leaves just enough time to stop cleanly. */
  readonly deadlineMs: number;
}

export interface Asking {
  readonly id: string;
  readonly verb: Verb;
  readonly reason: string;
}

export interface Grant {
  readonly permitId: string;
  readonly verb: Verb;
  /** By this pilot's monotonic clock, from the sending of the request. */
  readonly expiresAtMs: number;
  /** When its use was asked for, with evidence that was read then or later. */
  readonly sinceMs: number;
  readonly used: boolean;
  /** The holds that a person has taken upon themselves, once its use was answered. */
  readonly approvedHolds: readonly string[];
}

export type Event =
  | { readonly kind: 'desired'; readonly desired: Desired }
  | { readonly kind: 'adopted'; readonly spec: MemberSpec }
  | { readonly kind: 'prepared' }
  | {
      readonly kind: 'failed';
      readonly what: 'prepare' | 'start';
      readonly message: string;
      readonly retryInMs: number;
    }
  | { readonly kind: 'joined' }
  | { readonly kind: 'exited'; readonly message: string; readonly retryInMs: number }
  | { readonly kind: 'terminate'; readonly graceMs: number }
  | { readonly kind: 'decision'; readonly decision: DecisionWord }
  | {
      readonly kind: 'use_answer';
      readonly permitId: string;
      readonly ok: boolean;
      readonly approvedHolds?: readonly string[];
    }
  /** The stop that was permitted has been called off: what it was permitted on is true no longer. */
  | { readonly kind: 'called_off'; readonly message: string }
  | { readonly kind: 'wiped'; readonly ok: boolean; readonly message: string }
  | { readonly kind: 'tick' };

export interface DecisionWord {
  readonly requestId: string;
  readonly permitId: string;
  readonly state: 'waiting' | 'granted' | 'ended';
  /** By the pilot's clock, from the sending of the asking that it answers. */
  readonly expiresAtMs: number;
}

export type Effect =
  | { readonly kind: 'prepare'; readonly spec: MemberSpec }
  | { readonly kind: 'start'; readonly spec: MemberSpec }
  | { readonly kind: 'stop' }
  | { readonly kind: 'use'; readonly permitId: string }
  | { readonly kind: 'wipe' }
  | { readonly kind: 'complete'; readonly permitId: string; readonly ok: boolean; readonly message: string }
  | { readonly kind: 'hook'; readonly hook: Hook; readonly ok: boolean; readonly message: string }
  | { readonly kind: 'exit' };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** A process that has run for this long has recovered from its crashes. */
const steadyAfterMs = 60_000;

/** The share of the grace period that is kept for stopping cleanly, and its bounds in ms. */
const stopShare = 0.4;
const stopReserveMs = { least: 2_000, most: 30_000 };

/** A supervisor that has nothing yet. */
export function initial(incarnation: string, home: string, template = ''): State {
  return {
    incarnation,
    home,
    template,
    phase: 'idle',
    restarts: 0,
    failures: 0,
    retryAtMs: 0,
    runningSinceMs: 0,
    askings: 0,
    left: false,
    replaced: false,
    trouble: '',
  };
}

/** Whether there is a process. */
export function isAlive(state: State): boolean {
  return state.phase === 'starting' || state.phase === 'running' || state.phase === 'stopping';
}

/** Takes in one event and follows up everything that the new state calls for. */
export function step(state: State, event: Event, nowMs: number): Step {
  const taken = take(state, event, nowMs);
  const followed = follow(taken.state, nowMs);
  return { state: followed.state, effects: [...taken.effects, ...followed.effects] };
}

function take(state: State, event: Event, nowMs: number): Step {
  switch (event.kind) {
    case 'desired':
      if (state.desired !== undefined && event.desired.revision < state.desired.revision) return only(state);
      return only({ ...state, desired: event.desired });
    case 'adopted':
      return only({ ...state, phase: 'starting', spec: event.spec });
    case 'prepared': {
      if (state.phase !== 'preparing' || state.spec === undefined) return only(state);
      if (state.termination !== undefined || state.desired?.phase === 'stopped')
        return only({ ...state, phase: 'stopped' });
      const started: State = { ...state, phase: 'starting' };
      return { state: started, effects: [hook('pre_start'), { kind: 'start', spec: state.spec }] };
    }
    case 'failed': {
      const name = event.what === 'prepare' ? 'pre_start' : 'post_start';
      return { state: backOff(state, event.message, nowMs + event.retryInMs), effects: [hook(name, event.message)] };
    }
    case 'joined':
      return joined(state, nowMs);
    case 'exited':
      return exited(state, event, nowMs);
    case 'terminate':
      return only(state.termination ? state : { ...state, termination: terminationOf(event.graceMs, nowMs) });
    case 'decision':
      return decided(state, event.decision, nowMs);
    case 'use_answer':
      return useAnswered(state, event, nowMs);
    case 'called_off':
      return calledOff(state, event.message);
    case 'wiped':
      return wiped(state, event);
    case 'tick':
      return expire(state, nowMs);
  }
}

function terminationOf(graceMs: number, nowMs: number): Termination {
  const reserve = Math.min(stopReserveMs.most, Math.max(stopReserveMs.least, graceMs * stopShare));
  return { deadlineMs: nowMs + Math.max(0, graceMs - reserve) };
}

function joined(state: State, nowMs: number): Step {
  if (state.phase !== 'starting') return only(state);
  const running: State = { ...state, phase: 'running', runningSinceMs: nowMs, trouble: '' };
  const { grant } = state;
  if (grant === undefined || !grant.used || grant.verb !== 'restart')
    return { state: running, effects: [hook('post_start')] };
  return { state: without(running, 'grant'), effects: [hook('post_start'), complete(grant, 'it is back')] };
}

function exited(state: State, event: { message: string; retryInMs: number }, nowMs: number): Step {
  if (state.phase !== 'stopping') {
    const failed = { ...backOff(state, event.message, nowMs + event.retryInMs), restarts: state.restarts + 1 };
    return { state: failed, effects: [hook('post_stop', event.message)] };
  }
  const { grant } = state;
  const stopped: State = { ...state, phase: 'stopped' };
  if (grant === undefined || !grant.used) return { state: stopped, effects: [hook('post_stop')] };
  switch (grant.verb) {
    case 'restart':
      return { state: { ...stopped, phase: 'idle' }, effects: [hook('post_stop')] };
    case 'upgrade':
      return { state: { ...stopped, replaced: true }, effects: [hook('post_stop')] };
    default: {
      const done = { ...without(stopped, 'grant'), left: grant.verb === 'leave' };
      return { state: done, effects: [hook('post_stop'), complete(grant, 'it is stopped')] };
    }
  }
}

function decided(state: State, decision: DecisionWord, nowMs: number): Step {
  if (state.grant !== undefined) {
    const taken = decision.permitId === state.grant.permitId && decision.state === 'ended' && !state.grant.used;
    return only(taken ? askAgain(state) : state);
  }
  if (state.asking === undefined || decision.requestId !== state.asking.id) return only(state);
  if (decision.state === 'ended') return only(askAgain(state));
  if (decision.state === 'waiting') return only(state);
  if (nowMs >= decision.expiresAtMs) return only(askAgain(state));
  const { permitId, expiresAtMs } = decision;
  const grant: Grant = {
    permitId,
    verb: state.asking.verb,
    expiresAtMs,
    sinceMs: nowMs,
    used: false,
    approvedHolds: [],
  };
  return { state: { ...state, grant }, effects: [{ kind: 'use', permitId }] };
}

/** How old the evidence may be that a step is begun on. A pilot that was stopped just before the answer wakes later. */
const evidenceMostMs = 5_000;

/** The server has judged the evidence of the moment. An answer that comes too late is worth nothing. */
function useAnswered(state: State, answer: Extract<Event, { kind: 'use_answer' }>, nowMs: number): Step {
  const { grant } = state;
  if (grant === undefined || grant.used || grant.permitId !== answer.permitId) return only(state);
  const wanted = wish(state)?.verb === grant.verb;
  const late = nowMs >= Math.min(grant.expiresAtMs, grant.sinceMs + evidenceMostMs);
  if (!answer.ok || !wanted || late) return only(askAgain(state));
  const used: State = {
    ...without(state, 'asking'),
    grant: { ...grant, used: true, approvedHolds: answer.approvedHolds ?? [] },
  };
  // Its process runs on: the database itself forgets what it holds.
  if (grant.verb === 'wipe') return { state: used, effects: [{ kind: 'wipe' }] };
  if (isAlive(state)) return { state: { ...used, phase: 'stopping' }, effects: [{ kind: 'stop' }] };
  return exited({ ...used, phase: 'stopping' }, { message: '', retryInMs: 0 }, nowMs);
}

/** Its process has not been stopped, and whatever it is still to do is asked for anew, on what is true by then. */
function calledOff(state: State, message: string): Step {
  const { grant, phase } = state;
  if (phase !== 'stopping' || grant?.used !== true) return only(state);
  const { permitId } = grant;
  const runs: State = { ...without(state, 'grant'), phase: 'starting' };
  return { state: runs, effects: [{ kind: 'complete', permitId, ok: false, message }] };
}

/** Whether or not it went well, the permit is over: another try takes another one. */
function wiped(state: State, { ok, message }: { ok: boolean; message: string }): Step {
  const { grant } = state;
  if (grant?.used !== true || grant.verb !== 'wipe') return only(state);
  const { permitId } = grant;
  return { state: without(state, 'grant'), effects: [{ kind: 'complete', permitId, ok, message }] };
}

function expire(state: State, nowMs: number): Step {
  const { grant } = state;
  const late = grant !== undefined && !grant.used && nowMs >= grant.expiresAtMs;
  return only(late ? askAgain(state) : state);
}

/** Drops a grant that cannot be used and asks anew, with a new id and new evidence. */
function askAgain(state: State): State {
  return without(without(state, 'grant'), 'asking');
}

function follow(state: State, nowMs: number): Step {
  const { desired, termination, phase } = state;
  const down = phase === 'idle' || phase === 'stopped' || phase === 'backoff';
  if (termination !== undefined && down) return { state, effects: [{ kind: 'exit' }] };
  const isStopped = phase === 'stopping' && !maybeHandsOver(state);
  if (termination !== undefined && nowMs >= termination.deadlineMs && isAlive(state) && !isStopped) {
    const forced = without(without({ ...state, phase: 'stopping' as const }, 'grant'), 'asking');
    return { state: forced, effects: [{ kind: 'stop' }] };
  }
  if (state.left && phase === 'idle') return only({ ...state, phase: 'stopped' });
  if (desired?.phase === 'stopped' && (phase === 'idle' || phase === 'backoff'))
    return only({ ...state, phase: 'stopped' });
  const mayStart = down && desired !== undefined && desired.phase !== 'stopped' && !state.left && !state.replaced;
  if (mayStart && (phase !== 'backoff' || nowMs >= state.retryAtMs)) {
    const spec = specToStart(state, desired);
    return { state: { ...state, phase: 'preparing', spec }, effects: [{ kind: 'prepare', spec }] };
  }
  const steady = phase === 'running' && state.failures > 0 && nowMs >= state.runningSinceMs + steadyAfterMs;
  return only(withAsking(steady ? { ...state, failures: 0 } : state));
}

/** Whether it may still wait for the others before its process is told to stop, which may take longer than its grace period. */
function maybeHandsOver({ grant }: State): boolean {
  return grant?.used === true && (grant.verb === 'restart' || grant.verb === 'upgrade');
}

/**
 * A spec that is meant for another version waits for the distribution of that version, and one for another pod for that
 * pod, which may have other memory: until then the process starts with what it ran with last.
 */
function specToStart(state: State, desired: Desired): MemberSpec {
  const waits = (desired.spec.version !== state.home || isOfAnotherPod(state, desired)) && state.spec !== undefined;
  const spec = waits ? state.spec : desired.spec;
  return { ...spec, version: state.home, seeds: desired.spec.seeds, quorum: desired.spec.quorum };
}

/** Whether its pod is to be made of something else than the one that it was launched in. */
function isOfAnotherPod({ template }: State, desired: Desired): boolean {
  const wanted = desired.spec.template ?? '';
  return template !== '' && wanted !== '' && template !== wanted;
}

/** Asks for what is wished. A restart that never comes to its end, for one because nobody is left to join, is no reason not to. */
function withAsking(held: State): State {
  const wanted = wish(held);
  const { grant } = held;
  const overtaken =
    grant?.used === true && grant.verb === 'restart' && wanted !== undefined && wanted.verb !== 'restart';
  if (grant !== undefined && !overtaken) return held;
  const state = overtaken ? without(held, 'grant') : held;
  if (wanted === undefined) return state.asking === undefined ? state : without(state, 'asking');
  if (state.asking?.verb === wanted.verb) return state;
  const askings = state.askings + 1;
  return { ...state, askings, asking: { id: `${state.incarnation.slice(0, 8)}-${askings}`, ...wanted } };
}

/** What the pilot wants to do and may not do without a permit. */
export function wish(state: State): { verb: Verb; reason: string } | undefined {
  const { desired, phase } = state;
  const alive = phase === 'starting' || phase === 'running';
  if (
    alive &&
    desired?.spec.couchbase?.stale === true &&
    desired.phase !== 'stopped' &&
    state.termination === undefined
  ) {
    return { verb: 'wipe', reason: 'its node was taken out while it was away, and does not know it' };
  }
  if (desired?.phase === 'decommissioned' && !state.left && (alive || phase === 'backoff')) {
    return { verb: 'leave', reason: 'the cluster no longer wants this member' };
  }
  if (!alive) return undefined;
  if (state.termination !== undefined) return { verb: 'stop', reason: 'the pilot was sent SIGTERM' };
  if (desired?.phase === 'stopped') return { verb: 'stop', reason: 'the cluster is being stopped' };
  if (desired === undefined) return undefined;
  if (desired.spec.version !== state.home) return { verb: 'upgrade', reason: `to version ${desired.spec.version}` };
  if (isOfAnotherPod(state, desired)) return { verb: 'upgrade', reason: 'to run in another pod' };
  if (desired.spec.hash !== state.spec?.hash) return { verb: 'restart', reason: 'to follow its configuration' };
  // A pilot that was launched for the new version has taken up a database of the old one.
  if (state.spec.version !== state.home) return { verb: 'restart', reason: `to run version ${state.home}` };
  return undefined;
}

function backOff(state: State, trouble: string, retryAtMs: number): State {
  return { ...state, phase: 'backoff', failures: state.failures + 1, retryAtMs, trouble };
}

function hook(name: Hook, trouble = ''): Effect {
  return { kind: 'hook', hook: name, ok: trouble === '', message: trouble };
}

function complete(grant: Grant, message: string): Effect {
  return { kind: 'complete', permitId: grant.permitId, ok: true, message };
}

function only(state: State): Step {
  return { state, effects: [] };
}

function without(state: State, key: 'grant' | 'asking'): State {
  const { [key]: _dropped, ...rest } = state;
  return rest;
}
