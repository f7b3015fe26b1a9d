/** Whatever the network, the clocks and people do. */
import { expect } from 'chai';
import fc from 'fast-check';
import { unclaimed } from '../../../server/coordination/tenure.ts';
import { Scene, timing, type Fate, type Script } from './tenure.scene.ts';

const runMs = 12_000;

const fate: fc.Arbitrary<Fate> = fc.record({
  thereMs: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) }, fc.integer({ min: 1, max: 2_500 })),
  backMs: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) }, fc.integer({ min: 1, max: 2_500 })),
  isLost: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.boolean()),
});

const speed = fc.oneof(
  fc.constantFrom(1 - timing.driftMax, 1, 1 + timing.driftMax),
  fc.double({ min: 1 - timing.driftMax, max: 1 + timing.driftMax, noNaN: true }),
);

function scripts(...what: readonly ('crash' | 'leave' | 'delete' | 'touch' | 'stall')[]): fc.Arbitrary<Script> {
  const incident = fc.record({
    atMs: fc.integer({ min: 0, max: runMs }),
    server: fc.integer({ min: 0, max: 2 }),
    what: fc.constantFrom(...what),
  });
  return fc.record({
    speeds: fc.array(speed, { minLength: 2, maxLength: 3 }),
    fates: fc.array(fate, { minLength: 1, maxLength: 60 }),
    incidents: fc.array(incident, { maxLength: 8 }),
  });
}

function holdsOnce(script: Script): Scene {
  const scene = new Scene(script);
  scene.run(runMs, () => {
    const holders = scene.holders().map(({ tenure }) => `${tenure.me} in term ${tenure.term}`);
    expect(holders.length, `at ${scene.nowMs}: ${holders.join(' and ')}`).to.be.at.most(1);
  });
  return scene;
}

describe('the tenure of servers, whatever happens', () => {
  it('two never hold the lease at once', () => {
    fc.assert(
      fc.property(scripts('crash', 'leave', 'touch', 'stall'), (script) => void holdsOnce(script)),
      { numRuns: 1_500 },
    );
  }).timeout(120_000);

  it('nor when people delete it, again and again', () => {
    fc.assert(
      fc.property(scripts('crash', 'leave', 'delete', 'stall'), (script) => void holdsOnce(script)),
      { numRuns: 1_500 },
    );
  }).timeout(120_000);

  it('terms only grow, and each is of one server', () => {
    fc.assert(
      fc.property(scripts('crash', 'leave', 'touch', 'stall'), (script) => {
        const { history } = holdsOnce(script);
        const holders = new Map<number, string>();
        let last = 0;
        for (const { term, holder } of history) {
          expect(term).to.be.at.least(last);
          last = term;
          if (holder === '' || holder === unclaimed) continue;
          expect(holders.get(term) ?? holder).to.equal(holder);
          holders.set(term, holder);
        }
      }),
      { numRuns: 1_000 },
    );
  }).timeout(120_000);

  it('somebody holds it in bounded time once the network is well', () => {
    const well: Fate = { thereMs: 5, backMs: 5, isLost: false };
    fc.assert(
      fc.property(scripts('crash', 'touch', 'stall'), fc.array(fate, { maxLength: 20 }), (script, bad) => {
        const fates = [...bad, ...Array.from({ length: 2_000 }, () => well)];
        const scene = new Scene({ ...script, fates });
        const lastMs = Math.max(0, ...script.incidents.map(({ atMs }) => atMs));
        // The failures first, at most a deadline each; a stall; then a watch by the slowest clock.
        scene.run(lastMs + bad.length * 450 + 1_700 + 4 * timing.ttlMs, () => {});
        expect(scene.holders()).to.have.length(1);
      }),
      { numRuns: 500 },
    );
  }).timeout(120_000);
});
