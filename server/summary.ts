/** How a cluster is, in the few numbers and conditions that people and their tools look at. Pure. */
import type { Snapshot } from './cluster-loop.ts';
import { isPaused, type Ledger, type MemberRecord } from './model/ledger.ts';
import { serves } from './model/observation.ts';
import { memberSpec, wantedMembers } from './reconcile/topology.ts';

/** One condition; its status is known, since whatever is not known to be so is not so. */
export interface Condition {
  readonly type: 'Ready' | 'Progressing' | 'Degraded' | 'Paused';
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface Summary {
  /** How many members there are to be. */
  readonly desired: number;
  /** How many are known to serve. */
  readonly ready: number;
  readonly conditions: readonly Condition[];
}

/** Whether a member runs with what is wanted of it now: version, pod and settings. */
export function isUpdated(ledger: Ledger, record: MemberRecord, snapshot: Snapshot | undefined): boolean {
  const wanted = memberSpec(ledger, record);
  const seen = snapshot?.observed.members.get(record.name);
  const template = snapshot?.observed.runtime.get(record.name)?.template;
  if (template !== undefined && template !== wanted.template) return false;
  return record.version === wanted.version && seen?.process.specHash === wanted.hash;
}

/** Ready means: all that is desired is there, green, and of the desired version. Before the first pass nothing is known. */
export function summaryOf(ledger: Ledger, snapshot: Snapshot | undefined): Summary {
  const desired = ledger.deleting ? 0 : wantedMembers(ledger.spec).length;
  const records = Object.values(ledger.members);
  const ready = records.filter(
    ({ name, cast }) => cast === undefined && serves(snapshot?.observed.members.get(name)),
  ).length;
  const health = snapshot?.observed.cluster?.health ?? 'unknown';
  const busy = (snapshot?.plan.doing.length ?? 1) > 0;
  const isSeen = snapshot?.stored.ledger.generation === ledger.generation;
  const isWhole = ready === desired && records.length === desired;
  const complete = isSeen && isWhole && records.every((record) => isUpdated(ledger, record, snapshot));
  const isReady = complete && health === 'green' && !busy && snapshot.plan.settled;
  const paused = isPaused(ledger);
  const counts = `${ready} of ${desired} members are ready, health is ${health}`;
  const first = snapshot?.plan.holds[0]?.message ?? '';
  const isRed = health === 'red';
  return {
    desired,
    ready,
    conditions: [
      { type: 'Ready', status: isReady, reason: isReady ? 'AllMembersReady' : 'NotReady', message: counts },
      { type: 'Progressing', status: busy, reason: busy ? 'Working' : 'Steady', message: first },
      { type: 'Degraded', status: isRed, reason: isRed ? 'HealthIsRed' : 'AsExpected', message: '' },
      { type: 'Paused', status: paused, reason: paused ? 'ClusterPaused' : 'NotPaused', message: '' },
    ],
  };
}
