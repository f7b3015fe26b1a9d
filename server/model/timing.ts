/** The lengths of time that the decisions know, in ms. */

export interface Timing {
  readonly heartbeatMs: number;
  /** How long a lease of leadership lasts. */
  readonly leaseMs: number;
  /** How long a granted permit may wait to be used. */
  readonly permitTtlMs: number;
  /** How long a used permit may keep the allocation restricted. */
  readonly undoAfterMs: number;
}

export const defaultTiming: Timing = { heartbeatMs: 1_000, leaseMs: 6_000, permitTtlMs: 30_000, undoAfterMs: 600_000 };

/** What the clock says at the moment of a decision. */
export interface Now {
  readonly monotonicMs: number;
  /** For people only. */
  readonly wallMs: number;
}
