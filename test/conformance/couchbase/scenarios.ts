/** The scenarios of Couchbase, in the order in which they are played. */
import { accessScenarios } from './access.ts';
import { faultScenarios } from './faults.ts';
import type { CouchbaseScenario } from './ground.ts';
import { permitScenarios } from './permits.ts';
import { scalingScenarios } from './scaling.ts';
import { upgradeScenarios } from './upgrades.ts';

/** All of them. */
export const couchbaseScenarios: readonly CouchbaseScenario[] = [
  ...scalingScenarios,
  ...faultScenarios,
  ...upgradeScenarios,
  ...permitScenarios,
  ...accessScenarios,
];
