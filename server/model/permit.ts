/** A permit: the server's word that one member may take one step that takes something away. */

import type { Standing } from './couchbase.ts';

export type Verb = 'start' | 'restart' | 'stop' | 'leave' | 'failover' | 'rebalance' | 'upgrade' | 'wipe';

export type PermitState = 'queued' | 'granted' | 'used' | 'completed' | 'expired' | 'denied' | 'revoked' | 'withdrawn';

export type Allocation = 'all' | 'primaries' | 'new_primaries' | 'none';

/** What one member holds, read from one state of the database. An absent field is unknown, never zero. */
export interface Evidence {
  /** The life of the pilot that read it. */
  readonly incarnation: string;
  /** The database's lasting id of the node; empty: unknown. */
  readonly nodeId: string;
  /** The database's id of this process life; empty: unknown. */
  readonly processId: string;
  /** The version of the cluster state that all of this was read from. */
  readonly stateVersion: number;
  readonly shards?: number;
  readonly lastCopies?: number;
  readonly unassignedPrimaries?: number;
  /** Copies, primaries or not, that are on no node. */
  readonly unassigned?: number;
  /** Copies that are being made or moved, anywhere in the cluster. */
  readonly moving?: number;
  /** Whether the setting that drains this node was in force. */
  readonly excluded?: boolean;
  readonly allocation?: Allocation;
  readonly liveVoters?: number;
  /** How many voters the database asks for. */
  readonly quorum?: number;
  /** Of Couchbase only: where the node stands by its own word. */
  readonly standing?: Standing;
}

/** The request id of permits that no pilot asks for: the server has entered them itself, and only a person lets them pass. */
export const askedByServer = 'server';

/** A permit in the ledger. Queued ones are asked for; granted and used ones count in the budget. */
export interface Permit {
  readonly id: string;
  /** The pilot's own id of its asking. */
  readonly requestId: string;
  readonly member: string;
  readonly verb: Verb;
  readonly incarnation: string;
  readonly state: PermitState;
  readonly evidence: Evidence;
  /** Which of its pilot's askings brought the evidence. */
  readonly sequence: number;
  /** Why the pilot asked, for people. */
  readonly reason: string;
  /** Wall clock, ms since the epoch: for people only. */
  readonly requestedAt: number;
  readonly changedAt: number;
  /** How long a grant lasts from the sending of its request, in ms. */
  readonly ttlMs: number;
  /** A person who let it pass the holds that a person may take upon themselves. */
  readonly approvedBy?: string;
  /** The holds that were shown to that person, and that a person may take upon themselves. */
  readonly approvedHolds?: readonly string[];
  /** Who decided, and why: `server`, or a person. */
  readonly decidedBy: string;
  readonly decision: string;
  /** What its end undoes, in words; empty: nothing. */
  readonly undo: string;
}

/** Whether a permit still takes its part of the budget. */
export function isOpen(permit: Permit): boolean {
  return permit.state === 'granted' || permit.state === 'used';
}

/** Whether a permit is still of interest to its member. */
export function isLive(permit: Permit): boolean {
  return isOpen(permit) || permit.state === 'queued';
}
