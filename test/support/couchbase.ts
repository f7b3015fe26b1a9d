/** A `couchbase-server` for tests of whole clusters: the simulator, whose time runs faster. */
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command } from '../couchbase/nodes.ts';

/** A folder with a `bin/couchbase-server`. Everything in it takes a `scale`-th of the time that it really takes. */
export function couchbaseHome(scale: number): string {
  const home = mkdtempSync(join(tmpdir(), 'navigator-couchbase-home-'));
  const program = join(home, 'bin/couchbase-server');
  mkdirSync(join(home, 'bin'));
  writeFileSync(program, `#!/bin/sh\nCOUCHBASE_SIMULATOR_SCALE=${scale} exec ${command} "$@"\n`);
  chmodSync(program, 0o755);
  return home;
}

/** The manifest of a Couchbase cluster of one pool, with a bucket that has `bucketReplicas`. */
export function couchbaseManifest(
  replicas: number,
  change: { readonly bucketReplicas?: number; readonly version?: string } = {},
): string {
  return [
    'apiVersion: navigator.jetstack.io/v1alpha1',
    'kind: CouchbaseCluster',
    'metadata:',
    '  name: demo',
    'spec:',
    `  version: ${change.version ?? '7.6.8'}`,
    // The simulator is a part of the clone, which another user may not be able to read.
    `  securityContext: { runAsUser: ${process.getuid?.() ?? 1000} }`,
    '  autoFailover: { timeout: 30 }',
    '  buckets:',
    `    - { name: travel, ramQuota: 128Mi, replicas: ${change.bucketReplicas ?? 1} }`,
    '  nodePools:',
    '    - name: node',
    `      replicas: ${replicas}`,
    '      services: [data]',
    '      persistence: { size: 1Gi }',
    '',
  ].join('\n');
}
