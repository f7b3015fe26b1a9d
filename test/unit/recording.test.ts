/** What of a cluster's passes is worth a record. */
import { expect } from 'chai';
import { ClusterRecording } from '../../server/recording.ts';
import { MemoryRecorder } from '../fakes/recorder.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { World } from '../support/world.ts';
import type { Hold } from '../../server/model/hold.ts';
import type { Plan } from '../../server/model/plan.ts';
import type { PlanInput } from '../../server/reconcile/plan.ts';

describe('a pass is recorded', () => {
  let recorder: MemoryRecorder;
  let recording: ClusterRecording;
  let input: PlanInput;
  let steady: Plan;
  beforeEach(() => {
    recorder = new MemoryRecorder();
    recording = new ClusterRecording('default/demo', recorder);
    const world = new World(clusterSpec([pool('node', 3)]));
    const now = { monotonicMs: world.nowMs, wallMs: 0 };
    input = { ledger: world.ledger, revision: 1, observed: world.observed(), now, timing: world.timing };
    steady = world.think();
    expect(steady.ledger).to.equal(world.ledger);
    recording.decided(input, steady);
    expect(decisions()).to.equal(1);
  });

  function decisions(): number {
    return recorder.segments.flat().filter(({ kind }) => kind === 'decision').length;
  }

  const hold = (message: string): Hold => ({ name: 'data_node_still_has_shards', member: 'demo-node-2', message });

  it('once, and not again while it decides nothing new', () => {
    for (let pass = 0; pass < 10; pass++) recording.decided({ ...input, revision: pass }, steady);
    expect(decisions()).to.equal(1);
  });

  it('when a hold comes or goes, and not when only its words change', () => {
    recording.decided(input, { ...steady, holds: [hold('it still holds 2 shards')] });
    expect(decisions()).to.equal(2);
    recording.decided(input, { ...steady, holds: [hold('it still holds 1 shards')] });
    expect(decisions()).to.equal(2);
    recording.decided(input, steady);
    expect(decisions()).to.equal(3);
  });

  it('whenever the ledger is another one, with what became of it', () => {
    recording.decided(input, { ...steady, ledger: { ...steady.ledger, generation: 7 } });
    recording.written(false);
    expect(recorder.segments.flat().at(-1)).to.deep.include({
      kind: 'written',
      body: { cluster: 'default/demo', of: 3, written: false },
    });
    recording.decided(input, { ...steady, ledger: { ...steady.ledger, generation: 8 } });
    expect(decisions()).to.equal(3);
  });
});
