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

/** What is wanted of a Couchbase cluster of one pool. */
export interface Wanted {
  readonly replicas: number;
  readonly version?: string;
  /** Of the bucket `travel`. */
  readonly bucketReplicas?: number;
  /** The buckets as YAML, a line each; absent: `travel`. */
  readonly buckets?: readonly string[];
  /** More lines of the spec. */
  readonly lines?: readonly string[];
  /** How long a node must be away before the database fails it over. */
  readonly failoverSeconds?: number;
  /** The zones of the pool, as YAML. */
  readonly zones?: string;
  /** More pools, a line of YAML each. */
  readonly pools?: readonly string[];
}

/** The manifest of a Couchbase cluster named demo. */
export function couchbaseManifest(wanted: Wanted): string {
  const travel = `{ name: travel, ramQuota: 128Mi, replicas: ${wanted.bucketReplicas ?? 1} }`;
  const buckets = wanted.buckets ?? [travel];
  return [
    'apiVersion: navigator.jetstack.io/v1alpha1',
    'kind: CouchbaseCluster',
    'metadata:',
    '  name: demo',
    'spec:',
    `  version: ${wanted.version ?? '7.6.8'}`,
    // The simulator is a part of the clone, which another user may not be able to read.
    `  securityContext: { runAsUser: ${process.getuid?.() ?? 1000} }`,
    `  autoFailover: { timeout: ${wanted.failoverSeconds ?? 30} }`,
    ...(wanted.lines ?? []).map((line) => `  ${line}`),
    ...(buckets.length === 0 ? [] : ['  buckets:', ...buckets.map((bucket) => `    - ${bucket}`)]),
    '  nodePools:',
    '    - name: node',
    `      replicas: ${wanted.replicas}`,
    '      services: [data]',
    '      persistence: { size: 1Gi }',
    ...(wanted.zones === undefined ? [] : [`      zones: ${wanted.zones}`]),
    ...(wanted.pools ?? []).map((pool) => `    - ${pool}`),
    '',
  ].join('\n');
}
