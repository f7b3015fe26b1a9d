/**
 * How members of a Couchbase cluster come to another version. Pure.
 * By a swap, the default: a spare member of the new version is added, one rebalance takes it in and an old member out, the old
 * one comes back empty in the new version and is the next to take over, and the last rebalance takes the spare out. At no moment
 * does a node less serve. In place: a member goes away for a moment, and comes back with its data.
 */
import semver from 'semver';
import { memberName, type ClusterSpec, type NodePool } from '../model/cluster.ts';
import type { Topology } from '../model/couchbase.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import type { WantedMember } from './topology.ts';

/**
 * Whether this member comes to the wanted version by a swap. On the way back it always does: a node cannot read what a later
 * version has written, so it begins empty.
 */
export function isSwapped({ spec }: Pick<Ledger, 'spec'>, record: MemberRecord): boolean {
  if (spec.couchbase === undefined || record.version === spec.version || !record.joinedOnce) return false;
  return spec.couchbase.upgrade === 'swap' || isBefore(spec.version, record.version);
}

/** Members of a pool that are still to be swapped. */
function behind(ledger: Ledger, pool: NodePool): readonly MemberRecord[] {
  const { name } = ledger.spec.id;
  const asked = new Set(Array.from({ length: pool.replicas }, (_, ordinal) => memberName(name, pool.name, ordinal)));
  return Object.values(ledger.members).filter((record) => {
    return asked.has(record.name) && !record.left && isSwapped(ledger, record);
  });
}

/**
 * The spares that there must be now: as many as may be away at once, for as long as anybody of the pool is behind. Names that
 * are in use are not given again.
 */
export function spareMembers(ledger: Ledger): readonly WantedMember[] {
  if (ledger.spec.couchbase === undefined) return [];
  return ledger.spec.nodePools.flatMap((pool) => sparesOf(ledger, pool));
}

function sparesOf(ledger: Ledger, pool: NodePool): readonly WantedMember[] {
  const { spec, members } = ledger;
  const waiting = behind(ledger, pool).length;
  if (waiting === 0) return [];
  const there = Object.values(members).filter((record) => {
    const isSpare = record.spare === true && record.ordinal >= pool.replicas;
    return record.pool === pool.name && isSpare && !record.left && record.version === spec.version;
  });
  const ordinals = there.map(({ ordinal }) => ordinal);
  const count = Math.max(there.length, Math.min(spec.maxUnavailable, waiting));
  for (let next = pool.replicas; ordinals.length < count; next++)
    if (members[memberName(spec.id.name, pool.name, next)] === undefined) ordinals.push(next);
  return ordinals.map((ordinal) => ({
    name: memberName(spec.id.name, pool.name, ordinal),
    pool,
    ordinal,
    spare: true,
  }));
}

/**
 * How many members of a pool may be taken out: as many as there are beyond those that the manifest asks for, with those that
 * are added and come in by the same rebalance. It is counted, not remembered: a rebalance that failed half-way has taken the one in
 * and not the other out.
 */
export function surplus(ledger: Ledger, topology: Topology, pool: string): number {
  const { spec, members } = ledger;
  const asked = spec.nodePools.find(({ name }) => name === pool)?.replicas ?? 0;
  const needed = new Set(spareMembers(ledger).map(({ name }) => name));
  const staying = Object.values(members).filter((record) => {
    const node = topology.nodes.find(({ host }) => host === record.address);
    const isThere = node?.healthy === true && node.standing !== 'failed';
    const isAsked = record.ordinal < asked || needed.has(record.name);
    return record.pool === pool && !record.left && isAsked && isThere;
  });
  return Math.max(0, staying.length - asked);
}

/** Members of the cluster that are behind while others wait to take over from them. */
export function aboutToSwap(ledger: Ledger, topology: Topology): readonly MemberRecord[] {
  return ledger.spec.nodePools.flatMap((pool) => {
    if (surplus(ledger, topology, pool.name) === 0) return [];
    return behind(ledger, pool).filter(({ address }) => {
      return topology.nodes.some(({ host, standing }) => host === address && standing === 'active');
    });
  });
}

/**
 * Why a cluster cannot go to the version of `spec` now; undefined: it can. One version at a time; and back only as far as the
 * cluster still works as the older one would: once all are of a later minor, the database takes no older node any more.
 */
export function versionObjection(
  ledger: Ledger,
  spec: ClusterSpec,
  observed: Observation | undefined,
): string | undefined {
  const { version } = spec;
  if (ledger.spec.couchbase === undefined || version === ledger.spec.version) return undefined;
  const members = Object.values(ledger.members).filter(({ left, joinedOnce }) => !left && joinedOnce);
  const versions = [...new Set(members.map((record) => record.version))].toSorted();
  if (versions.length === 0) return undefined;
  if (versions.length > 1 && !versions.includes(version)) {
    const words = versions.join(' and ');
    return `its members run ${words} now: a third version waits until all of them run one`;
  }
  if (!isBefore(version, ledger.spec.version)) return undefined;
  const lowest = observed?.cluster?.topology?.compatibility ?? '';
  if (lowest === '')
    return `whether it could go back to ${version} is not known now: nobody has read its compatibility`;
  if (!isBefore(version, `${lowest}.0`)) return undefined;
  return `it works as ${lowest} already, and takes no node of ${version} any more: all its nodes have been of a later version`;
}

function isBefore(one: string, other: string): boolean {
  return semver.valid(one) !== null && semver.valid(other) !== null && semver.lt(one, other);
}
