/** Finds what runs Couchbase on this machine, and keeps the credentials of its clusters. */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { writeDurably } from '../../../shared/durable.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { ClusterSpec } from '../../model/cluster.ts';
import { freshAdministrator } from '../administrator.ts';

/** Where `bin/couchbase-server` is, and whether it is the simulator of the cluster manager that comes with the clone. */
export interface CouchbaseHome {
  readonly home: string;
  readonly simulated: boolean;
}

const simulator = resolve(import.meta.dirname, '../../../test/couchbase/simulator');
const program = 'bin/couchbase-server';
/** The database takes no shorter one. */
const passwordMin = 6;

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

interface Credentials {
  readonly username: string;
  readonly password: string;
}

interface Administrator extends Credentials {
  readonly next?: Credentials & { readonly id: string };
  readonly last?: Credentials;
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

/**
 * Takes the rotation of an administrator's password one step on. What the secret says is written as the next credentials; once the
 * leader says that the database takes those (`accepted` is their id), they are the ones in force. Pilots read the file at every
 * call and know both, and those of before: nobody is refused at any moment.
 */
export function rotateCredentials(stateDirectory: string, cluster: ClusterSpec, accepted: string): void {
  const { id, couchbase } = cluster;
  const secret = readSecret(stateDirectory, id.namespace, couchbase?.adminSecret);
  const file = credentialsFile(stateDirectory, cluster);
  const held = JSON.parse(readFileSync(file, 'utf8')) as Administrator;
  const { next, username, password } = held;
  if (next !== undefined && accepted === next.id) {
    const present = { username: next.username, password: next.password };
    return writeDurably(file, JSON.stringify({ ...present, last: { username, password } } satisfies Administrator));
  }
  // One that the database may have taken already is never replaced by another one before it has said so.
  if (secret === undefined || next !== undefined || isSame(secret, held)) return;
  writeDurably(file, JSON.stringify({ ...held, next: { ...secret, id: randomBytes(8).toString('hex') } }));
}

function isSame(one: Credentials, other: Credentials): boolean {
  return one.username === other.username && one.password === other.password;
}

/** Undefined where there is none. Rejects one that others can read, or that is none. */
function readSecret(stateDirectory: string, namespace: string, name: string | undefined): Credentials | undefined {
  if (name === undefined) return undefined;
  const file = join(secretsDirectory(stateDirectory, namespace), `${name}.json`);
  if (!existsSync(file)) return undefined;
  if ((statSync(file).mode & 0o077) !== 0)
    throw new NavigatorError('forbidden', `${file} can be read by others`, { advice: [`chmod 600 ${file}`] });
  const { username = 'Administrator', password } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Credentials>;
  if (typeof password !== 'string' || password.length < passwordMin)
    throw new NavigatorError('invalid', `${file} has no password of ${passwordMin} characters or more`);
  return { username, password };
}
