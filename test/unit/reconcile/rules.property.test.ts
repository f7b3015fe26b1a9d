/** What holds of budget, quorum, settings and topology alone, whatever the ledger and whatever is observed. */
import { expect } from 'chai';
import fc from 'fast-check';
import { isMemberName } from '../../../server/model/cluster.ts';
import { isOpen } from '../../../server/model/permit.ts';
import { serves } from '../../../server/model/observation.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { awayMembers, fitsBudget } from '../../../server/reconcile/budget.ts';
import { knownVoters, quorumOf, quorumTarget } from '../../../server/reconcile/quorum.ts';
import { settingsOrder } from '../../../server/reconcile/settings.ts';
import { leavingMembers, memberSpec, strayRecord, wantedMembers } from '../../../server/reconcile/topology.ts';
import { judgeUses, takeTurns } from '../../../server/reconcile/turns.ts';
import { anyLedger, anyObservation, arbitraryNowMs } from '../../support/arbitrary.ts';

const now = { monotonicMs: arbitraryNowMs, wallMs: 0 };

describe('the budget', () => {
  it('counts whoever does not serve or may go, and nobody twice or of another cluster', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (ledger, observed) => {
        const away = awayMembers(ledger, observed);
        for (const { name, left } of Object.values(ledger.members)) {
          const mayGo = ledger.permits.some((permit) => isOpen(permit) && permit.member === name);
          expect(away.has(name), name).to.equal(!left && (mayGo || !serves(observed.members.get(name))));
        }
        expect([...away].filter((name) => ledger.members[name] === undefined)).to.deep.equal([]);
      }),
    );
  });

  it('has room for as many as it says, whoever asks', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (ledger, observed) => {
        const away = awayMembers(ledger, observed);
        for (const name of Object.keys(ledger.members)) {
          const then = new Set([...away, name]);
          expect(fitsBudget(ledger, away, name)).to.equal(then.size <= ledger.spec.maxUnavailable);
        }
      }),
    );
  });
});

describe('the quorum', () => {
  it('is such that no two of it are apart, and no more than that', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), (voters) => {
        expect(2 * quorumOf(voters)).to.be.greaterThan(voters);
        expect(2 * (quorumOf(voters) - 1)).to.be.at.most(voters);
      }),
    );
  });

  it('that is asked for is of the known voters, never of those that happen to be there, and never more than are', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), fc.nat({ max: 3 }), (ledger, observed, leaving) => {
        const joined = observed.cluster?.nodes ?? [];
        const target = quorumTarget(ledger, joined, leaving);
        if (target === 0) return;
        const known = knownVoters(ledger);
        expect(target).to.be.at.least(quorumOf(Math.max(1, known.length - leaving)));
        expect(target).to.be.at.most(known.filter(({ name }) => joined.includes(name)).length);
      }),
    );
  });
});

describe('the settings', () => {
  it('name nobody that neither is a member nor has the name of one, and are the same again when nothing has changed', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (start, observed) => {
        const { ledger } = judgeUses(start, observed, now);
        const turns = takeTurns(ledger, observed, now, timing);
        const order = settingsOrder(turns, observed, { now, timing });
        expect(order === undefined).to.equal(observed.cluster === undefined);
        if (order === undefined) return;
        const { id } = turns.ledger.spec;
        const left = (observed.cluster?.excluded ?? []).filter((name) => isMemberName(id.name, name));
        expect(order.owned).to.have.members([...new Set([...Object.keys(turns.ledger.members), ...left])]);
        expect(order.owned).to.include.members([...order.excluded]);
        expect(settingsOrder(turns, observed, { now, timing })).to.deep.equal(order);
      }),
    );
  });

  it('begin no drain while a data member that comes back holds a permit that is not old', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (ledger, observed) => {
        const rolling = ledger.permits.some(({ member, verb, ...permit }) => {
          const data = ledger.members[member]?.roles.includes('data') === true;
          return isOpen(permit as never) && data && ['restart', 'upgrade', 'stop'].includes(verb);
        });
        // Of a permit that this server has not written, its start counts.
        const fresh = arbitraryNowMs < observed.serverStartedAtMs + timing.undoAfterMs;
        const order = settingsOrder({ ledger, next: [] }, observed, { now, timing });
        if (!rolling || !fresh || order === undefined) return;
        expect(order.allocation).to.equal('primaries');
        expect(observed.cluster?.excluded).to.include.members([...order.excluded]);
      }),
    );
  });
});

describe('the topology', () => {
  it('has everybody either wanted, leaving or left, and none of them twice', () => {
    fc.assert(
      fc.property(anyLedger(), (ledger) => {
        const wanted = new Set(wantedMembers(ledger.spec).map(({ name }) => name));
        const leaving = new Set(leavingMembers(ledger).map(({ name }) => name));
        for (const { name, left } of Object.values(ledger.members))
          expect(leaving.has(name), name).to.equal(!left && !wanted.has(name));
        expect(wanted.size).to.equal(wantedMembers(ledger.spec).length);
      }),
    );
  });

  it('gives a member the same hash whoever else there is, and keeps the data of a pool that it does not know', () => {
    fc.assert(
      fc.property(anyLedger(), (ledger) => {
        for (const record of Object.values(ledger.members)) {
          const alone = { ...ledger, members: { [record.name]: record } };
          expect(memberSpec(alone, record).hash).to.equal(memberSpec(ledger, record).hash);
        }
        expect(strayRecord(ledger.spec, 'demo-unknown-7')).to.include({ keepOnDelete: true, left: true });
      }),
    );
  });
});
