/** The tenure of servers, rule by rule. */
import { expect } from 'chai';
import {
  beginTenure,
  defaultTenureTiming,
  hasFailed,
  heldTerm,
  leave,
  nextStep,
  unclaimed,
  wasRead,
  wasWritten,
  type Tenure,
} from '../../../server/coordination/tenure.ts';
import type { LeaseRecord } from '../../../server/model/lease.ts';

const timing = { ttlMs: 1_000, renewEveryMs: 250, driftMax: 0 };
const others = (version: string, term = 3): LeaseRecord => ({ holder: 'other', term, ttlMs: 1_000, version });
const mine = (version: string, term = 4): LeaseRecord => ({ holder: 'me', term, ttlMs: 1_000, version });

function holding(): Tenure {
  const watched = wasRead(beginTenure('me'), others('1'), 0);
  return wasWritten(watched, mine('2'), { sentAtMs: 1_000, nowMs: 1_100 });
}

describe('the tenure of a server', () => {
  it('may fail to renew twice, and the third renewal still comes in time', () => {
    const { ttlMs, renewEveryMs } = defaultTenureTiming;
    expect(3 * renewEveryMs).to.be.below(ttlMs);
    expect(ttlMs % 1_000).to.equal(0);
  });

  it('begins with a look', () => {
    expect(nextStep(beginTenure('me'), 0, timing)).to.deep.equal({ kind: 'read' });
  });

  it('a challenger takes over once it has watched the same record for a TTL, and not before', () => {
    let tenure = wasRead(beginTenure('me'), others('1'), 100);
    expect(nextStep(tenure, 101, timing)).to.deep.equal({ kind: 'wait', untilMs: 350 });
    expect(nextStep(tenure, 350, timing)).to.deep.equal({ kind: 'read' });
    tenure = wasRead(tenure, others('1'), 360);
    tenure = wasRead(tenure, others('1'), 1_090);
    expect(nextStep(tenure, 1_099, timing).kind).to.equal('wait');
    const lease = { holder: 'me', term: 4, ttlMs: 1_000 };
    expect(nextStep(tenure, 1_100, timing)).to.deep.equal({ kind: 'write', lease, version: '1' });
  });

  it('a renewed record is watched anew', () => {
    const tenure = wasRead(wasRead(beginTenure('me'), others('1'), 0), others('2'), 900);
    expect(nextStep(tenure, 1_100, timing).kind).to.equal('wait');
    expect(nextStep(tenure, 1_900, timing).kind).to.equal('write');
  });

  it('where there is none, one is made that nobody holds, and watched like any other', () => {
    const lease = { holder: unclaimed, term: 0, ttlMs: 1_000 };
    const none = wasRead(beginTenure('me'), undefined, 0);
    expect(nextStep(none, 0, timing)).to.deep.equal({ kind: 'write', lease, version: undefined });
    const made = wasWritten(none, { ...lease, version: '1' }, { sentAtMs: 0, nowMs: 10 });
    expect(heldTerm(made, 10)).to.equal(undefined);
    const watched = wasRead(made, { ...lease, version: '1' }, 900);
    expect(nextStep(watched, 1_009, timing).kind).to.equal('wait');
    expect(nextStep(watched, 1_010, timing)).to.deep.include({ lease: { holder: 'me', term: 1, ttlMs: 1_000 } });
  });

  it('a lease that was given up is free at once, in the next term', () => {
    const tenure = wasRead(beginTenure('me'), { ...others('1'), holder: '' }, 0);
    expect(nextStep(tenure, 0, timing)).to.deep.include({ lease: { holder: 'me', term: 4, ttlMs: 1_000 } });
  });

  it('a longer TTL of the holder is waited for', () => {
    const tenure = wasRead(beginTenure('me'), { ...others('1'), ttlMs: 5_000 }, 0);
    expect(nextStep(wasRead(tenure, { ...others('1'), ttlMs: 5_000 }, 4_900), 4_999, timing).kind).to.equal('wait');
  });

  it('clocks that drift are waited for', () => {
    const tenure = wasRead(beginTenure('me'), others('1'), 0);
    const drifting = { ...timing, driftMax: 0.1 };
    expect(nextStep(wasRead(tenure, others('1'), 1_200), 1_222, drifting).kind).to.equal('wait');
    expect(nextStep(wasRead(tenure, others('1'), 1_200), 1_223, drifting).kind).to.equal('write');
  });

  it('a holder holds until it has sent its last renewal plus the TTL, and no longer', () => {
    expect(heldTerm(holding(), 1_999)).to.equal(4);
    expect(heldTerm(holding(), 2_000)).to.equal(undefined);
    expect(nextStep(holding(), 1_349, timing)).to.deep.equal({ kind: 'wait', untilMs: 1_350 });
    const renewed = wasWritten(holding(), mine('3'), { sentAtMs: 1_350, nowMs: 1_900 });
    expect(heldTerm(renewed, 2_349)).to.equal(4);
    expect(heldTerm(renewed, 2_350)).to.equal(undefined);
  });

  it('an answer that comes after that time gives nothing', () => {
    const late = wasWritten(wasRead(beginTenure('me'), others('1'), 0), mine('2'), { sentAtMs: 1_000, nowMs: 2_500 });
    expect(heldTerm(late, 2_500)).to.equal(undefined);
    expect(nextStep(late, 2_500, timing)).to.deep.include({ kind: 'write', version: '2' });
  });

  it('what failed is looked after first, and held until its time', () => {
    const failed = hasFailed(holding(), 'write');
    expect(nextStep(failed, 1_400, timing)).to.deep.equal({ kind: 'read' });
    expect(heldTerm(failed, 1_999)).to.equal(4);
    const landed = wasRead(failed, mine('3'), 1_450);
    expect(heldTerm(landed, 1_999)).to.equal(4);
    expect(heldTerm(landed, 2_000)).to.equal(undefined);
  });

  it('whoever sees another holder stops at once', () => {
    expect(heldTerm(wasRead(holding(), others('3', 5), 1_200), 1_200)).to.equal(undefined);
    expect(heldTerm(wasRead(holding(), undefined, 1_200), 1_200)).to.equal(undefined);
  });

  it('terms grow, even where the lease was taken away meanwhile', () => {
    const none = wasRead(wasRead(beginTenure('me'), others('1', 9), 0), undefined, 100);
    expect(nextStep(none, 100, timing)).to.deep.include({ lease: { holder: unclaimed, term: 9, ttlMs: 1_000 } });
  });

  it('whoever leaves holds nothing from then on, gives the lease away, and ends', () => {
    const leaving = leave(holding());
    expect(heldTerm(leaving, 1_200)).to.equal(undefined);
    expect(nextStep(leaving, 1_200, timing)).to.deep.equal({
      kind: 'write',
      lease: { holder: '', term: 4, ttlMs: 1_000 },
      version: '2',
    });
    const given = wasWritten(leaving, { ...mine('3'), holder: '' }, { sentAtMs: 1_200, nowMs: 1_250 });
    expect(nextStep(given, 1_250, timing)).to.deep.equal({ kind: 'end' });
  });
});
