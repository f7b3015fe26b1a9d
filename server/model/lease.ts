/** Who of several servers is the active one, as it is written where all of them see it. */

/** A lease as its holder writes it. */
export interface Lease {
  /** The life of the server that holds it; empty: given up. */
  readonly holder: string;
  /** Grows by one each time that another holder takes it. */
  readonly term: number;
  /** How long its holder may go on after it has sent a renewal. */
  readonly ttlMs: number;
}

/** A lease as it was read. */
export interface LeaseRecord extends Lease {
  /** Another one after every write; its order means nothing. */
  readonly version: string;
}
