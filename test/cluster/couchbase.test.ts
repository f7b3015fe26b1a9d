/**
 * The life of a Couchbase cluster under a real server and real pilots, on the simulator of its cluster manager: no item and no
 * vBucket is lost, and no rebalance is done that was not needed. The scenarios are those of `npm run conformance`.
 */
import { expect } from 'chai';
import { CouchbaseGround, usual } from '../conformance/couchbase/ground.ts';
import { couchbaseScenarios } from '../conformance/couchbase/scenarios.ts';
import { play } from '../conformance/play.ts';
import { couchbaseManifest } from '../support/couchbase.ts';

/** Those that show most of it; `npm run conformance` plays all. */
const chosen: readonly string[] = [
  ...['first-start', 'scale-down', 'scale-up', 'database-killed', 'rebalance-fails', 'leader-and-server-killed'],
  ...['failed-over-by-itself', 'upgrade-in-place'],
];

describe('a Couchbase cluster, on the simulator', () => {
  let ground: CouchbaseGround;

  before(async () => {
    ground = await CouchbaseGround.make(5);
  });
  after(() => ground.end());

  for (const scenario of couchbaseScenarios.filter(({ name }) => chosen.includes(name))) {
    it(scenario.title, async () => {
      const { faults } = await play(ground, scenario, usual);
      expect(faults).to.deep.equal([]);
    });
  }

  it('does not take the last data node away', async () => {
    const refused = await ground.navigator.apply(couchbaseManifest({ replicas: 0 })).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(refused).to.contain('at least one member with the service data');
  });
});
