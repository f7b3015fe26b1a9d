/** Mistakes that somebody could make with Couchbase, as those of mutant-list.ts. They show in seeds of Couchbase. */
import { mutant, patch, type Mutant, type Patch } from '../mutant.ts';
import type { Invariant } from '../world.ts';

function couchbaseMutant(name: string, breaks: readonly Invariant[], ...patches: readonly Patch[]): Mutant {
  return { ...mutant(`couchbase: ${name}`, breaks, ...patches), choice: 'couchbase' };
}

/** Not measured yet, or seldom found: none for a gate. */
function rareMutant(name: string, breaks: readonly Invariant[], ...patches: readonly Patch[]): Mutant {
  return { ...couchbaseMutant(name, breaks, ...patches), isRare: true };
}

const order = 'server/reconcile/couchbase-order.ts';
const topology = 'server/reconcile/couchbase-topology.ts';
const holds = 'server/reconcile/couchbase-holds.ts';
const engine = 'pilot/engine/couchbase/engine.ts';
const handOver = 'pilot/engine/couchbase/hand-over.ts';

export const couchbaseMutants: readonly Mutant[] = [
  couchbaseMutant(
    'order carried out on another topology',
    ['I3', 'I5'],
    patch('pilot/engine/couchbase/orders.ts', 'if (topology.digest !== order.judged) {', "if (order.judged === '') {"),
  ),
  couchbaseMutant(
    'failover of what has no other copy',
    ['I3'],
    patch(order, '.filter(({ lastCopies }) => lastCopies === 0)', ''),
  ),
  couchbaseMutant(
    'member stops before it is out',
    ['I3', 'I5'],
    patch(holds, 'if (!isPart || (verb', 'if (isPart || !isPart || (verb'),
  ),
  couchbaseMutant(
    'founder founds again',
    ['I1'],
    patch(
      'server/reconcile/founding.ts',
      'return isFounder && !Object.values(ledger.members).some(({ joinedOnce }) => joinedOnce);',
      'return isFounder;',
    ),
    patch(engine, 'if (!couchbase.founds || wasMember) return;', 'if (!couchbase.founds) return;'),
  ),
  couchbaseMutant(
    'failed node is thrown out',
    ['I5'],
    patch(
      order,
      "return nodeOf(topology, record)?.standing === 'failed' && !isNew;",
      "return nodeOf(topology, record)?.standing === 'failed' && isNew && !isNew;",
    ),
  ),
  couchbaseMutant(
    'quorum with those about to go',
    ['I4'],
    patch(
      holds,
      'const left = answering(asking) - 1 - stillAnswering(asking);',
      'const left = answering(asking) - 1 - 0 * stillAnswering(asking);',
    ),
  ),
  rareMutant(
    'stop that waited for too long',
    ['I3', 'I4'],
    patch(
      handOver,
      'clock.monotonicMs() >= untilMs) return objection;',
      'clock.monotonicMs() >= untilMs) return undefined;',
    ),
  ),
  rareMutant(
    'stop on a hand-over that failed',
    ['I3', 'I4'],
    patch(
      handOver,
      "if (evidence.standing !== 'active') return undefined;",
      'if (evidence.moving === 0) return undefined;',
    ),
  ),
  rareMutant(
    'nobody leads and nobody is away',
    ['I4'],
    patch(holds, 'if (topology === undefined) return other.joinedOnce;', 'if (topology === undefined) return false;'),
  ),
  couchbaseMutant(
    'spare that is asked for is still one',
    ['I8'],
    patch(
      'server/reconcile/couchbase-swaps.ts',
      'record.spare === true && record.ordinal >= pool.replicas;',
      'record.spare === true;',
    ),
  ),
  couchbaseMutant(
    'leader is swapped beside another one',
    ['I8'],
    patch(
      order,
      'const going = others.length > 0 ? others : swaps;',
      'const going = others.length < 0 ? others : swaps;',
    ),
  ),
  rareMutant(
    'leaving leader takes room of those that roll',
    ['I8'],
    patch(
      'server/reconcile/turns.ts',
      "!holds.some(({ name }) => name === 'node_is_in_the_topology')",
      "holds.some(({ name }) => name !== 'member_is_wanted')",
    ),
  ),
  rareMutant(
    'just added taken for thrown out',
    ['I2', 'I5'],
    patch(
      'server/reconcile/couchbase-stale.ts',
      'Math.max(watch.sinceMs, seen?.standsSinceMs ?? Infinity)',
      'Math.max(watch.sinceMs, -(seen?.standsSinceMs ?? Infinity))',
    ),
  ),
  couchbaseMutant(
    'interrupted rebalance is left',
    ['I8'],
    patch(topology, "return !balanced || rebalanceError !== '' || nodes", 'return !balanced || nodes'),
  ),
  rareMutant(
    "nobody's dead node stays",
    ['I8'],
    patch(
      topology,
      'filter(({ healthy, host }) => !healthy && !hosts.has(host))',
      "filter(({ healthy, host }) => !healthy && host === '' && !hosts.has(host))",
    ),
  ),
  rareMutant(
    'added member leaves unheard',
    ['I5'],
    patch(
      holds,
      'topology === undefined ? isPartOfOne(evidence.standing)',
      'topology === undefined ? isPartOfOne(evidence.standing) && record.joinedOnce',
    ),
  ),
  rareMutant(
    'both copies may go at once',
    ['I3'],
    patch(
      holds,
      'const other = goesBeside(asking, (record) => {',
      'const other = goesBeside({ ...asking, ledger: { ...asking.ledger, permits: [] } }, (record) => {',
    ),
  ),
  rareMutant(
    'node leaves while it is being added',
    ['I8'],
    patch(
      holds,
      '?? topology !== undefined;\n      return mayBe ?',
      '?? topology !== undefined;\n      return mayBe && ledger.deleting ?',
    ),
  ),
  rareMutant(
    'permit of a node that is out is never over',
    ['I8'],
    patch(
      'server/coordination/permits.ts',
      'serves(member) || runsAlone(member)',
      'serves(member) || !runsAlone(member) && serves(member)',
    ),
  ),
  rareMutant(
    'permit forgotten as soon as it ends',
    ['I8'],
    patch(
      'server/coordination/permits.ts',
      ': [...ledger.permits.filter((permit) => permit.id !== id), after];',
      ': ledger.permits.map((permit) => (permit.id === id ? after : permit));',
    ),
    patch(
      'server/reconcile/plan.ts',
      'trim(noteDepartures(input.ledger, settle(input.ledger, observed, now), observed))',
      'noteDepartures(input.ledger, trim(settle(input.ledger, observed, now)), observed)',
    ),
  ),
];
