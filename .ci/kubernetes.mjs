/** Makes the programs that the tests on a real Kubernetes API need, so that their build is no part of a test's time. */
import { findBinaries } from '../test/support/kubernetes/binaries.ts';
import { helmRenderer } from '../test/support/kubernetes/helm.ts';

const say = (line) => console.error(`kubernetes: ${line}`);

try {
  await findBinaries(say);
  await helmRenderer(say);
} catch (error) {
  console.error(`kubernetes: ${error.message}`);
  process.exit(1);
}
