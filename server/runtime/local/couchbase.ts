/** Finds what runs Couchbase on this machine, and keeps the credentials of its clusters. */
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { writeDurably } from '../../../shared/durable.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { ClusterSpec } from '../../model/cluster.ts';
import {
  credentialsIn,
  freshAdministrator,
  rotated,
  rotationId,
  type Administrator,
  type Credentials,
} from '../administrator.ts';

/** Where `bin/couchbase-server` is, and whether it is the simulator of the cluster manager that comes with the clone. */
export interface CouchbaseHome {
  readonly home: string;
  readonly simulated: boolean;
}

const simulator = resolve(import.meta.dirname, '../../../test/couchbase/simulator');
const program = 'bin/couchbase-server';

/** The given home, else that of the `couchbase-server` on PATH, else the simulator. Rejects where there is none of them. */
export function findCouchbase(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): CouchbaseHome {
  if (given !== undefined) {
    const home = resolve(given);
    if (isProgram(join(home, program))) return { home, simulated: false };
    throw new NavigatorError('not_found', `${home} has no ${program}`, {
      advice: ['--couchbase-home must be the folder that Couchbase Server is installed in, for one /opt/couchbase'],
    });
  }
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const found = join(folder, 'couchbase-server');
    if (folder !== '' && isProgram(found)) return { home: dirname(dirname(realpathSync(found))), simulated: false };
  }
  if (isProgram(join(simulator, program))) return { home: simulator, simulated: true };
  throw new NavigatorError('missing_tool', 'there is no Couchbase Server on this machine', {
    advice: ['install it, or name its folder with --couchbase-home'],
  });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where the secrets of a namespace are: what Secrets are on Kubernetes, one file of JSON each, for its owner alone. */
export function secretsDirectory(stateDirectory: string, namespace: string): string {
  return join(stateDirectory, 'secrets', namespace);
}

/**
 * The file with the administrator's credentials of a cluster, for its owner alone: made once, from the secret that its manifest
 * names, or with a password of its own.
 */
export function credentialsFile(stateDirectory: string, { id, couchbase }: ClusterSpec): string {
  const file = join(stateDirectory, 'credentials', id.namespace, `${id.name}.json`);
  if (existsSync(file)) return file;
  const given = readSecret(stateDirectory, id.namespace, couchbase?.adminSecret);
  writeDurably(file, JSON.stringify(given ?? freshAdministrator()));
  return file;
}

/** Takes the rotation of an administrator's password one step on. Pilots read the file at every call. */
export function rotateCredentials(stateDirectory: string, cluster: ClusterSpec, accepted: string): void {
  const { id, couchbase } = cluster;
  const secret = readSecret(stateDirectory, id.namespace, couchbase?.adminSecret);
  const file = credentialsFile(stateDirectory, cluster);
  const held = JSON.parse(readFileSync(file, 'utf8')) as Administrator;
  const next = rotated(held, { secret, accepted, fresh: { id: rotationId() } });
  if (next !== held) writeDurably(file, JSON.stringify(next));
}

/** Undefined where there is none. Rejects one that others can read, or that is none. */
function readSecret(stateDirectory: string, namespace: string, name: string | undefined): Credentials | undefined {
  if (name === undefined) return undefined;
  const file = join(secretsDirectory(stateDirectory, namespace), `${name}.json`);
  if (!existsSync(file)) return undefined;
  if ((statSync(file).mode & 0o077) !== 0)
    throw new NavigatorError('forbidden', `${file} can be read by others`, { advice: [`chmod 600 ${file}`] });
  return credentialsIn(JSON.parse(readFileSync(file, 'utf8')) as Partial<Credentials>, file);
}
