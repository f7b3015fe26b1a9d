/** The simulator in the suite: a few seeds hold every invariant, what was found stays mended, and a seed says the same every time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { goldens, readGolden } from './golden.ts';
import { mutants } from './mutant-list.ts';
import { regressions } from './regressions/seeds.ts';
import type { Application } from '../../server/model/cluster.ts';
import { applicationOf, scriptOf } from './script.ts';
import { cutScript, shrink } from './shrink.ts';
import { simulate, Simulation } from './simulation.ts';
import { invariants } from './world.ts';

async function finds(seed: number, application: Application): Promise<void> {
  const { violation, tail } = await simulate(seed, application);
  const text = violation && `${violation.invariant}, ${invariants[violation.invariant]}: ${violation.message}`;
  expect(text, tail.join('\n')).to.equal(undefined);
}

describe('the simulator', function () {
  this.timeout(60_000);

  for (let seed = 0; seed < 20; seed++)
    it(`finds nothing with seed ${seed} of Elasticsearch`, () => finds(seed, 'elasticsearch'));

  for (let seed = 0; seed < 10; seed++)
    it(`finds nothing with seed ${seed} of Couchbase`, () => finds(seed, 'couchbase'));

  describe('what it once found', () => {
    for (const { seed, was, application = 'elasticsearch' } of regressions)
      it(`seed ${seed}: ${was}`, () => finds(seed, application));

    it('is put back by mutants that there are', () => {
      const names = new Set(mutants.map(({ name }) => name));
      for (const { mutant } of regressions) if (mutant !== undefined) expect(names).to.include(mutant);
    });
  });

  it('has mutants whose places are in the tree exactly once', () => {
    for (const { name, patches } of mutants) {
      for (const { file, find } of patches) {
        const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
        expect(text.split(find).length - 1, `${name}, in ${file}`).to.equal(1);
      }
    }
  });

  for (const application of ['elasticsearch', 'couchbase'] as const) {
    it(`says the same of the same seed of ${application}, and something else of another`, async () => {
      const one = await simulate(3, application);
      const again = await simulate(3, application);
      const other = await simulate(4, application);
      expect(again.digest).to.equal(one.digest);
      expect(again.events).to.equal(one.events);
      expect(other.digest).to.not.equal(one.digest);
    });
  }

  it('makes one seed in three one of Couchbase', () => {
    const all = Array.from({ length: 3_000 }, (_, seed) => applicationOf(seed, 'any'));
    const share = all.filter((name) => name === 'couchbase').length / all.length;
    expect(share).to.be.within(0.3, 0.37);
  });

  it('cuts a script that breaks an invariant down to what it takes', async () => {
    const script = scriptOf(0, 'elasticsearch');
    // Copies for which there are no members: nothing of the storm is needed for that.
    const beats = script.beats.filter(({ kind }) => kind === 'fault');
    const hopeless = { ...script, beats, replicas: 9 };
    const outcome = await new Simulation(hopeless).run();
    expect(outcome.violation?.invariant).to.equal('I8');
    const { cut, runs } = await shrink(hopeless, outcome, 40);
    expect(cut.keep).to.deep.equal([]);
    expect(runs).to.be.at.most(40);
    expect(cutScript(hopeless, cut).beats).to.have.length(0);
  });
});

describe('the stories of test/golden', function () {
  this.timeout(60_000);

  for (const golden of goldens) {
    it(`${golden.name} is told as it is written; \`npm run golden -- --write\` writes it anew`, async () => {
      expect(await golden.text()).to.equal(readGolden(golden));
    });
  }
});
