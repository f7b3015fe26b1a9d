/** The rules of the holds: what each says and to whom, who may pass it, and which hold even a stop of everything. */
import { askedHolds } from '../../../server/reconcile/couchbase-asks.ts';
import { couchbaseRules } from '../../../server/reconcile/couchbase-holds.ts';
import { holdsOfCouchbase } from './couchbase.scene.ts';
import { expect } from 'chai';
import { holdNames, type HoldName } from '../../../server/model/hold.ts';
import type { Verb } from '../../../server/model/permit.ts';
import type { Asking } from '../../../server/reconcile/asking.ts';
import { approvable, isNearlyFree, objections, onlyHeldBy } from '../../../server/reconcile/holds.ts';
import { asking, clusterSpec, ledgerOf, observation, permit, pool, record, seen } from '../../support/model.ts';
import { every, granted, master, name, taking, told } from './holds.scene.ts';
import { rows } from './holds.table.ts';

function heldBy(verb: Verb, state: Partial<Asking>): readonly HoldName[] {
  return objections(asking(verb, state)).map((hold) => hold.name);
}

describe('a rule of the holds', () => {
  for (const verb of taking) {
    it(`lets ${verb} pass where all is well`, () => expect(heldBy(verb, {})).to.deep.equal([]));
  }
  for (const verb of every.filter((one) => !taking.includes(one))) {
    it(`never lets ${verb} pass, also where all is well and whatever a person has approved`, () => {
      expect(heldBy(verb, {})).to.deep.equal(['step_is_not_known']);
      expect(heldBy(verb, { approved: holdNames })).to.deep.equal(['step_is_not_known']);
    });
  }

  for (const row of rows) {
    it(`${row.hold} speaks where ${row.when}, to ${row.verbs.join(', ')}${row.approvable ? ', and can be approved' : ''}`, () => {
      for (const verb of every) {
        const holds = objections(asking(verb, row.state(verb))).filter((hold) => hold.name === row.hold);
        expect(holds.length, verb).to.equal(row.verbs.includes(verb) ? 1 : 0);
        for (const hold of holds) {
          expect(hold.member).to.equal(name);
          expect(hold.message).to.match(row.says);
        }
      }
    });
    it(`${row.hold} ${row.approvable ? 'does not speak' : 'speaks all the same'} once approved (${row.when})`, () => {
      for (const verb of row.verbs) {
        for (const approved of [[row.hold], holdNames]) {
          const names = heldBy(verb, { ...row.state(verb), approved });
          expect(names.includes(row.hold), verb).to.equal(row.approvable !== true);
        }
        const others = holdNames.filter((one) => one !== row.hold);
        expect(heldBy(verb, { ...row.state(verb), approved: others }), 'another one approved').to.include(row.hold);
      }
    });
    for (const [when, state] of row.silent) {
      it(`${row.hold} is silent where ${when} (not: ${row.when})`, () => {
        for (const verb of row.verbs) expect(heldBy(verb, state(verb)), verb).to.not.include(row.hold);
      });
    }
  }

  it('has a row in this table or a test of its own for every hold that a rule can make', () => {
    const elsewhere = ['not_its_turn', 'evidence_is_unknown'];
    const covered = new Set<string>([...rows.map((row) => row.hold), ...elsewhere, ...holdsOfCouchbase]);
    expect(holdNames.filter((one) => !covered.has(one))).to.deep.equal([]);
  });

  it('those that a person may take upon themselves are the ones that this table says, and no others', () => {
    const shown = holdNames.map((one) => ({ name: one, member: name, message: 'x' }));
    const ofCouchbase = couchbaseRules.filter((rule) => rule.approvable === true).map((rule) => rule.name);
    const ofRows = rows.filter((row) => row.approvable === true).map((row) => row.hold);
    const may = [...ofRows, ...ofCouchbase, ...askedHolds];
    expect(approvable(shown)).to.have.members([...new Set(may)]);
    expect(approvable([])).to.deep.equal([]);
  });
});

describe('when everything stops', () => {
  const pools = clusterSpec([pool('node', 1)]);
  const mixed = [master(0), record(1, { roles: ['data'] })];

  for (const [why, change] of [
    ['it is stopped', { stopping: { who: 'ada', why: 'x' } }],
    ['it is deleted', { deleting: true }],
  ] as const) {
    it(`because ${why}, a voter waits for the members without a vote, by name`, () => {
      const observed = observation([seen('demo-node-0'), seen('demo-node-1')]);
      const state = { record: mixed[0]!, ledger: ledgerOf(mixed, { spec: pools, ...change }), observed };
      expect(objections(asking('stop', state))).to.deep.equal([
        { name: 'not_its_turn', member: 'demo-node-0', message: 'demo-node-1 stops first' },
      ]);
      expect(objections(asking('stop', { ...state, record: mixed[1]! }))).to.deep.equal([]);
    });

    const all = [record(0), record(1), record(2)];
    const denied = [permit(name, 'stop', { state: 'denied', decidedBy: 'ada', decision: 'no' })];
    it(`because ${why}, neither the budget nor the health, nor what is not known holds a member`, () => {
      const ledger = ledgerOf(all, { ...change, permits: [granted('demo-node-1')] });
      const evidenceOfNothing = { ...told({ processId: '', nodeId: '', unassignedPrimaries: 1 }) };
      const state = { ledger, ...evidenceOfNothing, away: new Set(['demo-node-0', 'demo-node-1']) };
      expect(heldBy('stop', state)).to.deep.equal([]);
    });
    it(`because ${why}, a denial holds all the same, and so does evidence of another life`, () => {
      expect(heldBy('stop', { ledger: ledgerOf(all, { ...change, permits: denied }) })).to.deep.equal([
        'denied_by_a_person',
      ]);
      for (const another of [{ incarnation: 'before' }, { processId: 'before' }]) {
        expect(heldBy('stop', { ledger: ledgerOf(all, change), ...told(another) })).to.deep.equal([
          'evidence_is_of_another_life',
        ]);
      }
    });
    it(`because ${why}, a pause ${'stopping' in change ? 'does not hold it' : 'holds it'}`, () => {
      const held = 'stopping' in change ? [] : ['cluster_is_paused'];
      const paused = clusterSpec(undefined, { paused: true });
      expect(heldBy('stop', { ledger: ledgerOf(all, { ...change, paused: true }) })).to.deep.equal(held);
      expect(heldBy('stop', { ledger: ledgerOf(all, { ...change, spec: paused }) })).to.deep.equal(held);
    });
    it(`because ${why}, every other step is held as ever`, () => {
      const ledger = ledgerOf(all, { ...change, paused: true });
      for (const verb of every.filter((one) => one !== 'stop')) {
        expect(heldBy(verb, { ledger }), verb).to.include('cluster_is_paused');
      }
    });
  }
});

describe('what the leader can remove', () => {
  const hold = (one: HoldName): { name: HoldName; member: string; message: string } => ({
    name: one,
    member: name,
    message: 'x',
  });

  it('is nearly free', () => {
    const removable = [
      'no_leader',
      'leader_must_hand_over',
      'last_copy_of_a_shard',
      'allocation_is_not_restricted',
      'quorum_setting_is_not_lowered',
      'node_is_in_the_topology',
    ];
    for (const one of holdNames) expect(isNearlyFree([hold(one)]), one).to.equal(removable.includes(one));
    expect(isNearlyFree([])).to.equal(true);
    expect(isNearlyFree([hold('no_leader'), hold('health_is_red')])).to.equal(false);
  });

  it('onlyHeldBy means these and no others, or nothing', () => {
    expect(onlyHeldBy([], 'no_leader')).to.equal(true);
    expect(onlyHeldBy([hold('no_leader')], 'no_leader', 'health_is_red')).to.equal(true);
    expect(onlyHeldBy([hold('no_leader'), hold('health_is_red')], 'no_leader')).to.equal(false);
  });
});
