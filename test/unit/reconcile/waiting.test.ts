/** Members of which nothing runs, as the runtime knows: a pod without its image, without a node, without its volume. */
import { expect } from 'chai';
import type { Ledger } from '../../../server/model/ledger.ts';
import type { MemberObservation, RuntimeMember } from '../../../server/model/observation.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { plan } from '../../../server/reconcile/plan.ts';
import { ledgerOf, observation, record, seen } from '../../support/model.ts';

const name = 'demo-node-2';
const now = { monotonicMs: 1_000, wallMs: 0 };
const why = 'its pod has not begun: ErrImagePull: no such image';
const waits: RuntimeMember = { name, version: '6.8.23', alive: true, waiting: why };

interface Case {
  readonly joinedOnce: boolean;
  readonly present?: RuntimeMember;
  readonly member?: MemberObservation;
  readonly more?: Partial<Ledger>;
}

function planned({ joinedOnce, present = waits, member, more = {} }: Case): ReturnType<typeof plan> {
  const whole = ledgerOf([record(0), record(1), { ...record(2), joinedOnce }]);
  const observed = observation([seen('demo-node-0'), seen('demo-node-1'), ...(member === undefined ? [] : [member])]);
  const runtime = new Map([...observed.runtime, [name, present]]);
  return plan({ ledger: { ...whole, ...more }, revision: 1, observed: { ...observed, runtime }, now, timing });
}

/** The spec of two members where there are three. */
function shrunk(): Partial<Ledger> {
  const { spec } = ledgerOf([record(0), record(1), record(2)]);
  return { spec: { ...spec, nodePools: spec.nodePools.map((pool) => ({ ...pool, replicas: 2 })) } };
}

const hasLeft = (of: Case): boolean | undefined => planned(of).ledger.members[name]?.left;

describe('a member of which nothing runs', () => {
  it('is told with what it waits for', () => {
    const told = planned({ joinedOnce: false }).holds.find((hold) => hold.member === name);
    expect(told?.message).to.equal(`its pilot has not been heard of yet: ${why}`);
  });

  it('goes without a permit where its cluster is deleted, whatever it once was', () => {
    expect(hasLeft({ joinedOnce: false, more: { deleting: true } })).to.equal(true);
    expect(hasLeft({ joinedOnce: true, more: { deleting: true } })).to.equal(true);
  });

  it('goes without a permit where it is unwanted and never was a part of the database', () => {
    expect(hasLeft({ joinedOnce: false, more: shrunk() })).to.equal(true);
    expect(planned({ joinedOnce: false, more: shrunk() }).actions.map(({ kind }) => kind)).to.include('remove_member');
  });

  it('stays where it is wanted, where it may hold data, where it may run, and where its pilot is heard', () => {
    expect(hasLeft({ joinedOnce: false })).to.equal(false);
    expect(hasLeft({ joinedOnce: true, more: shrunk() })).to.equal(false);
    const runs: RuntimeMember = { name, version: '6.8.23', alive: true };
    for (const more of [shrunk(), { deleting: true }]) {
      expect(hasLeft({ joinedOnce: false, present: runs, more })).to.equal(false);
      expect(hasLeft({ joinedOnce: false, member: seen(name), more })).to.equal(false);
    }
  });
});
