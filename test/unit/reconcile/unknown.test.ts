/** Unknown is not zero: evidence from which one thing is missing permits nothing that needs it. */
import { expect } from 'chai';
import { holdNames, type HoldName } from '../../../server/model/hold.ts';
import type { Verb } from '../../../server/model/permit.ts';
import type { Asking } from '../../../server/reconcile/asking.ts';
import { approvable, objections } from '../../../server/reconcile/holds.ts';
import { asking, clusterSeen, evidence, observation, process, record, seen, without } from '../../support/model.ts';

const name = 'demo-node-2';
const down = seen(name, { process: process('backoff') });

function heldBy(verb: Verb, state: Partial<Asking>): readonly HoldName[] {
  return objections(asking(verb, state)).map((hold) => hold.name);
}

describe('unknown is not zero', () => {
  it('a member that nobody ever saw joined may hold data all the same: it leaves only where no primary is missing', () => {
    const unread = { nodeId: '', processId: '' };
    const state = (unassignedPrimaries: number): Partial<Asking> => ({
      evidence: evidence(name, unread),
      record: record(2, { joinedOnce: false }),
      observed: observation([seen(name)], { cluster: clusterSeen({ unassignedPrimaries, excluded: [name] }) }),
    });
    expect(heldBy('leave', state(1))).to.include('health_is_red');
    expect(heldBy('leave', state(0))).not.to.include('health_is_red');
  });

  const needed = {
    restart: [
      'shards',
      'lastCopies',
      'unassignedPrimaries',
      'unassigned',
      'moving',
      'allocation',
      'liveVoters',
      'quorum',
    ],
    upgrade: [
      'shards',
      'lastCopies',
      'unassignedPrimaries',
      'unassigned',
      'moving',
      'allocation',
      'liveVoters',
      'quorum',
    ],
    stop: ['shards', 'lastCopies', 'unassignedPrimaries', 'unassigned', 'moving', 'liveVoters', 'quorum'],
    leave: ['shards', 'lastCopies', 'unassignedPrimaries', 'unassigned', 'moving', 'excluded', 'liveVoters', 'quorum'],
  } as const;
  for (const verb of ['restart', 'upgrade', 'stop', 'leave'] as const) {
    for (const field of needed[verb]) {
      const hold = field === 'allocation' ? 'allocation_is_not_restricted' : 'evidence_is_unknown';
      it(`a ${verb} is never permitted where ${field} is not known, whatever is approved: ${hold}`, () => {
        expect(heldBy(verb, { evidence: without(evidence(name), field) })).to.include(hold);
        expect(heldBy(verb, { evidence: without(evidence(name), field), approved: holdNames })).to.include(hold);
      });
    }
    for (const field of ['nodeId', 'processId', 'incarnation'] as const) {
      const hold = field === 'incarnation' ? 'evidence_is_of_another_life' : 'evidence_is_unknown';
      it(`a ${verb} is never permitted where ${field} is empty: ${hold}`, () => {
        expect(heldBy(verb, { evidence: evidence(name, { [field]: '' }) })).to.include(hold);
      });
    }
    it(`a ${verb} of a member without a vote is not held because the voters are not known`, () => {
      const silent = without(without(evidence(name), 'liveVoters'), 'quorum');
      expect(heldBy(verb, { evidence: silent, record: record(2, { roles: ['data'] }) })).to.deep.equal([]);
    });
    it(`a ${verb} is never permitted on no evidence at all, approved or not, while the database answers`, () => {
      const nothing = { incarnation: evidence(name).incarnation, nodeId: '', processId: '', stateVersion: 0 };
      expect(heldBy(verb, { evidence: nothing })).to.include('evidence_is_unknown');
      expect(heldBy(verb, { evidence: nothing, approved: holdNames })).to.include('evidence_is_unknown');
    });
  }

  it('a wipe is not permitted while the member holds shards, nor where that is not known', () => {
    expect(heldBy('wipe', { evidence: evidence(name, { shards: 5 }) }), '5 shards').to.not.deep.equal([]);
    expect(heldBy('wipe', { evidence: without(evidence(name), 'shards') }), 'unknown').to.not.deep.equal([]);
  });

  it('a person may let a member go whose database is down for good', () => {
    const nothing = { incarnation: evidence(name).incarnation, nodeId: '', processId: '', stateVersion: 0 };
    const member = without(down, 'node');
    const shown = objections(asking('leave', { evidence: nothing, member }));
    const others = [seen('demo-node-0'), seen('demo-node-1'), member];
    const observed = observation(others, { cluster: clusterSeen({ excluded: [name] }) });
    const approved = approvable(shown);
    expect(heldBy('leave', { evidence: nothing, member, approved })).to.deep.equal(['drain_is_not_in_force']);
    expect(shown.map((hold) => hold.name)).to.include.members(['member_is_down', 'evidence_is_unknown']);
    expect(heldBy('leave', { evidence: nothing, member, approved, observed })).to.deep.equal([]);
    const another = shown.filter((hold) => hold.name !== 'member_is_down');
    expect(
      heldBy('leave', { evidence: nothing, member, approved: approvable(another) }),
      'approved for another reason',
    ).to.include.members(['member_is_down', 'evidence_is_unknown']);
  });
});
