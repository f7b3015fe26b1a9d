/**
 * Which members there must be, and what each of them is meant to be. Pure.
 * A member is never described by what happened to it, only by the spec and the ledger.
 */
import { digest } from '../../shared/ids.ts';
import { remembered } from '../../shared/remembered.ts';
import { memberName, type ClusterSpec, type NodePool } from '../model/cluster.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { MemberSpec } from '../model/plan.ts';
import { templateOf } from '../model/template.ts';
import { toldOf } from './founding.ts';
import { spareMembers } from './couchbase-swaps.ts';
import { quorumOf, votes } from './quorum.ts';

export interface WantedMember {
  readonly name: string;
  readonly pool: NodePool;
  readonly ordinal: number;
  /** It is there for as long as its pool is upgraded by swaps. */
  readonly spare?: boolean;
}

/** Every member that the spec asks for, pool by pool, by ordinal. */
export const wantedMembers = remembered((spec: ClusterSpec): readonly WantedMember[] =>
  spec.nodePools.flatMap((pool) =>
    Array.from({ length: pool.replicas }, (_, ordinal) => ({
      name: memberName(spec.id.name, pool.name, ordinal),
      pool,
      ordinal,
    })),
  ),
);

/** Every member that there is to be now: those that the spec asks for, and spares. */
export const neededMembers = remembered((ledger: Ledger): readonly WantedMember[] => [
  ...wantedMembers(ledger.spec),
  ...spareMembers(ledger),
]);

/** The members of the ledger that the spec no longer asks for, and that have not left yet. */
export const leavingMembers = remembered((ledger: Ledger): readonly MemberRecord[] => {
  const wanted = new Set(neededMembers(ledger).map((member) => member.name));
  return Object.values(ledger.members).filter((record) => !record.left && !wanted.has(record.name));
});

/** The record of a member that is new to the ledger. */
export function newRecord(spec: ClusterSpec, wanted: WantedMember, address: string): MemberRecord {
  return {
    name: wanted.name,
    pool: wanted.pool.name,
    ordinal: wanted.ordinal,
    roles: wanted.pool.roles,
    version: spec.version,
    template: templateOf(spec, wanted.pool),
    address,
    keepOnScaleDown: wanted.pool.persistence?.onScaleDown === 'Retain',
    keepOnDelete: wanted.pool.persistence?.onDelete === 'Retain',
    left: false,
    joinedOnce: false,
    ...(wanted.spare === true && { spare: true }),
  };
}

/** A record for what the runtime holds and the ledger does not know. The data of a pool that is unknown, too, is kept. */
export function strayRecord(spec: ClusterSpec, name: string): MemberRecord {
  const ordinal = Number(/\d+$/.exec(name)?.[0] ?? 0);
  const known = spec.nodePools.find((one) => memberName(spec.id.name, one.name, ordinal) === name);
  const persistence = { sizeBytes: 0, onDelete: 'Retain', onScaleDown: 'Retain' } as const;
  const pool = known ?? { name: '', replicas: 0, roles: [], config: {}, heapBytes: 0, persistence };
  return { ...newRecord(spec, { name, pool, ordinal }, ''), left: true };
}

/**
 * What a member is meant to run. The hash covers all that needs a restart to follow; the version is not in it,
 * because another version needs another permit; seeds and quorum are not, because they follow without a restart.
 * A member whose pool is gone from the spec keeps the cluster's settings: it only has to live until it has left.
 */
export function memberSpec(ledger: Ledger, record: MemberRecord): MemberSpec {
  return specsOf(ledger)(record);
}

const specsOf = remembered((ledger: Ledger) => remembered((record: MemberRecord) => specOf(ledger, record)));

function specOf(ledger: Ledger, record: MemberRecord): MemberSpec {
  const { spec } = ledger;
  const pool = spec.nodePools.find((candidate) => candidate.name === record.pool);
  const config = { ...spec.config, ...pool?.config };
  const heapBytes = pool?.heapBytes ?? spec.nodePools[0]?.heapBytes ?? 0;
  const voters = Object.values(ledger.members).filter((member) => !member.left && votes(member));
  return {
    hash: digest({ roles: record.roles, plugins: spec.plugins, config, heapBytes }),
    version: spec.version,
    roles: record.roles,
    plugins: spec.plugins,
    config,
    heapBytes,
    seeds: voters.map((member) => member.address).sort(),
    quorum: Math.max(spec.minimumMasters ?? 1, quorumOf(voters.length)),
    template: pool === undefined ? (record.template ?? '') : templateOf(spec, pool),
    ...(spec.couchbase && { couchbase: { ...toldOf(ledger, record), memoryQuotas: spec.couchbase.memoryQuotas } }),
  };
}
