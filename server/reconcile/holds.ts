/**
 * Every reason not to let a member take a step. Pure.
 * A step is permitted where no rule speaks. A rule that lacks what it must know speaks: unknown is not zero.
 * The order is the order in which a person reads them: what is wrong with the asking first, what to wait for last.
 */
import type { Hold, HoldName } from '../model/hold.ts';
import { isPaused } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import type { Verb } from '../model/permit.ts';
import type { Application } from '../model/cluster.ts';
import { comesBack, goesBeside, keepsShards, type Asking } from './asking.ts';
import { successors } from '../coordination/elections.ts';
import { openPermits } from '../coordination/permits.ts';
import { fitsBudget } from './budget.ts';
import { askedHolds } from './couchbase-asks.ts';
import { couchbaseRules, sharedRules } from './couchbase-holds.ts';
import { knownVoters, quorumOf, votes } from './quorum.ts';

/** An asking and all that speaks against it. */
export interface Weighed {
  readonly asking: Asking;
  readonly holds: readonly Hold[];
}

/** One reason, and for which steps it counts. */
export interface Rule {
  readonly name: HoldName;
  readonly verbs: readonly Verb[];
  /** Whether a person may take it upon themselves. */
  readonly approvable?: boolean;
  /** The sentence for the operator, or nothing where the rule has no objection. */
  readonly objection: (asking: Asking) => string | undefined;
}

const away: readonly Verb[] = ['restart', 'upgrade', 'stop'];
const every: readonly Verb[] = ['start', 'restart', 'stop', 'leave', 'failover', 'rebalance', 'upgrade', 'wipe'];

const rules: readonly Rule[] = [
  {
    name: 'step_is_not_known',
    verbs: ['start', 'failover', 'rebalance', 'wipe'],
    objection: ({ verb, ledger: { spec } }) =>
      verb === 'wipe' && spec.application === 'couchbase'
        ? undefined
        : `a member of an ${spec.application} cluster has no step "${verb}"`,
  },
  {
    name: 'cluster_is_paused',
    verbs: every,
    objection: ({ ledger }) =>
      isPaused(ledger) ? 'the cluster is paused; `navigator resume` lets it go on' : undefined,
  },
  {
    name: 'journal_cannot_be_written',
    verbs: every,
    objection: ({ observed }) => journalObjection(observed),
  },
  {
    name: 'denied_by_a_person',
    verbs: every,
    objection: ({ ledger, record, verb }) => {
      const denial = ledger.permits.findLast(
        (permit) => permit.member === record.name && permit.verb === verb && permit.state === 'denied',
      );
      return (
        denial &&
        `${denial.decidedBy} denied it: ${denial.decision}; \`navigator permits approve ${denial.id}\` lifts it`
      );
    },
  },
  {
    name: 'member_is_wanted',
    verbs: ['leave'],
    objection: ({ leaving }) => (leaving ? undefined : 'the cluster wants this member, so it cannot leave'),
  },
  {
    name: 'evidence_is_of_another_life',
    verbs: every,
    objection: ({ evidence, member }) => {
      if (evidence.incarnation !== member.incarnation) return 'its evidence was read by an earlier life of its pilot';
      const running = member.node?.processId;
      const other = running !== undefined && evidence.processId !== '' && evidence.processId !== running;
      return other ? 'its evidence was read from an earlier life of its database' : undefined;
    },
  },
  {
    name: 'member_is_down',
    verbs: ['leave', 'restart', 'upgrade'],
    approvable: true,
    objection: ({ member, record }) => {
      if (!record.joinedOnce || member.node?.joined) return undefined;
      return `its database is ${member.process.phase} and not part of the cluster, so what it holds cannot be read`;
    },
  },
  {
    name: 'evidence_is_unknown',
    verbs: ['leave', ...away],
    objection: ({ evidence, record, member, verb, approved }) => {
      const unread = !record.joinedOnce && evidence.nodeId === '';
      if (unread || (approved.includes('member_is_down') && !member.node?.joined)) return undefined;
      const { shards, lastCopies, unassigned, unassignedPrimaries, moving, liveVoters, quorum } = evidence;
      const counts = [shards, lastCopies, unassigned, unassignedPrimaries, moving];
      const voice = votes(record) ? [liveVoters, quorum] : [];
      const drain = verb === 'leave' ? [evidence.excluded] : [];
      const named = evidence.nodeId !== '' && evidence.processId !== '';
      return named && [...counts, ...voice, ...drain].every((field) => field !== undefined)
        ? undefined
        : 'what it holds is not known; its pilot will read it again';
    },
  },
  {
    name: 'health_is_red',
    verbs: ['leave', ...away],
    approvable: true,
    objection: ({ evidence, observed }) => {
      // One that cannot be read may have been given data while nobody was heard of it: then the leader's word counts.
      const read = evidence.nodeId === '' ? observed.cluster?.unassignedPrimaries : evidence.unassignedPrimaries;
      return (read ?? 0) > 0 ? `${read} primary shards are on no node; they may be waiting for this one` : undefined;
    },
  },
  {
    name: 'drain_is_not_in_force',
    verbs: ['leave'],
    objection: ({ evidence, record, ledger, observed }) => {
      if (!keepsShards(record)) return undefined;
      const message = 'the database may still place shards on it; the leader has yet to exclude it';
      if (evidence.nodeId !== '') return evidence.excluded === false ? message : undefined;
      // It cannot be read, and may join at any moment: then only the leader's word that nothing is placed there counts.
      const exists = Object.values(ledger.members).some((member) => member.joinedOnce);
      return exists && observed.cluster?.excluded.includes(record.name) !== true ? message : undefined;
    },
  },
  {
    name: 'data_node_still_has_shards',
    verbs: ['leave'],
    objection: ({ evidence }) =>
      (evidence.shards ?? 0) > 0 ? `it still holds ${evidence.shards} shards; they are moving to its peers` : undefined,
  },
  {
    name: 'quorum_would_be_lost',
    verbs: ['leave', ...away],
    approvable: true,
    objection: quorumObjection,
  },
  {
    name: 'budget_is_spent',
    verbs: ['leave', ...away],
    objection: ({ ledger, away: gone, record }) => {
      if (fitsBudget(ledger, gone, record.name)) return undefined;
      const others = [...gone].filter((name) => name !== record.name).sort();
      return `maxUnavailable is ${ledger.spec.maxUnavailable}, and away or about to go already: ${others.join(', ')}`;
    },
  },
  {
    name: 'shards_are_moving',
    verbs: away,
    objection: ({ evidence, record }) =>
      keepsShards(record) && (evidence.moving ?? 0) > 0
        ? `${evidence.moving} shard copies are being made or moved`
        : undefined,
  },
  {
    name: 'other_copies_may_go',
    verbs: away,
    objection: (asking) => {
      const other = goesBeside(asking);
      return other && `${other} may go at any moment, and may hold the only other copy of a shard`;
    },
  },
  {
    name: 'health_is_yellow',
    verbs: away,
    approvable: true,
    objection: yellowObjection,
  },
  {
    name: 'last_copy_of_a_shard',
    verbs: away,
    approvable: true,
    objection: lastCopyObjection,
  },
  {
    name: 'quorum_setting_is_not_lowered',
    verbs: ['leave'],
    objection: (asking) => {
      const { evidence, record } = asking;
      const left = votersLeft(asking);
      if (!votes(record) || evidence.quorum === undefined || left === undefined) return undefined;
      return evidence.quorum > left
        ? `the database asks for ${evidence.quorum} voters, and without it ${left} are left`
        : undefined;
    },
  },
  {
    name: 'leader_must_hand_over',
    verbs: ['leave', 'restart', 'upgrade'],
    objection: ({ ledger, record, observed }) =>
      ledger.leadership.leader === record.name && successors(ledger, observed).length > 0
        ? 'its pilot leads; another one takes over first'
        : undefined,
  },
  {
    name: 'no_leader',
    verbs: ['leave', 'restart', 'upgrade'],
    objection: ({ observed, record }) =>
      observed.cluster === undefined && record.joinedOnce
        ? 'no pilot leads the cluster yet, or the leader cannot read it'
        : undefined,
  },
  {
    name: 'allocation_is_not_restricted',
    verbs: ['restart', 'upgrade'],
    objection: ({ evidence, record }) =>
      keepsShards(record) && record.joinedOnce && evidence.allocation !== 'primaries'
        ? 'the leader first has to keep the database from rebuilding its replicas elsewhere'
        : undefined,
  },
];

/** What is asked of each application. In a function, because the rules of the others import what stands above. */
function rulesOf(application: Application): readonly Rule[] {
  if (application === 'elasticsearch') return rules;
  return [...rules.filter(({ name }) => sharedRules.includes(name)), ...couchbaseRules];
}

/** Nothing is taken away that could not be told of afterwards. */
export function journalObjection({ unrecordable }: Observation): string | undefined {
  return unrecordable === undefined
    ? undefined
    : `the server cannot write its journal, and takes nothing away unrecorded: ${unrecordable}`;
}

/** All that speaks against the step, in the order of the rules; empty: nothing does. */
export function objections(asking: Asking): readonly Hold[] {
  const { ledger, verb } = asking;
  const everything = verb === 'stop' && (ledger.stopping !== undefined || ledger.deleting);
  const always = ledger.stopping === undefined ? alwaysHeld : alwaysHeldInStop;
  const first = everything ? inOrder(asking) : [];
  const held = rulesOf(ledger.spec.application)
    .filter((rule) => rule.verbs.includes(verb) && (!everything || always.has(rule.name)))
    .filter((rule) => !(rule.approvable && asking.approved.includes(rule.name)))
    .flatMap((rule) => {
      const message = rule.objection(asking);
      return message === undefined ? [] : [{ name: rule.name, member: asking.record.name, message }];
    });
  return [...held, ...first];
}

/** What holds even the stop of a whole cluster. A person who stops everything means a paused cluster, too. */
const alwaysHeldInStop: ReadonlySet<HoldName> = new Set<HoldName>([
  'evidence_is_of_another_life',
  'denied_by_a_person',
]);
const alwaysHeld: ReadonlySet<HoldName> = new Set<HoldName>([
  ...alwaysHeldInStop,
  'cluster_is_paused',
  'journal_cannot_be_written',
]);

/** When everything stops, members that keep no vote go first, so that the cluster has a master until the end. */
function inOrder({ ledger, record, observed }: Asking): readonly Hold[] {
  if (!votes(record)) return [];
  const first = Object.values(ledger.members)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .find((other) => !votes(other) && !other.left && observed.members.get(other.name)?.process.phase !== 'stopped');
  return first ? [{ name: 'not_its_turn', member: record.name, message: `${first.name} stops first` }] : [];
}

/** Holds that the cluster's leader removes by its own work, once the member's turn has come. */
export const removable: readonly HoldName[] = [
  'no_leader',
  'leader_must_hand_over',
  'last_copy_of_a_shard',
  'allocation_is_not_restricted',
  'quorum_setting_is_not_lowered',
  'node_is_in_the_topology',
];

/** Those of these holds that a person may take upon themselves. */
export function approvable(holds: readonly Hold[]): readonly HoldName[] {
  const ofRules = [...rules, ...couchbaseRules].filter((rule) => rule.approvable).map((rule) => rule.name);
  const may = new Set([...ofRules, ...askedHolds]);
  return holds.map((hold) => hold.name).filter((name) => may.has(name));
}

/** Whether nothing speaks against the step but what the leader can remove. */
export function isNearlyFree(holds: readonly Hold[]): boolean {
  return onlyHeldBy(holds, ...removable);
}

/** Whether nothing but these is left. */
export function onlyHeldBy(holds: readonly Hold[], ...names: readonly HoldName[]): boolean {
  return holds.every((hold) => names.includes(hold.name));
}

/**
 * How many voters stay joined without the one that asks; undefined: not known. Others that may go at any moment are as good
 * as gone, unless their own pilots say that they are gone already. And evidence that was read while one was there that has
 * left since does not bring it back: there are never more than are known.
 */
function votersLeft({ evidence, ledger, record, observed }: Asking): number | undefined {
  if (evidence.liveVoters === undefined) return undefined;
  const going = openPermits(ledger)
    .map(({ member }) => ledger.members[member])
    .filter((other) => other !== undefined && other.name !== record.name && votes(other));
  const stillThere = going.filter((other) => {
    const seen = other && observed.members.get(other.name);
    return seen?.connected !== true || seen.node?.joined === true || seen.process.phase === 'stopping';
  });
  const staying = knownVoters(ledger).filter((other) => other.name !== record.name && !going.includes(other));
  return Math.min(evidence.liveVoters - 1 - stillThere.length, staying.length);
}

function quorumObjection(asking: Asking): string | undefined {
  const { evidence, record, ledger, verb } = asking;
  if (!votes(record) || !record.joinedOnce) return undefined;
  const known = knownVoters(ledger).length;
  const left = votersLeft(asking);
  if (left === undefined) return 'it is not known how many voters are joined';
  const least = verb === 'leave' ? quorumOf(known - 1) : Math.max(quorumOf(known), evidence.quorum ?? 0);
  if (left >= least) return undefined;
  const advice =
    verb === 'leave' ? 'wait for the others' : 'add a voter, or approve the outage with `navigator permits approve`';
  return `without it ${left} of ${known} voters are joined and ${least} must agree; ${advice}`;
}

/**
 * Copies that are on no node are waited for. While versions are mixed that can be in vain: a replica never goes to an
 * older node than its primary's. Then it is enough that this member has no shard's last copy, or that the drain which
 * takes them away from it is in force and `last_copy_of_a_shard` stands until it is over.
 */
function yellowObjection(asking: Asking): string | undefined {
  const { evidence, ledger, record } = asking;
  const unassigned = evidence.unassigned ?? 0;
  if (!comesBack(asking) || unassigned === 0 || !keepsShards(record)) return undefined;
  const mixed = Object.values(ledger.members).some((member) => member.version !== ledger.spec.version);
  const drained = evidence.excluded === true && lastCopyObjection(asking) !== undefined;
  if (mixed && (evidence.lastCopies === 0 || drained)) return undefined;
  return `${unassigned} shard copies are on no node; they are waited for`;
}

/** The only data member has no heir: its data stays on its disk while it is away, so it is let go. */
function lastCopyObjection(asking: Asking): string | undefined {
  const { evidence, record, ledger } = asking;
  const copies = evidence.lastCopies ?? 0;
  if (copies === 0 || !keepsShards(record)) return undefined;
  const others = Object.values(ledger.members).some(
    (member) => member.name !== record.name && keepsShards(member) && !member.left,
  );
  return others ? `it holds the last copy of ${copies} shards; they are moved to its peers first` : undefined;
}
