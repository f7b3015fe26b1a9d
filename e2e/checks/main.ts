/** Every check, in an order in which each finds what it builds upon, against the cluster that KUBECONFIG names. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { changes } from './changes.ts';
import { runChecks } from './check.ts';
import { couchbase } from './couchbase.ts';
import { couchbaseSecrets } from './couchbase-secrets.ts';
import { elsewhere } from './elsewhere.ts';
import { faults } from './faults.ts';
import { people } from './people.ts';
import { quickStart } from './quick-start.ts';
import { rights } from './rights.ts';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const { install, create, change, end } = quickStart;
const onDemo = [...change, ...people, ...elsewhere, ...faults, ...changes];
const checks = [
  ...install,
  ...create,
  ...onDemo,
  ...end,
  couchbaseSecrets.found,
  ...couchbase,
  couchbaseSecrets.rotated,
  ...rights,
];

const counts = await runChecks(checks, values.only);
const file = process.env['NAVIGATOR_E2E_COUNTS'];
if (file !== undefined) writeFileSync(file, `${JSON.stringify(counts)}\n`);
console.log('');
console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`,
);
process.exit(counts.failed > 0 ? 1 : 0);
