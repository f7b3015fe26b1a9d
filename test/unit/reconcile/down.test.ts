import { expect } from 'chai';
import type { MemberObservation } from '../../../server/model/observation.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { plan } from '../../../server/reconcile/plan.ts';
import { ledgerOf, observation, process, record, seen, without } from '../../support/model.ts';

const name = 'demo-node-2';
const now = { monotonicMs: 1_000, wallMs: 0 };

function messageOf(member: MemberObservation | undefined): string | undefined {
  const others = [seen('demo-node-0'), seen('demo-node-1')];
  const observed = observation(member === undefined ? others : [...others, member]);
  const { holds } = plan({ ledger: ledgerOf([record(0), record(1), record(2)]), revision: 1, observed, now, timing });
  return holds.find((hold) => hold.name === 'member_is_down' && hold.member === name)?.message;
}

function down(phase: MemberObservation['process']['phase'], doing: string): MemberObservation {
  return without(seen(name, { process: { ...process(phase), doing } }), 'node');
}

describe('a member that is down', () => {
  const isDown = 'is backoff and not part of the cluster';

  it('is told with what its pilot says went wrong, in one line of bounded length', () => {
    expect(messageOf(down('backoff', 'plugin analysis-icu could not be installed:\n\tno route'))).to.equal(
      `its database ${isDown}: plugin analysis-icu could not be installed: no route`,
    );
    expect(messageOf(down('backoff', 'x'.repeat(16_000)))?.length).to.be.lessThan(400);
  });

  it('is told with its phase alone where nothing went wrong, or is tried again', () => {
    expect(messageOf(down('backoff', ''))).to.equal(`its database ${isDown}`);
    expect(messageOf(down('starting', 'no route'))).to.equal('its database is starting and not part of the cluster');
    expect(messageOf(undefined)).to.equal('its pilot has not been heard of yet');
    expect(messageOf({ ...down('backoff', 'no route'), connected: false })).to.equal('its pilot is not connected');
  });
});
