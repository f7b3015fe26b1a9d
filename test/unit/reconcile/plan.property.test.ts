/** plan() has an answer for everything, the same one again, and whatever the order in which its members come. */
import { expect } from 'chai';
import fc from 'fast-check';
import { endedPermitsKept } from '../../../server/coordination/permits.ts';
import { holdNames } from '../../../server/model/hold.ts';
import type { Ledger } from '../../../server/model/ledger.ts';
import type { Observation } from '../../../server/model/observation.ts';
import { isLive, isOpen } from '../../../server/model/permit.ts';
import type { Plan } from '../../../server/model/plan.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { plan } from '../../../server/reconcile/plan.ts';
import { canonicalJson } from '../../../shared/ids.ts';
import { anyLedger, anyObservation, arbitraryNowMs } from '../../support/arbitrary.ts';

const now = { monotonicMs: arbitraryNowMs, wallMs: 5 };
const runs = { numRuns: 400 };

function planned(ledger: Ledger, observed: Observation): Plan {
  const missing = [...observed.addresses].filter(([name]) => ledger.members[name] === undefined);
  return plan({ ledger, observed: { ...observed, addresses: new Map(missing) }, now, timing, revision: 1 });
}

/** The leader applies what it is ordered, and only then reports that it has. */
function obeyed(last: Plan, observed: Observation): Observation {
  const order = last.actions.find((action) => action.kind === 'say_order')?.order;
  const { cluster } = observed;
  if (order === undefined || cluster === undefined || cluster.appliedOrder === order.id) return observed;
  const { excluded, allocation } = order;
  const quorum = order.quorum > 0 ? { quorum: order.quorum } : {};
  return { ...observed, cluster: { ...cluster, excluded, allocation, ...quorum, appliedOrder: order.id } };
}

/** What the loop would observe next if nothing happened: uses are answered, times noted, what is gone forgotten. */
function after(before: Ledger, { ledger }: Plan, observed: Observation): Observation {
  const { cluster, ...rest } = observed;
  const changed = ledger.permits.filter((one) => before.permits.find((old) => old.id === one.id)?.state !== one.state);
  const sameLead = ledger.leadership === before.leadership;
  const members = [...observed.members].flatMap(([name, member]) => {
    if (ledger.members[name] === undefined) return [];
    const { use: _answered, ...quiet } = member;
    return [[name, quiet] as const];
  });
  return {
    ...rest,
    members: new Map(members),
    permitChangedAtMs: new Map([
      ...observed.permitChangedAtMs,
      ...changed.map((one) => [one.id, now.monotonicMs] as const),
    ]),
    ...(cluster && sameLead && { cluster }),
  };
}

/** Passes until there is nothing to write, or until it has taken too long. */
function atRest(start: Ledger, observed: Observation): { ledger: Ledger; view: Observation; last: Plan } {
  const members = new Map([...observed.members].filter(([name]) => start.members[name] !== undefined));
  let [ledger, view]: [Ledger, Observation] = [start, { ...observed, members }];
  let last = planned(ledger, view);
  for (let pass = 0; pass < 12 && (last.ledger !== ledger || obeyed(last, view) !== view); pass++) {
    view = obeyed(last, after(ledger, last, view));
    ledger = last.ledger;
    last = planned(ledger, view);
  }
  return { ledger, view, last };
}

function spoken({ actions }: Plan): readonly string[] {
  return actions
    .filter((action) => action.kind !== 'say_use_answer')
    .map((action) => canonicalJson(action))
    .sort();
}

/** The same things in the opposite order. */
function reversed(ledger: Ledger, observed: Observation): readonly [Ledger, Observation] {
  const members = Object.fromEntries(Object.entries(ledger.members).reverse());
  const turned = <V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> => new Map([...map].reverse());
  return [
    { ...ledger, members },
    {
      ...observed,
      members: turned(observed.members),
      runtime: turned(observed.runtime),
      addresses: turned(observed.addresses),
    },
  ];
}

/** A ledger as a text that does not depend on the order in which its permits were entered. */
function written(ledger: Ledger): string {
  return canonicalJson({ ...ledger, permits: [...ledger.permits].sort((a, b) => (a.id < b.id ? -1 : 1)) });
}

describe('plan, for arbitrary ledgers and observations', () => {
  it('has an answer, with names that are documented and a ledger that is bounded', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (ledger, observed) => {
        const next = planned(ledger, observed);
        for (const hold of next.holds) expect(holdNames).to.include(hold.name);
        for (const hold of next.holds) expect(hold.message).to.not.equal('');
        expect(next.recheckInMs).to.be.within(1, timing.leaseMs);
        const ended = next.ledger.permits.filter((permit) => !isLive(permit));
        expect(ended.length).to.be.at.most(Math.max(endedPermitsKept, ledger.permits.length));
        expect(new Set(next.ledger.permits.map((permit) => permit.id)).size).to.equal(next.ledger.permits.length);
        expect(next.ledger.leadership.term).to.be.within(ledger.leadership.term, ledger.leadership.term + 1);
      }),
      runs,
    );
  });

  it('grants nothing more when it plans again and nothing has changed', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), ({ stopping: _stopping, ...ledger }, observed) => {
        const first = planned(ledger, observed);
        fc.pre(!ledger.deleting && first.ledger.leadership === ledger.leadership);
        const second = planned(first.ledger, after(ledger, first, observed));
        expect(canonicalJson(second.ledger.permits)).to.equal(canonicalJson(first.ledger.permits));
      }),
      runs,
    );
  });

  it('gives the same ledger and the same words when it plans again after a pass that had nothing to write', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (start, observed) => {
        const { ledger, view, last } = atRest(start, observed);
        const again = planned(ledger, after(ledger, last, view));
        expect(again.ledger, 'the same object').to.equal(ledger);
        expect(spoken(again)).to.deep.equal(spoken(last));
        expect(canonicalJson(again.holds)).to.equal(canonicalJson(last.holds));
      }),
      runs,
    );
  });

  it('comes to rest within a few passes when nothing else changes', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (start, observed) => {
        const { ledger, last } = atRest(start, observed);
        expect(written(last.ledger)).to.equal(written(ledger));
        expect(last.ledger, 'nothing to write is the same object').to.equal(ledger);
        const ordered = last.actions.some((action) => action.kind === 'say_order');
        if (ordered) expect(last.settled, 'what is ordered is applied').to.equal(true);
      }),
      runs,
    );
  });

  it('does not depend on the order of the members', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), ({ stopping: _stopping, ...some }, observed) => {
        const ledger: Ledger = { ...some, deleting: false };
        const first = planned(ledger, observed);
        const second = planned(...reversed(ledger, observed));
        expect(written(second.ledger)).to.equal(written(first.ledger));
        expect(spoken(second)).to.deep.equal(spoken(first));
      }),
      runs,
    );
  });

  it('grants nothing while the cluster is paused, and has nobody do anything but ask for more voters', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (started, observed) => {
        const { stopping: _stopping, ...rest } = started;
        const ledger: Ledger = { ...rest, paused: true, deleting: false };
        const next = planned(ledger, observed);
        for (const permit of next.ledger.permits.filter(isOpen)) {
          const before = ledger.permits.find((one) => one.id === permit.id);
          expect(before?.state).to.equal(permit.state);
        }
        for (const action of next.actions) {
          expect(['say_decision', 'say_use_answer', 'say_order']).to.include(action.kind);
          if (action.kind !== 'say_order') continue;
          expect(action.order.quorum).to.be.greaterThan(observed.cluster?.quorum ?? Infinity);
          expect(observed.cluster?.excluded).to.include.members([...action.order.excluded]);
          expect(action.order.allocation).to.equal(observed.cluster?.allocation);
        }
      }),
      runs,
    );
  });

  it('never gives a permit to one who has left, is not connected, or lives another life', () => {
    fc.assert(
      fc.property(anyLedger(), anyObservation(), (ledger, observed) => {
        const next = planned(ledger, observed);
        for (const permit of next.ledger.permits.filter((one) => one.state === 'granted')) {
          const before = ledger.permits.find((one) => one.id === permit.id);
          if (before?.state === 'granted') continue;
          const member = observed.members.get(permit.member)!;
          expect(ledger.members[permit.member]?.left ?? false).to.equal(false);
          expect(member.connected).to.equal(true);
          expect(permit.incarnation).to.equal(member.incarnation);
        }
      }),
      runs,
    );
  });
});
