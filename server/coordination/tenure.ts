/**
 * Which of several servers is the active one. Pure: what a server has seen and done, and what it may do next.
 *
 * Two never hold the lease at once. Its holder holds until the send time of its last renewal that succeeded plus the TTL, by
 * its own monotonic clock, and no longer. A challenger takes over only after it has watched the very same record for that
 * TTL, by its own clock from when it received it, and only where the record is still that one. Its watch began after the
 * renewal was written, hence after it was sent; so it ends after the holder has stopped. Clocks may run at different
 * speeds, up to `driftMax` from the true one. What is lost, late or done twice changes nothing: a write that lands late
 * only makes others wait longer, since it counts for nobody. Terms grow by one with each new holder.
 */
import type { Lease, LeaseRecord } from '../model/lease.ts';

export interface TenureTiming {
  /** How long a renewal lasts. */
  readonly ttlMs: number;
  /** How long after one look or renewal the next one is due. */
  readonly renewEveryMs: number;
  /** How far the speed of any server's clock may be from the true one, as a fraction. */
  readonly driftMax: number;
}

/** Two of three renewals may fail, and the third still comes in time. */
export const defaultTenureTiming: TenureTiming = { ttlMs: 15_000, renewEveryMs: 3_000, driftMax: 0.01 };

/**
 * Stands as the holder of a record that was made where none was. It holds nothing, and is watched like any other: who was
 * there before it is not known, and that there is *no* record could not be watched, since all of them look alike.
 */
export const unclaimed = 'nobody';

/** What one server knows. */
export interface Tenure {
  /** This life of this server; no other one ever has the same. */
  readonly me: string;
  /** What was read or written last. */
  readonly seen?: Seen;
  /** A write has failed or was too late: what was seen may be no more. */
  readonly mustLook: boolean;
  /** The term that it holds, or held last; 0: none yet. */
  readonly term: number;
  /** The highest term that it has seen. */
  readonly highestTerm: number;
  /** Monotonic ms until which it holds the lease, if nothing ends it before. */
  readonly heldUntilMs: number;
  /** Set once it wants the lease no more. */
  readonly leaving: boolean;
}

interface Seen {
  /** Undefined: there is none. */
  readonly record: LeaseRecord | undefined;
  /** Monotonic ms at which this very record was received for the first time. */
  readonly sinceMs: number;
  /** Monotonic ms of the last look or write. */
  readonly lookedAtMs: number;
}

/** What to do next. One thing is done at a time. */
export type TenureStep =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly lease: Lease; readonly version: string | undefined }
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** It has left, and nothing is to be done any more. */
  | { readonly kind: 'end' };

/** A server that has just started. */
export function beginTenure(me: string): Tenure {
  return { me, term: 0, highestTerm: 0, mustLook: true, heldUntilMs: -Infinity, leaving: false };
}

/** The term in which the server holds the lease at this moment; undefined: it does not. */
export function heldTerm(tenure: Tenure, nowMs: number): number | undefined {
  return !tenure.leaving && nowMs < tenure.heldUntilMs ? tenure.term : undefined;
}

/** The server wants the lease no more, and holds it no more from now on. The next step gives it away. */
export function leave(tenure: Tenure): Tenure {
  return { ...tenure, leaving: true };
}

/** What to do at `nowMs`. */
export function nextStep(tenure: Tenure, nowMs: number, timing: TenureTiming): TenureStep {
  const { seen, me } = tenure;
  if (seen === undefined || tenure.mustLook) return { kind: 'read' };
  const { record } = seen;
  if (record?.holder === me) return nextOfHolder(tenure, { record, seen }, nowMs, timing);
  if (tenure.leaving) return { kind: 'end' };
  if (record === undefined) {
    const lease = { holder: unclaimed, term: tenure.highestTerm, ttlMs: timing.ttlMs };
    return { kind: 'write', lease, version: undefined };
  }
  const freeAtMs = record.holder === '' ? seen.sinceMs : seen.sinceMs + watchMs(record, timing);
  const lookAtMs = seen.lookedAtMs + timing.renewEveryMs;
  if (nowMs >= freeAtMs) {
    const term = tenure.highestTerm + 1;
    return { kind: 'write', lease: { holder: me, term, ttlMs: timing.ttlMs }, version: record.version };
  }
  return nowMs >= lookAtMs ? { kind: 'read' } : { kind: 'wait', untilMs: Math.min(freeAtMs, lookAtMs) };
}

function nextOfHolder(
  tenure: Tenure,
  { record, seen }: { readonly record: LeaseRecord; readonly seen: Seen },
  nowMs: number,
  timing: TenureTiming,
): TenureStep {
  const { term, version } = record;
  if (tenure.leaving) return { kind: 'write', lease: { holder: '', term, ttlMs: record.ttlMs }, version };
  // A record of ours whose answer was lost, or that has run out, is in nobody's way: written again, it counts.
  const dueAtMs = heldTerm(tenure, nowMs) === term ? seen.lookedAtMs + timing.renewEveryMs : nowMs;
  if (nowMs < dueAtMs) return { kind: 'wait', untilMs: dueAtMs };
  return { kind: 'write', lease: { holder: tenure.me, term, ttlMs: timing.ttlMs }, version };
}

/** After a look that resolved at `nowMs`. */
export function wasRead(tenure: Tenure, record: LeaseRecord | undefined, nowMs: number): Tenure {
  const isSame = tenure.seen !== undefined && tenure.seen.record?.version === record?.version;
  const sinceMs = isSame ? tenure.seen.sinceMs : nowMs;
  const isMine = record?.holder === tenure.me && record.term === tenure.term;
  return {
    ...tenure,
    seen: { record, sinceMs, lookedAtMs: nowMs },
    mustLook: false,
    highestTerm: Math.max(tenure.highestTerm, record?.term ?? 0),
    // Nobody else may have written it yet, but a person can. To stop at once is always right.
    heldUntilMs: isMine ? tenure.heldUntilMs : -Infinity,
  };
}

/** After a write that was sent at `sentAtMs` and resolved at `nowMs`. */
export function wasWritten(
  tenure: Tenure,
  record: LeaseRecord | 'conflict',
  { sentAtMs, nowMs }: { readonly sentAtMs: number; readonly nowMs: number },
): Tenure {
  // An earlier write of ours may have landed late; what is held stays held until its time.
  if (record === 'conflict') return { ...tenure, mustLook: true };
  const holds = record.holder === tenure.me && !tenure.leaving;
  return {
    ...tenure,
    seen: { record, sinceMs: nowMs, lookedAtMs: nowMs },
    term: holds ? record.term : tenure.term,
    highestTerm: Math.max(tenure.highestTerm, record.term),
    heldUntilMs: holds ? sentAtMs + record.ttlMs : -Infinity,
  };
}

/** After a look or a write that failed: it may have been done. What is held stays held until its time. */
export function hasFailed(tenure: Tenure, step: 'read' | 'write'): Tenure {
  return step === 'read' ? tenure : { ...tenure, mustLook: true };
}

/** How long a record has to be watched, so that the slowest holder has stopped before the fastest challenger begins. */
function watchMs(record: LeaseRecord, timing: TenureTiming): number {
  const ttlMs = Math.max(record.ttlMs, timing.ttlMs);
  return (ttlMs * (1 + timing.driftMax)) / (1 - timing.driftMax);
}
