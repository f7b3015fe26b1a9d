/** The conformance suite on the simulator, and on real nodes where COUCHBASE_NODES names three that are not initialised. */
import { couchbaseConformance } from './conformance.ts';
import { SimulatedNodes } from './nodes.ts';

couchbaseConformance('the simulator', async () => {
  const nodes = new SimulatedNodes('127.88.1', 3, 10);
  await Promise.all(nodes.hosts.map((host) => nodes.start(host)));
  return { hosts: nodes.hosts, simulated: nodes, close: () => nodes.end() };
});

const real = process.env['COUCHBASE_NODES'];
if (real !== undefined) {
  couchbaseConformance(real, async () => ({ hosts: real.split(','), close: async () => undefined }));
}
