/** All that a pilot needs of a database. One folder an application implements it; nothing else speaks to a database. */
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { ClusterObservation, Evidence, Launch, MemberSpec, NodeObservation, Settings, Verb } from '../model.ts';

/**
 * Every method has a bound in time and rejects with a NavigatorError. None keeps state that a pilot's
 * death could lose: a new engine on the same place goes on where the old one was.
 */
export interface Engine {
  /** PreStart: writes the configuration and brings the plugins to the wanted set. Run only while the process is down. */
  prepare(spec: MemberSpec): Promise<void>;
  /** How the prepared process is started. */
  launch(spec: MemberSpec): Launch;
  /** Brings the running node to what can be followed without a restart. Absent: there is nothing of that kind. */
  settle?(spec: MemberSpec): Promise<void>;
  /** This node, as it sees itself now. Undefined where the database does not answer. */
  observeNode(): Promise<NodeObservation | undefined>;
  /** The whole cluster, for the leader. Undefined where it cannot be read, for one because no master is elected. */
  observeCluster(): Promise<ClusterObservation | undefined>;
  /** What this node holds, from one cluster state of the elected master. Undefined where that cannot be read. */
  readEvidence(): Promise<Evidence | undefined>;
  /**
   * Leader only: makes the settings true, keeps names that are not `owned`. Does nothing where they are true already.
   * `mayWrite` is asked right before every write, and nothing is written where it says no; absent: it always may.
   */
  applySettings(settings: Settings, mayWrite?: MayWrite): Promise<void>;
  /**
   * PreStop: flushes, or hands over to the others what they can take, so that a restart is quick. Absent `permit`: there is
   * none, and no choice. Best effort: a refusal of the database is not an error. Resolves with why the process must run on
   * after all, where what was permitted would harm the cluster by now; undefined: it may be stopped.
   */
  beforeStop(permit?: StopPermit): Promise<string | undefined>;
  /** Makes the running node as new: what it holds goes. Only by permit. Absent: there is no such step. */
  wipe?(): Promise<void>;
  /** The last lines of the database's log, at most `lines`; empty where there is none. */
  lastLog(lines: number): string;
}

/** Whether this pilot leads at this very moment: it may have been stopped for a while since it read. */
export type MayWrite = () => boolean;

/** Throws where it may not. */
export function refuseUnlessLeading(mayWrite: MayWrite | undefined): void {
  if (mayWrite?.() === false) throw new NavigatorError('conflict', 'this pilot no longer leads: it writes no more');
}

/** Why nothing may be stopped on what was true at `sinceMs`: the pilot itself was stopped meanwhile, or its host was. */
export function objectionToOld(clock: Clock, sinceMs: number, mostMs: number): string | undefined {
  const ageMs = clock.monotonicMs() - sinceMs;
  if (ageMs <= mostMs) return undefined;
  return `what it was permitted on is ${Math.round(ageMs / 1000)} s old; the pilot was held up`;
}

/** What a stop is permitted for. */
export interface StopPermit {
  readonly verb: Verb;
  /** The holds that a person has taken upon themselves. */
  readonly approvedHolds: readonly string[];
}

/** Where one member's database lives. */
export interface Place {
  readonly member: string;
  readonly cluster: string;
  /** Where its peers reach the database, and, without `bind`, what it binds. */
  readonly address: string;
  /** What the database binds where that is not `address`, such as 0.0.0.0 in a pod, whose address may change. */
  readonly bind?: string;
  /** The address that it tells its peers; absent: `address`. Only with `bind`. */
  readonly publish?: string;
  readonly httpPort: number;
  readonly transportPort: number;
  /** The unpacked distribution. Never written to. */
  readonly distribution: string;
  /** The member's own directory; the engine makes what it needs in it. Data is in `data/`. */
  readonly directory: string;
  /** The JDK that runs the database. */
  readonly javaHome: string;
  /** Absent: the pilot's own user. */
  readonly uid?: number;
}
