/** Where members run: child processes on this machine, or pods. It knows nothing of databases. */
import type { ClusterSpec } from '../model/cluster.ts';
import type { MemberRecord } from '../model/ledger.ts';
import type { RuntimeMember } from '../model/observation.ts';

export interface Runtime {
  /** Brings what it takes to run this version. Rejects where that cannot be had: then nothing must change. */
  prepare(cluster: ClusterSpec): Promise<void>;
  /** The members that it holds for a cluster, in whatever state. */
  observe(cluster: ClusterSpec): Promise<readonly RuntimeMember[]>;
  /** The lasting address of each of these members: the same answer every time. */
  addresses(cluster: ClusterSpec, members: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Makes a member's pilot run, for the version of its record. Where it runs already, nothing happens. */
  create(cluster: ClusterSpec, record: MemberRecord): Promise<void>;
  /**
   * Ends a pilot whose database is stopped and launches it again for the version of its record. Where it runs for that
   * version already, nothing happens: it may have been replaced since that was decided, and its database be up again.
   */
  replace(cluster: ClusterSpec, record: MemberRecord): Promise<void>;
  /** Ends a pilot whose database is stopped, and forgets the member. `keepData` keeps its data directory. */
  remove(cluster: ClusterSpec, record: MemberRecord, keepData: boolean): Promise<void>;
  /** Calls back with a cluster's key whenever a pilot of it has come or gone. */
  onChange(callback: (cluster: string) => void): void;
  /** Lets go of everything without stopping any pilot. */
  close(): Promise<void>;
}
