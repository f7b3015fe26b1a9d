/** How a permit ends: by what a heartbeat says at one moment, and by nothing else that its pilot says. */
import { expect } from 'chai';
import { endedPermitsKept, enqueue, settle } from '../../../server/coordination/permits.ts';
import { plan } from '../../../server/reconcile/plan.ts';
import type { MemberObservation, Observation } from '../../../server/model/observation.ts';
import type { Permit, PermitState, Verb } from '../../../server/model/permit.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { ledgerOf, observation, permit, process, record, request, seen, without } from '../../support/model.ts';

const name = 'demo-node-2';
const now = { monotonicMs: 1_000, wallMs: 0 };
/** The database was told to stop at 0, and a pilot would have killed it by now. */
const late = { monotonicMs: 60_000, wallMs: 0 };

function settled(
  verb: Verb,
  state: PermitState,
  member: MemberObservation,
  now = { monotonicMs: 1_000, wallMs: 0 },
): PermitState | undefined {
  const ledger = ledgerOf([record(2)], { permits: [permit(name, verb, { state })] });
  return settle(ledger, observation([member]), now).permits[0]?.state;
}

const up = seen(name, { asking: '' });
const stopped = without(seen(name, { asking: '', process: process('stopped') }), 'node');
const starting = without(seen(name, { asking: '', process: process('starting') }), 'node');
const holds = (verb: Verb): Partial<MemberObservation> => ({ permits: [`${verb}-${name}-ask-1`] });
const again = (verb: Verb): Partial<MemberObservation> => ({
  asking: 'ask-2',
  request: request(name, verb, { id: 'ask-2' }),
});
const another = { incarnation: 'another' };
/** Its database was started anew, too. */
const anew = { ...another, node: { ...up.node!, processId: 'another' } };

describe('a queued permit', () => {
  const rows: readonly (readonly [string, Partial<MemberObservation>, PermitState])[] = [
    ['a heartbeat names it', { asking: 'ask-1' }, 'queued'],
    ['no heartbeat has come on this stream yet', {}, 'queued'],
    ['no heartbeat has come yet, from another life', another, 'withdrawn'],
    ['a heartbeat names nothing', { asking: '' }, 'withdrawn'],
    ['a heartbeat names another', { asking: 'ask-2' }, 'withdrawn'],
    ['a heartbeat of another life names the same', { ...another, asking: 'ask-1' }, 'withdrawn'],
    ['its member is cut off', { connected: false, asking: '' }, 'queued'],
  ];
  for (const [when, change, state] of rows) {
    it(`is ${state} where ${when}`, () => expect(settled('restart', 'queued', seen(name, change))).to.equal(state));
  }
});

describe('a permit that the server asks for itself', () => {
  it('is not ended by what a pilot says or does not say', () => {
    const own = permit('', 'wipe', { requestId: 'server', state: 'queued' });
    const ledger = ledgerOf([record(2)], { permits: [own, { ...own, id: 'b', member: name, state: 'used' }] });
    expect(settle(ledger, observation([seen(name, { asking: '' })]), late)).to.equal(ledger);
  });
});

describe('a used permit to wipe', () => {
  const fresh = { ...up.node!, joined: false, standing: 'fresh' as const };
  const rows: readonly (readonly [string, Partial<MemberObservation>, PermitState])[] = [
    ['its pilot is at it', holds('wipe'), 'used'],
    ['its node does not answer yet', { node: undefined } as never, 'used'],
    ['its node is as new', { node: fresh }, 'completed'],
    ['its node is as new in another life of its pilot', { ...another, node: fresh }, 'completed'],
    ['its pilot asks anew', again('wipe'), 'expired'],
  ];
  for (const [when, change, state] of rows) {
    it(`is ${state} where ${when}`, () => {
      expect(settled('wipe', 'used', seen(name, { asking: '', ...change }))).to.equal(state);
    });
  }
});

describe('a granted permit', () => {
  const ttlMs = permit(name, 'leave').ttlMs;
  const members = { 'holds it': { ...up, ...holds('leave') }, 'is cut off': { ...up, connected: false } };
  for (const [how, member] of Object.entries(members)) {
    it(`that is not used expires at the end of its time and not before, where its member ${how}`, () => {
      expect(settled('leave', 'granted', member, { monotonicMs: ttlMs - 1, wallMs: 0 })).to.equal('granted');
      expect(settled('leave', 'granted', member, { monotonicMs: ttlMs, wallMs: 0 })).to.equal('expired');
    });
  }

  it('has its time counted from its writing, and from the start of a server that does not know when that was', () => {
    const ledger = ledgerOf([record(2)], { permits: [permit(name, 'leave', { state: 'granted' })] });
    const at = (monotonicMs: number, change: Partial<Observation>): PermitState | undefined =>
      settle(ledger, observation([up], change), { monotonicMs, wallMs: 0 }).permits[0]?.state;
    const written = { permitChangedAtMs: new Map([[`leave-${name}-ask-1`, 5_000]]) };
    expect(at(5_000 + ttlMs - 1, written)).to.equal('granted');
    expect(at(5_000 + ttlMs, written)).to.equal('expired');
    expect(at(7_000 + ttlMs - 1, { serverStartedAtMs: 7_000 })).to.equal('granted');
    expect(at(7_000 + ttlMs, { serverStartedAtMs: 7_000 })).to.equal('expired');
  });
});

describe('a used permit', () => {
  const alone: MemberObservation = {
    ...up,
    process: process('starting'),
    node: { ...up.node!, joined: false, standing: 'fresh' },
  };
  const aloneAnew = { ...alone, ...another, node: { ...alone.node!, processId: 'another' } };
  const rows: readonly (readonly [string, readonly Verb[], MemberObservation, PermitState])[] = [
    ['its member holds it', ['restart', 'upgrade', 'stop', 'leave'], up, 'used'],
    ['its member is cut off', ['restart', 'upgrade', 'stop', 'leave'], { ...up, connected: false }, 'used'],
    [
      'its member has just come back, and no heartbeat says yet how it is now',
      ['restart', 'upgrade', 'stop', 'leave'],
      without(up, 'asking'),
      'used',
    ],
    ['it is up without it, in the same life', ['restart'], up, 'completed'],
    ['it is up without it, in the same life', ['upgrade', 'stop', 'leave'], up, 'expired'],
    ['it is up and asks again, in the same life', ['restart', 'upgrade', 'stop', 'leave'], up, 'expired'],
    ['it runs without it and is of no cluster, in the same life', ['upgrade', 'stop', 'leave'], alone, 'expired'],
    ['it is stopped without it, in the same life', ['stop', 'leave'], stopped, 'completed'],
    ['it is stopped without it, in the same life', ['restart', 'upgrade'], stopped, 'used'],
    ['it is starting, in the same life', ['restart', 'upgrade', 'stop', 'leave'], starting, 'used'],
    ['it runs and is of no cluster, in another life', ['stop', 'leave'], aloneAnew, 'expired'],
    ['it is up in another life', ['restart', 'upgrade'], { ...up, ...anew }, 'completed'],
    ['it is up in another life', ['stop', 'leave'], { ...up, ...anew }, 'expired'],
    ['it is up in another life and asks again', ['restart', 'upgrade', 'stop', 'leave'], { ...up, ...anew }, 'expired'],
    ['it is not up yet in another life', ['restart', 'upgrade'], { ...starting, ...another }, 'used'],
    ['it is stopped in another life', ['stop', 'upgrade'], { ...stopped, ...another }, 'used'],
    ['it had left before its pilot died', ['leave'], { ...stopped, ...another }, 'completed'],
  ];
  for (const [when, verbs, member, state] of rows) {
    it(`to ${verbs.join(', ')} is ${state} where ${when}`, () => {
      for (const verb of verbs) {
        const change = when.includes('holds it') ? holds(verb) : when.includes('again') ? again(verb) : {};
        expect(settled(verb, 'used', { ...member, ...change }), verb).to.equal(state);
      }
    });
  }

  for (const verb of ['restart', 'upgrade', 'stop', 'leave'] as const) {
    it(`to ${verb} stands while the database that it was to stop is up, in another life of its pilot, as long as it may take to stop`, () => {
      for (const change of [{}, again(verb)]) {
        const orphan = { ...up, ...another, ...change };
        expect(settled(verb, 'used', orphan, { ...late, monotonicMs: late.monotonicMs - 1 })).to.equal('used');
        expect(settled(verb, 'used', orphan, late), 'it was never stopped').to.equal('expired');
      }
    });
  }
});

describe('a permit of a member that is gone', () => {
  const ends: readonly (readonly [PermitState, PermitState])[] = [
    ['queued', 'withdrawn'],
    ['granted', 'withdrawn'],
    ['used', 'completed'],
    ['denied', 'denied'],
    ['expired', 'expired'],
  ];
  for (const [state, end] of ends) {
    it(`is ${end} where it was ${state}`, () => {
      const ledger = ledgerOf([record(0)], { permits: [permit(name, 'leave', { state })] });
      expect(settle(ledger, observation([]), now).permits[0]?.state).to.equal(end);
    });
  }
});

describe('the permits that have ended', () => {
  const many = (count: number, change: (index: number) => Partial<Permit>): readonly Permit[] =>
    Array.from({ length: count }, (_, index) => {
      const requestId = `old-${index}`;
      return permit(name, 'restart', { id: `restart-${name}-${requestId}`, requestId, ...change(index) });
    });
  const entered = (permits: readonly Permit[], members = [record(2)]): readonly Permit[] => {
    const asks = seen(name, { request: request(name, 'stop', { id: 'new' }) });
    return enqueue(ledgerOf(members, { permits }), asks, now, timing).permits;
  };

  it('are bounded: the oldest are dropped', () => {
    const kept = entered(many(endedPermitsKept + 3, () => ({ state: 'completed' })));
    expect(kept).to.have.length(endedPermitsKept + 1);
    expect(kept[0]?.requestId).to.equal('old-3');
    expect(kept.at(-1)?.requestId).to.equal('new');
  });

  it('are not forgotten in the pass in which they end, however long ago they were asked for', () => {
    const leave = permit(name, 'leave', { state: 'used' });
    const permits = [leave, ...many(endedPermitsKept + 3, () => ({ state: 'completed' }))];
    const ledger = ledgerOf(
      [0, 1, 2].map((ordinal) => record(ordinal)),
      { permits },
    );
    const next = plan({ ledger, revision: 1, observed: observation([stopped]), now, timing }).ledger;
    expect(next.permits.find(({ id }) => id === leave.id)?.state).to.equal('completed');
    expect(next.members[name]?.left).to.equal(true);
    expect(next.permits.filter(({ state }) => state === 'completed')).to.have.length(endedPermitsKept);
  });

  it('drop no denial while its member is in the ledger, however old, and count none of them', () => {
    const kept = entered(many(endedPermitsKept + 3, (index) => ({ state: index === 0 ? 'denied' : 'expired' })));
    expect(kept[0]).to.include({ requestId: 'old-0', state: 'denied' });
    expect(kept.filter((one) => one.state === 'expired')).to.have.length(endedPermitsKept);
  });

  it('drop a denial like any other once its member is gone', () => {
    const kept = entered(
      many(endedPermitsKept + 3, (index) => ({ state: index === 0 ? 'denied' : 'expired' })),
      [record(1)],
    );
    expect(kept.some((one) => one.state === 'denied')).to.equal(false);
  });

  it('drop none that is live', () => {
    const states = ['queued', 'granted', 'used'] as const;
    const kept = entered(many(endedPermitsKept + 3, (index) => ({ state: states[index] ?? 'revoked' })));
    expect(kept.slice(0, 3).map((one) => one.state)).to.deep.equal(states);
  });
});
