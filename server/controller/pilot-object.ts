/** The Pilot object of a pod: what its member is meant to be and was last heard of. Pure. */
import type { Snapshot } from '../cluster-loop.ts';
import { kinds, labels, managedBy } from '../kubernetes/kinds.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import { serves, type MemberObservation } from '../model/observation.ts';
import { isLive } from '../model/permit.ts';
import { desiredOf } from '../reconcile/plan.ts';

const phases = { running: 'Running', stopped: 'Stopped', decommissioned: 'Decommissioned' } as const;
const holdsMax = 64;

/** The object without its status, as Navigator owns it. It goes with its pod. */
export function pilotObject(ledger: Ledger, record: MemberRecord, pod: KubeObject): KubeObject {
  const { name, namespace, uid = '' } = pod.metadata;
  const { apiVersion, kind } = kinds.pilot;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      labels: {
        [labels.application]: ledger.spec.application,
        [labels.managedBy]: managedBy,
        [labels.cluster]: ledger.spec.id.name,
        [labels.pool]: record.pool,
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid, controller: false, blockOwnerDeletion: false }],
    },
    spec: { desired: { phase: phases[desiredOf(ledger, record, 0).phase] } },
  };
}

export interface PilotStatus {
  readonly phase: string;
  readonly incarnation?: string;
  readonly lastHeartbeat?: string;
  readonly version?: string;
  readonly nodeId?: string;
  readonly documents?: number;
  readonly shards?: number;
  readonly permit?: { readonly id: string; readonly verb: string; readonly state: string };
  readonly holds: readonly { readonly name: string; readonly message: string }[];
  readonly conditions: readonly PilotCondition[];
}

interface PilotCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

/** What changes all the time, and is not worth a write by itself. */
export const restlessFields = ['lastHeartbeat', 'documents', 'shards'] as const;

/** The status of a member's pilot as it was last heard of. Unknown is absent, not zero. */
export function pilotStatus(
  snapshot: Snapshot,
  member: string,
  before: PilotStatus | undefined,
  now: string,
): PilotStatus {
  const { ledger } = snapshot.stored;
  const seen = snapshot.observed.members.get(member);
  const permit = ledger.permits.find((one) => one.member === member && isLive(one));
  const holds = snapshot.plan.holds.filter((hold) => hold.member === member);
  return {
    phase: phaseOf(seen),
    ...(seen && {
      incarnation: seen.incarnation,
      lastHeartbeat: new Date(seen.heardAtWall).toISOString(),
      version: seen.node?.version ?? seen.process.version,
    }),
    ...(seen?.node && { nodeId: seen.node.nodeId }),
    ...(seen?.node?.documents !== undefined && { documents: seen.node.documents }),
    ...(seen?.node?.shards !== undefined && { shards: seen.node.shards }),
    ...(permit && { permit: { id: permit.id, verb: permit.verb, state: permit.state } }),
    holds: holds.slice(0, holdsMax).map(({ name, message }) => ({ name, message: message.slice(0, 2_000) })),
    conditions: conditionsOf(seen, before, now),
  };
}

function phaseOf(seen: MemberObservation | undefined): string {
  if (seen === undefined) return 'Unheard';
  if (!seen.connected) return 'Disconnected';
  if (seen.process.phase === 'running' && seen.node?.joined !== true) return 'Joining';
  return seen.process.phase.charAt(0).toUpperCase() + seen.process.phase.slice(1);
}

function conditionsOf(
  seen: MemberObservation | undefined,
  before: PilotStatus | undefined,
  now: string,
): readonly PilotCondition[] {
  const known = seen?.connected === true && seen.process.phase !== 'unknown';
  const is = (fact: boolean): string => (known ? (fact ? 'True' : 'False') : 'Unknown');
  const phase = seen?.process.phase;
  const found = [
    ['Ready', is(serves(seen))],
    ['Started', is(phase === 'running')],
    ['Stopped', is(phase === 'stopped')],
  ] as const;
  return found.map(([type, status]) => {
    const was = before?.conditions.find((one) => one.type === type);
    const lastTransitionTime = was?.status === status ? was.lastTransitionTime : now;
    return { type, status, reason: phaseOf(seen), message: '', lastTransitionTime };
  });
}
