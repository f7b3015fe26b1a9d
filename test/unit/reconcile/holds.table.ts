/** The rules of the holds, a row each: the smallest state in which it speaks, and the neighbours in which it is silent. */
import type { HoldName } from '../../../server/model/hold.ts';
import type { Verb } from '../../../server/model/permit.ts';
import type { Asking } from '../../../server/reconcile/asking.ts';
import {
  clusterSeen,
  clusterSpec,
  ledgerOf,
  observation,
  permit,
  process,
  record,
  seen,
  without,
} from '../../support/model.ts';
import { away, down, every, granted, master, name, taking, three, told } from './holds.scene.ts';

interface Row {
  readonly hold: HoldName;
  readonly verbs: readonly Verb[];
  readonly when: string;
  readonly state: (verb: Verb) => Partial<Asking>;
  /** Words of the sentence: the member, the number. */
  readonly says: RegExp;
  readonly silent: readonly (readonly [string, (verb: Verb) => Partial<Asking>])[];
  readonly approvable?: boolean;
}

export const rows: readonly Row[] = [
  {
    hold: 'step_is_not_known',
    verbs: ['start', 'failover', 'rebalance', 'wipe'],
    when: 'Elasticsearch has no such step',
    state: () => ({}),
    says: /an elasticsearch cluster has no step "\w+"/,
    silent: [],
  },
  {
    hold: 'cluster_is_paused',
    verbs: every,
    when: 'a person has paused it',
    state: () => ({ ledger: ledgerOf(three, { paused: true }) }),
    says: /navigator resume/,
    silent: [['nobody has', () => ({ ledger: ledgerOf(three) })]],
  },
  {
    hold: 'cluster_is_paused',
    verbs: every,
    when: 'its spec says so',
    state: () => ({ ledger: ledgerOf(three, { spec: clusterSpec(undefined, { paused: true }) }) }),
    says: /paused/,
    silent: [],
  },
  {
    hold: 'journal_cannot_be_written',
    verbs: every,
    when: 'the disk of the server is full',
    state: () => ({
      observed: observation(
        three.map((one) => seen(one.name)),
        { unrecordable: 'no space left' },
      ),
    }),
    says: /takes nothing away unrecorded: no space left/,
    silent: [],
  },
  {
    hold: 'denied_by_a_person',
    verbs: every,
    when: 'the same step of the same member was denied',
    state: (verb) => ({
      ledger: ledgerOf(three, {
        permits: [permit(name, verb, { state: 'denied', decidedBy: 'ada', decision: 'not today' })],
      }),
    }),
    says: /ada denied it: not today; `navigator permits approve \w+-demo-node-2-ask-1`/,
    silent: [
      [
        'another step was',
        (verb) => ({
          ledger: ledgerOf(three, { permits: [permit(name, verb === 'stop' ? 'leave' : 'stop', { state: 'denied' })] }),
        }),
      ],
      [
        'another member was',
        (verb) => ({ ledger: ledgerOf(three, { permits: [permit('demo-node-1', verb, { state: 'denied' })] }) }),
      ],
      [
        'it was revoked',
        (verb) => ({ ledger: ledgerOf(three, { permits: [permit(name, verb, { state: 'revoked' })] }) }),
      ],
    ],
  },
  {
    hold: 'member_is_wanted',
    verbs: ['leave'],
    when: 'the spec asks for it',
    state: () => ({ leaving: false }),
    says: /wants this member/,
    silent: [['it does not', () => ({ leaving: true })]],
  },
  {
    hold: 'evidence_is_of_another_life',
    verbs: every,
    when: 'an earlier life of the pilot read it',
    state: () => told({ incarnation: 'before' }),
    says: /life of its pilot/,
    silent: [],
  },
  {
    hold: 'evidence_is_of_another_life',
    verbs: every,
    when: 'it was read from an earlier life of the database',
    state: () => told({ processId: 'before' }),
    says: /life of its database/,
    silent: [],
  },
  {
    hold: 'member_is_down',
    verbs: ['leave', 'restart', 'upgrade'],
    when: 'its database is not joined',
    state: () => ({ member: without(down, 'node') }),
    says: /backoff/,
    silent: [
      ['it never has been', () => ({ member: without(down, 'node'), record: record(2, { joinedOnce: false }) })],
    ],
    approvable: true,
  },
  {
    hold: 'health_is_red',
    verbs: taking,
    when: 'a primary is on no node',
    state: () => told({ unassignedPrimaries: 1 }),
    says: /^1 primary/,
    silent: [['none is', () => told({ unassignedPrimaries: 0 })]],
    approvable: true,
  },
  {
    hold: 'drain_is_not_in_force',
    verbs: ['leave'],
    when: 'it is not excluded',
    state: () => told({ excluded: false }),
    says: /exclude/,
    silent: [
      ['it keeps no shards', () => ({ ...told({ excluded: false }), record: master(2) })],
      [
        'it cannot be read, and nobody ever joined',
        () => {
          const fresh = [record(0, { joinedOnce: false }), record(2, { joinedOnce: false })];
          return {
            ...told({ excluded: false, nodeId: '' }),
            ledger: ledgerOf(fresh),
            record: record(2, { joinedOnce: false }),
          };
        },
      ],
    ],
  },
  {
    hold: 'data_node_still_has_shards',
    verbs: ['leave'],
    when: 'one is left',
    state: () => told({ shards: 1 }),
    says: / 1 shards/,
    silent: [['none is', () => told({ shards: 0 })]],
  },
  {
    hold: 'quorum_would_be_lost',
    verbs: taking,
    when: 'two of three voters are joined',
    state: () => told({ liveVoters: 2 }),
    says: /without it 1 of 3 voters are joined and 2 must agree/,
    silent: [
      ['all three are', () => told({ liveVoters: 3 })],
      ['it has no vote', () => ({ ...told({ liveVoters: 2 }), record: record(2, { roles: ['data'] }) })],
      ['it never joined', () => ({ ...told({ liveVoters: 2 }), record: record(2, { joinedOnce: false }) })],
    ],
    approvable: true,
  },
  {
    hold: 'quorum_would_be_lost',
    verbs: away,
    when: 'the database asks for more than are left',
    state: () => told({ quorum: 3 }),
    says: /3 must agree/,
    silent: [],
    approvable: true,
  },
  {
    hold: 'quorum_would_be_lost',
    verbs: taking,
    when: 'three are joined, of which another one may go at any moment',
    state: () => ({ ledger: ledgerOf(three, { permits: [granted('demo-node-1')] }) }),
    says: /without it 1 of 3 voters are joined and 2 must agree/,
    silent: [
      ['it is itself the one that may', () => ({ ledger: ledgerOf(three, { permits: [granted(name)] }) })],
      ['the other one only asks', () => ({ ledger: ledgerOf(three, { permits: [granted('demo-node-1', 'queued')] }) })],
      [
        'the other one is down already, so it is not counted twice',
        () => ({
          ledger: ledgerOf([...three, record(3), record(4)], { permits: [granted('demo-node-1', 'used')] }),
          observed: observation([
            without(seen('demo-node-1', { process: process('stopped') }), 'node'),
            ...[0, 2, 3, 4].map((ordinal) => seen(`demo-node-${ordinal}`)),
          ]),
          ...told({ liveVoters: 4 }),
        }),
      ],
      [
        'the other one has no vote',
        () => ({
          ledger: ledgerOf([record(0), record(1, { roles: ['data'] }), record(2), record(3)], {
            permits: [granted('demo-node-1')],
          }),
        }),
      ],
    ],
    approvable: true,
  },
  {
    hold: 'quorum_would_be_lost',
    verbs: away,
    when: 'its evidence was read while a voter was joined that has left since',
    state: () => ({ ...told({ liveVoters: 3 }), ledger: ledgerOf([record(0), record(1, { left: true }), record(2)]) }),
    says: /without it 1 of 2 voters are joined and 2 must agree/,
    silent: [],
    approvable: true,
  },
  {
    hold: 'budget_is_spent',
    verbs: taking,
    when: 'another one is away and the budget is one',
    state: () => ({ away: new Set(['demo-node-1']) }),
    says: /maxUnavailable is 1.*: demo-node-1$/,
    silent: [
      ['it is the one that is away', () => ({ away: new Set([name]) })],
      [
        'the budget is two',
        () => ({
          away: new Set(['demo-node-1']),
          ledger: ledgerOf(three, { spec: clusterSpec(undefined, { maxUnavailable: 2 }) }),
        }),
      ],
    ],
  },
  {
    hold: 'shards_are_moving',
    verbs: away,
    when: 'one copy is under way',
    state: () => told({ moving: 1 }),
    says: /^1 shard copies/,
    silent: [['it keeps none', () => ({ ...told({ moving: 1 }), record: master(2) })]],
  },
  {
    hold: 'other_copies_may_go',
    verbs: away,
    when: 'another data member holds a permit that is not used yet',
    state: () => ({ ledger: ledgerOf(three, { permits: [granted('demo-node-1')] }) }),
    says: /^demo-node-1 may go at any moment/,
    silent: [
      ['it keeps none', () => ({ ledger: ledgerOf(three, { permits: [granted('demo-node-1')] }), record: master(2) })],
      [
        'the other one keeps none',
        () => ({ ledger: ledgerOf([record(0), master(1), record(2)], { permits: [granted('demo-node-1')] }) }),
      ],
      ['the permit is its own', () => ({ ledger: ledgerOf(three, { permits: [granted(name)] }) })],
      ['the other one only asks', () => ({ ledger: ledgerOf(three, { permits: [granted('demo-node-1', 'queued')] }) })],
      [
        'the other one has left',
        () => ({
          ledger: ledgerOf([record(0), record(1, { left: true }), record(2)], { permits: [granted('demo-node-1')] }),
        }),
      ],
      [
        'the other one is gone from the ledger',
        () => ({ ledger: ledgerOf([record(0), record(2)], { permits: [granted('demo-node-1')] }) }),
      ],
    ],
  },
  {
    hold: 'other_copies_may_go',
    verbs: away,
    when: 'another data member is away by permit, whatever the budget',
    state: () => ({
      ledger: ledgerOf(three, {
        permits: [granted('demo-node-1', 'used')],
        spec: clusterSpec(undefined, { maxUnavailable: 3 }),
      }),
    }),
    says: /^demo-node-1 may go/,
    silent: [],
  },
  {
    hold: 'health_is_yellow',
    verbs: away,
    when: 'one copy is on no node',
    state: () => told({ unassigned: 1 }),
    says: /^1 shard copies are on no node/,
    silent: [
      ['it keeps none', () => ({ ...told({ unassigned: 1 }), record: master(2) })],
      [
        'versions are mixed and it has no last copy',
        () => ({
          ...told({ unassigned: 1 }),
          ledger: ledgerOf([record(0, { version: '6.8.22' }), record(1), record(2)]),
        }),
      ],
    ],
    approvable: true,
  },
  {
    hold: 'health_is_yellow',
    verbs: away,
    when: 'versions are mixed, it has last copies, and no drain is in force',
    state: () => ({
      ...told({ unassigned: 1, lastCopies: 1, excluded: false }),
      ledger: ledgerOf([record(0, { version: '6.8.22' }), record(1), record(2)]),
    }),
    says: /^1 shard copies are on no node/,
    silent: [
      [
        'the drain is in force, so that its last copies hold it until they are moved',
        () => ({
          ...told({ unassigned: 1, lastCopies: 1 }),
          ledger: ledgerOf([record(0, { version: '6.8.22' }), record(1), record(2)]),
        }),
      ],
    ],
    approvable: true,
  },
  {
    hold: 'last_copy_of_a_shard',
    verbs: away,
    when: 'it has one and a peer could take it',
    state: () => told({ lastCopies: 1 }),
    says: /last copy of 1 shards/,
    silent: [
      [
        'no peer keeps shards',
        () => ({ ...told({ lastCopies: 1 }), ledger: ledgerOf([master(0), master(1), record(2)]) }),
      ],
    ],
    approvable: true,
  },
  {
    hold: 'quorum_setting_is_not_lowered',
    verbs: ['leave'],
    when: 'the database asks for more voters than would stay',
    state: () => told({ quorum: 3 }),
    says: /asks for 3 voters, and without it 2/,
    silent: [
      ['it asks for as many', () => told({ quorum: 2 })],
      ['it has no vote', () => ({ ...told({ quorum: 3 }), record: record(2, { roles: ['data'] }) })],
    ],
  },
  {
    hold: 'leader_must_hand_over',
    verbs: ['leave', 'restart', 'upgrade'],
    when: 'its pilot leads',
    state: () => ({ ledger: ledgerOf(three, { leadership: { term: 1, leader: name, incarnation: 'x' } }) }),
    says: /another one takes over/,
    silent: [
      [
        'there is nobody else',
        () => ({
          ledger: ledgerOf(three, { leadership: { term: 1, leader: name, incarnation: 'x' } }),
          observed: observation([seen(name)]),
        }),
      ],
      [
        'the others are cut off or down, so that nobody could be elected',
        () => ({
          ledger: ledgerOf(three, { leadership: { term: 1, leader: name, incarnation: 'x' } }),
          observed: observation([
            seen('demo-node-0', { connected: false }),
            seen('demo-node-1', { process: process('stopping') }),
            seen(name),
          ]),
        }),
      ],
    ],
  },
  {
    hold: 'no_leader',
    verbs: ['leave', 'restart', 'upgrade'],
    when: 'nobody has read the cluster as its leader',
    state: () => ({ observed: without(observation(three.map((one) => seen(one.name))), 'cluster') }),
    says: /no pilot leads/,
    silent: [['somebody has', () => ({ observed: observation([seen('demo-node-0')], { cluster: clusterSeen() }) })]],
  },
  {
    hold: 'allocation_is_not_restricted',
    verbs: ['restart', 'upgrade'],
    when: 'all copies may be placed',
    state: () => told({ allocation: 'all' }),
    says: /rebuilding/,
    silent: [['it keeps none', () => ({ ...told({ allocation: 'all' }), record: master(2) })]],
  },
];
