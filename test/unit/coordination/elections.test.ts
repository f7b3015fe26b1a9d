/** Who leads next: the steadiest, not the one that has just handed over, and nobody loses it for having been cut off. */
import { expect } from 'chai';
import { elect, leaseEndsAtMs, successors, type Standing } from '../../../server/coordination/elections.ts';
import type { Leadership } from '../../../server/model/ledger.ts';
import type { MemberObservation } from '../../../server/model/observation.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { ledgerOf, lifeOf, observation, permit, process, record, request, seen, without } from '../../support/model.ts';

const [zero, one, two] = [0, 1, 2].map((ordinal) => record(ordinal).name) as [string, string, string];
const led: Leadership = { term: 4, leader: zero, incarnation: lifeOf(zero) };
const nobody: Leadership = { ...led, leader: '' };

function elected(
  leadership: Leadership,
  members: readonly MemberObservation[],
  { standing = {}, nowMs = 100_000, ledAtMs = 100_000 } = {},
): Leadership {
  const ledger = ledgerOf([record(0), record(1), record(2)], { leadership });
  return elect(
    ledger,
    { ...observation(members), ledAtMs },
    { now: { monotonicMs: nowMs, wallMs: 0 }, timing },
    new Map(Object.entries(standing)),
  );
}

describe('an election', () => {
  const all = [seen(zero), seen(one), seen(two)];

  it('leaves the name of the life that hands over in the ledger, so that another one is preferred', () => {
    const given = elected(led, all, { standing: { [zero]: 'leaving' } });
    expect(given).to.deep.equal(nobody);
    expect(elected(given, all)).to.deep.equal({ term: 5, leader: one, incarnation: lifeOf(one) });
  });

  it('takes the one that has handed over where there is nobody else', () => {
    expect(elected(nobody, [seen(zero)])).to.include({ term: 5, leader: zero });
  });

  it('takes it in another life like any other', () => {
    expect(elected(nobody, [seen(zero, { incarnation: 'new' }), seen(one)])).to.include({ leader: zero });
  });

  it('takes those that ask for something later than those that do not, and later still the one that handed over', () => {
    const asks = seen(one, { request: request(one, 'restart') });
    expect(elected(nobody, [seen(zero), asks, seen(two)])).to.include({ leader: two });
    expect(elected(nobody, [seen(zero), asks])).to.include({ leader: one });
  });

  it('keeps a leader that has just come back and has not been heard yet', () => {
    const back = without(seen(zero, { process: process('unknown') }), 'node');
    expect(elected(led, [back, seen(one)])).to.equal(led);
  });

  it('does not keep one that is told to lead and does not, unless there is nobody else', () => {
    const longAgo = { nowMs: 100_000, ledAtMs: 100_000 - 2 * timing.leaseMs - 1 };
    expect(elected(led, all, longAgo)).to.deep.equal(nobody);
    expect(elected(led, [seen(zero)], longAgo)).to.equal(led);
    expect(elected(led, all, { ...longAgo, ledAtMs: longAgo.ledAtMs + 1 })).to.equal(led);
  });

  for (const phase of ['backoff', 'starting', 'stopped'] as const) {
    it(`does not keep one that says that its database is ${phase}`, () => {
      const down = without(seen(zero, { process: process(phase) }), 'node');
      expect(elected(led, [down, seen(one)])).to.deep.equal(nobody);
    });
  }

  it('does not keep one that has just come back and is about to go, nor one in another life', () => {
    const back = seen(zero, { process: process('unknown') });
    expect(elected(led, [back, seen(one)], { standing: { [zero]: 'leaving' } })).to.deep.equal(nobody);
    expect(elected(led, [{ ...back, incarnation: 'new' }, seen(one)])).to.include({ term: 5, leader: one });
  });

  it('keeps a leader that is to go while another member holds a grant: who begins a step needs its word', () => {
    const granted = permit(two, 'restart', { state: 'granted' });
    const ledger = ledgerOf([record(0), record(1), record(2)], { leadership: led, permits: [granted] });
    const when = { now: { monotonicMs: 100_000, wallMs: 0 }, timing };
    const standing = new Map<string, Standing>([[zero, 'next']]);
    expect(elect(ledger, observation(all), when, standing)).to.equal(led);
    expect(
      elect({ ...ledger, permits: [{ ...granted, state: 'used' }] }, observation(all), when, standing),
    ).to.deep.equal(nobody);
    expect(
      elect({ ...ledger, permits: [{ ...granted, member: zero }] }, observation(all), when, standing),
    ).to.deep.equal(nobody);
  });

  it('waits for the end of the last lease, also where the leader has handed over', () => {
    const endMs = timing.leaseMs + all.length * 1.6;
    for (const before of [nobody, { ...led, incarnation: 'gone' }]) {
      expect(elected(before, all, { nowMs: endMs - 1 })).to.equal(before);
      expect(elected(before, all, { nowMs: endMs })).to.include({ term: 5 });
    }
  });

  it('waits longer, after a start, the more pilots of all clusters have to come back', () => {
    const endsAtMs = (pilotsAtStart: number): number =>
      leaseEndsAtMs(observation([], { serverStartedAtMs: 500, leaseRenewedAtMs: -Infinity, pilotsAtStart }), timing);
    expect(endsAtMs(0)).to.equal(500 + timing.leaseMs);
    expect(endsAtMs(10_000)).to.equal(500 + timing.leaseMs + 16_000);
  });

  const every: readonly Standing[] = ['stays', 'waits', 'leaving', 'next', 'going'];
  const later: Readonly<Record<Standing, readonly Standing[]>> = {
    stays: [],
    waits: [],
    leaving: ['stays'],
    next: ['stays', 'waits', 'leaving'],
    going: ['stays', 'waits', 'leaving', 'next'],
  };
  for (const mine of every) {
    for (const other of every) {
      const passes = later[mine].includes(other);
      it(`${passes ? 'passes' : 'does not pass'} from one that is ${mine} to one that is ${other}`, () => {
        const given = elected(led, [seen(zero), seen(one)], { standing: { [zero]: mine, [one]: other } });
        expect(given).to.deep.equal(passes ? nobody : led);
      });
    }
  }

  it('takes one that is to go where all are, and does not give it back to the one that has handed over', () => {
    const standing = { [zero]: 'next', [one]: 'leaving' } as const;
    expect(elected(led, [seen(zero), seen(one)], { standing })).to.deep.equal(nobody);
    const taken = elected(nobody, [seen(zero), seen(one)], { standing });
    expect(taken).to.include({ term: 5, leader: one });
    expect(elected(taken, [seen(zero), seen(one)], { standing })).to.equal(taken);
  });

  it('takes nobody that may go at any moment', () => {
    const standing = { [zero]: 'going', [one]: 'going' } as const;
    expect(elected(nobody, [seen(zero), seen(one)], { standing })).to.equal(nobody);
  });

  it('has for successors those that are heard and joined, and neither the leader nor one that has left', () => {
    const ledger = ledgerOf([record(0), record(1), record(2)], { leadership: led });
    const names = (members: readonly MemberObservation[]): readonly string[] =>
      successors(ledger, observation(members)).map(({ member }) => member);
    expect(names(all)).to.deep.equal([one, two]);
    const cut = seen(one, { connected: false });
    expect(names([seen(zero), cut, without(seen(two), 'node')])).to.deep.equal([]);
    const left = { ...ledger, members: { ...ledger.members, [one]: record(1, { left: true }) } };
    expect(successors(left, observation(all)).map(({ member }) => member)).to.deep.equal([two]);
  });
});
