/** Words that pilots and people both use, model → wire, and the codes of refusals. */
import { status } from '@grpc/grpc-js';
import type * as common from '../../proto/navigator/v1/types.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import type { Hold } from '../model/hold.ts';
import type { Health } from '../model/observation.ts';
import type { Allocation, Evidence, Permit, PermitState, Verb } from '../model/permit.ts';

export function allocationToWire(allocation: Allocation): common.Allocation {
  return `ALLOCATION_${upper(allocation)}`;
}

export function permitStateToWire(state: PermitState): common.PermitState {
  return `PERMIT_STATE_${upper(state)}`;
}

export function verbToWire(verb: Verb): common.Verb {
  return `VERB_${upper(verb)}`;
}

export function healthToWire(health: Health): common.Health {
  return health === 'unknown' ? 'HEALTH_UNSPECIFIED' : `HEALTH_${upper(health)}`;
}

export function holdToWire(hold: Hold): common.Hold {
  return { name: hold.name, member: hold.member, message: hold.message };
}

export function permitToWire(permit: Permit, holds: readonly Hold[]): common.Permit {
  return {
    id: permit.id,
    member: permit.member,
    verb: verbToWire(permit.verb),
    incarnation: permit.incarnation,
    state: permitStateToWire(permit.state),
    requestedAt: new Date(permit.requestedAt),
    changedAt: new Date(permit.changedAt),
    holds: holds.map(holdToWire),
    decidedBy: permit.decidedBy || (permit.approvedBy ? `approved by ${permit.approvedBy}` : ''),
    reason: [permit.reason, permit.decision].filter((words) => words !== '').join('; '),
    undo: permit.undo,
    evidence: evidenceToWire(permit.evidence),
  };
}

function evidenceToWire(evidence: Evidence): common.Evidence {
  const count = (value: number | undefined): bigint | undefined => (value === undefined ? undefined : BigInt(value));
  return {
    incarnation: evidence.incarnation,
    nodeId: evidence.nodeId,
    processId: evidence.processId,
    stateVersion: BigInt(evidence.stateVersion),
    shards: count(evidence.shards),
    lastCopies: count(evidence.lastCopies),
    unassignedPrimaries: count(evidence.unassignedPrimaries),
    unassigned: count(evidence.unassigned),
    moving: count(evidence.moving),
    excluded: evidence.excluded,
    allocation: evidence.allocation ? allocationToWire(evidence.allocation) : 'ALLOCATION_UNSPECIFIED',
    liveVoters: evidence.liveVoters,
    quorum: evidence.quorum,
    ...(evidence.standing && { standing: `STANDING_${upper(evidence.standing)}` as const }),
  };
}

function upper<T extends string>(word: T): Uppercase<T> {
  return word.toUpperCase() as Uppercase<T>;
}

/** The one place where refusals become gRPC codes. */
export function statusOf(code: ErrorCode): status {
  switch (code) {
    case 'invalid':
      return status.INVALID_ARGUMENT;
    case 'not_found':
      return status.NOT_FOUND;
    case 'already_exists':
      return status.ALREADY_EXISTS;
    case 'conflict':
      return status.ABORTED;
    case 'refused':
      return status.FAILED_PRECONDITION;
    case 'unauthenticated':
      return status.UNAUTHENTICATED;
    case 'forbidden':
      return status.PERMISSION_DENIED;
    case 'unavailable':
      return status.UNAVAILABLE;
    case 'timeout':
      return status.DEADLINE_EXCEEDED;
    case 'exhausted':
      return status.RESOURCE_EXHAUSTED;
    case 'unsupported':
      return status.UNIMPLEMENTED;
    case 'missing_tool':
      return status.FAILED_PRECONDITION;
    case 'internal':
      return status.INTERNAL;
  }
}
