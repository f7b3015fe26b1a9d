/** Arbitrary ledgers and observations: everything that the types allow, whether or not it can come about. */
import fc from 'fast-check';
import { memberName } from '../../server/model/cluster.ts';
import { holdNames } from '../../server/model/hold.ts';
import type { Ledger, MemberRecord } from '../../server/model/ledger.ts';
import type { ClusterObservation, MemberObservation, Observation } from '../../server/model/observation.ts';
import type { Evidence, Permit } from '../../server/model/permit.ts';
import {
  clusterSeen,
  clusterSpec,
  evidence,
  ledgerOf,
  lifeOf,
  permit,
  pool,
  process,
  record,
  request,
} from './model.ts';

/** The moment of every arbitrary plan, in monotonic ms. */
export const arbitraryNowMs = 100_000;

const pools = { m: ['master'], d: ['data'], b: ['master', 'data'] } as const;
const names = Object.keys(pools).flatMap((name) => [0, 1, 2].map((ordinal) => memberName('demo', name, ordinal)));
const versions = fc.constantFrom('6.8.22', '6.8.23');
const verbs = fc.constantFrom(
  'start',
  'restart',
  'stop',
  'leave',
  'failover',
  'rebalance',
  'upgrade',
  'wipe',
) as fc.Arbitrary<Permit['verb']>;
const few = fc.integer({ min: 0, max: 3 });
const moment = fc.integer({ min: 0, max: arbitraryNowMs });
const allocations = fc.constantFrom('all', 'primaries', 'new_primaries', 'none') as fc.Arbitrary<
  NonNullable<Evidence['allocation']>
>;

function life(member: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant(lifeOf(member)) },
    { weight: 1, arbitrary: fc.constant('another-life') },
  );
}

/** Mostly yes. */
const likely = fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) });
const rarely = likely.map((one) => !one);

export function anyEvidence(member: string): fc.Arbitrary<Evidence> {
  const known = fc.record(
    {
      shards: few,
      lastCopies: few,
      unassignedPrimaries: few,
      unassigned: few,
      moving: few,
      excluded: fc.boolean(),
      allocation: allocations,
      liveVoters: fc.integer({ min: 0, max: 6 }),
      quorum: fc.integer({ min: 0, max: 4 }),
    },
    { requiredKeys: [] },
  );
  const free = fc.record({ liveVoters: fc.constantFrom(3, 6), excluded: fc.boolean(), allocation: allocations });
  return fc.tuple(life(member), fc.oneof(known, free)).map(([incarnation, rest]) => {
    const { nodeId, processId, stateVersion } = evidence(member);
    const whole =
      'shards' in rest ? { incarnation, nodeId, processId, stateVersion } : evidence(member, { incarnation });
    return { ...whole, ...rest };
  });
}

function anyRecord(poolName: keyof typeof pools, ordinal: number): fc.Arbitrary<MemberRecord> {
  const changes = fc.record({ left: rarely, joinedOnce: likely, version: versions, keepOnScaleDown: fc.boolean() });
  return changes.map((change) => record(ordinal, { ...change, pool: poolName, roles: pools[poolName] }));
}

function anyPermit(): fc.Arbitrary<Permit> {
  const states = fc.constantFrom(
    'queued',
    'granted',
    'used',
    'completed',
    'expired',
    'denied',
    'revoked',
    'withdrawn',
  ) as fc.Arbitrary<Permit['state']>;
  return fc.constantFrom(...names, 'demo-gone-0').chain((member) =>
    fc
      .tuple(verbs, states, few, life(member), anyEvidence(member), fc.tuple(rarely, fc.subarray([...holdNames])))
      .map(([verb, state, ask, incarnation, proof, [approved, approvedHolds]]) => {
        const requestId = `ask-${ask}`;
        const id = `${verb}-${member}-${requestId}`;
        return permit(member, verb, {
          id,
          requestId,
          state,
          incarnation,
          evidence: proof,
          ...(approved && { approvedBy: 'ada', approvedHolds }),
        });
      }),
  );
}

export function anyLedger(): fc.Arbitrary<Ledger> {
  const sizes = fc.record({ m: few, d: few, b: few });
  const members = fc.tuple(
    ...(Object.keys(pools) as (keyof typeof pools)[]).flatMap((name) =>
      [0, 1, 2].map((ordinal) => fc.option(anyRecord(name, ordinal), { nil: undefined, freq: 4 })),
    ),
  );
  // While nobody leads, the life of the last leader may stand there, of whatever member.
  const leader = fc
    .constantFrom('', ...names)
    .chain((name) =>
      fc.tuple(fc.constant(name), name === '' ? fc.constantFrom('', ...names.map(lifeOf)) : life(name), few),
    );
  const spec = fc.record({ version: versions, paused: rarely, maxUnavailable: fc.integer({ min: 1, max: 3 }) });
  const flags = fc.record({ paused: rarely, deleting: rarely, stop: rarely });
  const permits = fc.uniqueArray(anyPermit(), { maxLength: 6, selector: (one) => one.id });
  return fc
    .tuple(sizes, members, leader, spec, fc.tuple(flags, permits))
    .map(([size, some, lead, change, [rest, list]]) => {
      const wanted = (Object.keys(pools) as (keyof typeof pools)[]).map((name) => pool(name, size[name], pools[name]));
      const { stop, ...marks } = rest;
      return ledgerOf(
        some.filter((one) => one !== undefined),
        {
          ...marks,
          spec: clusterSpec(wanted, change),
          leadership: {
            leader: lead[0],
            incarnation: lead[1],
            term: lead[0] === '' ? lead[2] : lead[2] + 1,
          },
          permits: list,
          ...(stop && { stopping: { who: 'ada', why: 'a test' } }),
        },
      );
    });
}

function anyMember(member: string): fc.Arbitrary<MemberObservation> {
  const phases = fc.constantFrom(
    'unknown',
    'preparing',
    'starting',
    'running',
    'running',
    'running',
    'stopping',
    'stopped',
    'backoff',
  ) as fc.Arbitrary<MemberObservation['process']['phase']>;
  const asks = fc.option(fc.tuple(verbs, few, anyEvidence(member)), { nil: undefined, freq: 3 });
  const held = fc.option(fc.tuple(verbs, few), { nil: undefined });
  const uses = fc.option(fc.tuple(verbs, few, anyEvidence(member)), { nil: undefined, freq: 1 });
  /** What the last heartbeat says that it asks for: the same as its request, if there is one; or none has come. */
  const beat = fc.constantFrom('the same', 'the same', '', 'ask-1', undefined);
  return fc
    .tuple(life(member), likely, phases, likely, fc.tuple(asks, held, uses, beat))
    .map(([incarnation, connected, phase, joined, rest]) => {
      const [asked, holds, used, said] = rest;
      const asking = asked && said !== undefined ? `ask-${asked[1]}` : said === 'the same' ? '' : said;
      const { nodeId, processId } = evidence(member);
      return {
        member,
        incarnation,
        connected,
        heardAtMs: arbitraryNowMs,
        heardAtWall: 0,
        process: process(phase),
        permits: holds === undefined ? [] : [`${holds[0]}-${member}-ask-${holds[1]}`],
        ...(asking !== undefined && { asking }),
        ...(joined && { node: { nodeId, processId, joined: phase === 'running', version: '6.8.23' } }),
        ...(connected &&
          asked && { request: request(member, asked[0], { id: `ask-${asked[1]}`, evidence: asked[2] }) }),
        ...(connected && used && { use: { permitId: `${used[0]}-${member}-ask-${used[1]}`, evidence: used[2] } }),
      };
    });
}

function anyCluster(): fc.Arbitrary<ClusterObservation> {
  return fc
    .record({
      nodes: fc.subarray(names),
      excluded: fc.subarray(names),
      electedMaster: fc.constantFrom('', ...names),
      allocation: allocations,
      moving: few,
      unassigned: few,
      unassignedPrimaries: few,
    })
    .map((change) => clusterSeen(change));
}

export function anyObservation(): fc.Arbitrary<Observation> {
  const members = fc.tuple(...names.map((name) => fc.option(anyMember(name), { nil: undefined, freq: 6 })));
  const runtime = fc.tuple(
    ...names.map((name) =>
      fc.option(fc.record({ name: fc.constant(name), version: versions, alive: likely }), { nil: undefined, freq: 5 }),
    ),
  );
  const times = fc.record({ serverStartedAtMs: moment, leaseRenewedAtMs: moment });
  return fc
    .tuple(members, runtime, fc.option(anyCluster(), { nil: undefined, freq: 4 }), times)
    .map(([seen, there, cluster, when]) => ({
      ...when,
      members: new Map(seen.filter((one) => one !== undefined).map((one) => [one.member, one])),
      runtime: new Map(there.filter((one) => one !== undefined).map((one) => [one.name, one])),
      addresses: new Map(names.map((name) => [name, `${name}.local`])),
      told: { id: 'server-life', content: '' },
      adding: [],
      permitChangedAtMs: new Map(),
      ...(cluster && { cluster }),
    }));
}
