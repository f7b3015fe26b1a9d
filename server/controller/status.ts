/** What stands in the status of a cluster's object. Pure: times are taken over from what stood there where nothing changed. */
import type { Snapshot } from '../cluster-loop.ts';
import { labels } from '../kubernetes/kinds.ts';
import { clusterKey } from '../model/cluster.ts';
import type { Ledger } from '../model/ledger.ts';
import { serves } from '../model/observation.ts';
import { leavingMembers } from '../reconcile/topology.ts';
import { isUpdated, summaryOf, type Condition } from '../summary.ts';

export interface StatusInput {
  /** What stands in it now. */
  readonly before: ClusterStatus | undefined;
  /** The generation of the object that was taken up or refused last. */
  readonly generation: number;
  /** Undefined: nothing was ever taken up. */
  readonly ledger: Ledger | undefined;
  readonly snapshot: Snapshot | undefined;
  /** Why the object as it stands is not followed; the one that was taken up before is. */
  readonly refusal?: { readonly reason: string; readonly message: string };
  /** Something around the members could not be made as it should be. */
  readonly trouble: string;
  readonly nowText: string;
}

export interface StatusCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

interface InProgress {
  readonly member: string;
  readonly action: string;
  readonly hold: string;
  readonly message: string;
  readonly since: string;
}

interface PoolStatus {
  readonly name: string;
  readonly desired: number;
  readonly ready: number;
  readonly updated: number;
  readonly draining: number;
  readonly version: string;
}

export interface ClusterStatus {
  readonly observedGeneration: number;
  readonly replicas: number;
  readonly readyMembers: number;
  readonly desiredMembers: number;
  readonly selector: string;
  readonly health: string;
  readonly version?: string;
  /** What is in force, whatever stands in the object's spec: the rules about its version begin there. */
  readonly acceptedVersion?: string;
  readonly conditions: readonly StatusCondition[];
  readonly pools: readonly PoolStatus[];
  readonly leader?: { readonly member: string; readonly term: number };
  readonly inProgress: readonly InProgress[];
}

/** Of what is in progress, the schema takes so many. */
const inProgressMax = 256;
const messageMax = 2_000;

/** The status as it is to be. */
export function clusterStatus(input: StatusInput): ClusterStatus {
  const { ledger, snapshot, generation } = input;
  const summary = ledger && summaryOf(ledger, snapshot);
  const leadership = ledger?.leadership;
  const version = ledger && lowestVersion(ledger);
  return {
    observedGeneration: generation,
    replicas: ledger === undefined ? 0 : Object.values(ledger.members).filter(({ left }) => !left).length,
    readyMembers: summary?.ready ?? 0,
    desiredMembers: summary?.desired ?? 0,
    selector: ledger === undefined ? '' : `${labels.cluster}=${ledger.spec.id.name}`,
    health: snapshot?.observed.cluster?.health ?? 'unknown',
    ...(version !== undefined && { version }),
    ...(ledger !== undefined && { acceptedVersion: ledger.spec.version }),
    conditions: conditionsOf(input, summary?.conditions ?? unknownConditions),
    pools: ledger === undefined ? [] : poolsOf(ledger, snapshot),
    ...(leadership && leadership.leader !== '' && { leader: { member: leadership.leader, term: leadership.term } }),
    inProgress: inProgressOf(input),
  };
}

const unknownConditions: readonly Condition[] = (['Ready', 'Progressing', 'Degraded', 'Paused'] as const).map(
  (type) => ({ type, status: false, reason: 'NothingApplied', message: '' }),
);

function conditionsOf(input: StatusInput, found: readonly Condition[]): readonly StatusCondition[] {
  const { refusal, trouble, before, generation, nowText } = input;
  return found.map((condition): StatusCondition => {
    const told = judged(condition, refusal, trouble);
    const status = told.status ? 'True' : 'False';
    const was = before?.conditions.find(({ type }) => type === condition.type);
    const lastTransitionTime = was?.status === status ? was.lastTransitionTime : nowText;
    const { type, reason, message } = told;
    return {
      type,
      status,
      reason,
      message: message.slice(0, messageMax),
      observedGeneration: generation,
      lastTransitionTime,
    };
  });
}

/** What a person wants and is not followed is not ready, however well the databases run on what was wanted before. */
function judged(condition: Condition, refusal: StatusInput['refusal'], trouble: string): Condition {
  const { type } = condition;
  if (refusal !== undefined && (type === 'Ready' || type === 'Degraded'))
    return { type, status: type === 'Degraded', ...refusal };
  if (trouble !== '' && type === 'Degraded' && !condition.status)
    return { type, status: true, reason: 'ObjectsNotAsWanted', message: trouble };
  return condition;
}

function poolsOf(ledger: Ledger, snapshot: Snapshot | undefined): readonly PoolStatus[] {
  const { spec } = ledger;
  const records = Object.values(ledger.members);
  const leaving = new Set(leavingMembers(ledger).map(({ name }) => name));
  const names = [...new Set([...spec.nodePools.map(({ name }) => name), ...records.map(({ pool }) => pool)])];
  return names.map((name) => {
    const mine = records.filter(({ pool }) => pool === name);
    const desired = spec.nodePools.find((pool) => pool.name === name)?.replicas ?? 0;
    const updated = mine.filter((record) => isUpdated(ledger, record, snapshot));
    return {
      name,
      desired: ledger.deleting ? 0 : desired,
      ready: mine.filter((record) => serves(snapshot?.observed.members.get(record.name))).length,
      updated: updated.length,
      draining: mine.filter((record) => record.left || leaving.has(record.name)).length,
      version: lowest(mine.map(({ version }) => version)) ?? spec.version,
    };
  });
}

function inProgressOf({ before, ledger, snapshot, nowText }: StatusInput): readonly InProgress[] {
  const { doing = [], holds = [] } = snapshot?.plan ?? {};
  const actions = new Map(doing.map(({ member, message }) => [member, message]));
  const held = holds.map(({ member, name, message }) => ({
    member,
    action: actions.get(member) ?? '',
    hold: name,
    message,
  }));
  const holding = new Set(held.map(({ member }) => member));
  const free = doing
    .filter(({ member }) => !holding.has(member))
    .map(({ member, message }) => ({ member, action: message, hold: '', message: '' }));
  const since = new Map(before?.inProgress.map((one) => [`${one.member} ${one.hold}`, one.since]));
  const cluster = ledger === undefined ? '' : clusterKey(ledger.spec.id);
  return [...held, ...free]
    .filter(({ action, hold }) => cluster !== '' && (action !== '' || hold !== ''))
    .toSorted((a, b) => Number(b.action !== '') - Number(a.action !== ''))
    .slice(0, inProgressMax)
    .map((one) => ({
      ...one,
      message: one.message.slice(0, messageMax),
      since: since.get(`${one.member} ${one.hold}`) ?? nowText,
    }));
}

/** The lowest version that a member may run. */
function lowestVersion(ledger: Ledger): string | undefined {
  return lowest(Object.values(ledger.members).map(({ version }) => version)) ?? ledger.spec.version;
}

function lowest(versions: readonly string[]): string | undefined {
  return versions.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))[0];
}
