/** What the simulator's servers and pilots have recorded comes out the same when it is decided again. */
import { expect } from 'chai';
import { verify } from '../../replay/verify.ts';
import { writtenBy } from '../fakes/recorder.ts';
import { scriptOf } from './script.ts';
import { Simulation } from './simulation.ts';

describe('the flight recorder in the simulator', function () {
  this.timeout(120_000);

  const seeds = [
    ...[2, 3, 12].map((seed) => ({ seed, application: 'elasticsearch' as const })),
    ...[11].map((seed) => ({ seed, application: 'couchbase' as const })),
  ];
  for (const { seed, application } of seeds) {
    it(`has recorded every input of every decision with seed ${seed} of ${application}, in each segment anew`, async () => {
      const simulation = new Simulation(scriptOf(seed, application));
      simulation.world.records = true;
      await simulation.run();
      let rerun = 0;
      for (const { segments } of simulation.world.journals) {
        for (const records of [segments.flat(), ...segments]) {
          const result = verify(records, writtenBy);
          expect(result).to.deep.equal({ rerun: result.rerun, unfounded: 0, otherVersions: {} });
          rerun += result.rerun;
        }
      }
      expect(rerun).to.be.greaterThan(200);
    });
  }
});
