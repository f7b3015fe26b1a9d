/** Finds what runs Couchbase on this machine, and keeps the credentials of its clusters. */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { writeDurably } from '../../../shared/durable.ts';
import { NavigatorError } from '../../../shared/errors.ts';

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

/** The file with the administrator's credentials of a cluster: made once, with a password of its own, for its owner alone. */
export function credentialsFile(stateDirectory: string, namespace: string, cluster: string): string {
  const file = join(stateDirectory, 'credentials', namespace, `${cluster}.json`);
  if (!existsSync(file)) {
    const password = randomBytes(24).toString('base64url');
    writeDurably(file, JSON.stringify({ username: 'Administrator', password }));
  }
  return file;
}
