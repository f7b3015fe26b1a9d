/** What an engine of Couchbase stands on: the way to its node, the administrator's name and password, and a few small files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import type { Place } from '../engine.ts';
import { exists, ownedDirectory, passableDirectory, writeWhole } from '../files.ts';
import { carryTo, readCredentials, readPassword, type RestGround, type RestPlace } from './rest.ts';

/** The same engine stands on a real machine and on a simulated one. */
export interface Ground extends RestGround {
  /** The password in a secret. Throws where there is none. */
  readonly password: (secret: string) => string;
  /** Makes the member's directories. */
  makeDirectories(): Promise<void>;
  /** The text of a small file in the member's directory; undefined: there is none. */
  read(name: string): string | undefined;
  /** Writes a small file, whole or not at all. */
  write(name: string, text: string): Promise<void>;
}

export interface GroundPlace extends Place, RestPlace {
  /** Where the passwords of users are, a file each, as the credentials'. Absent: there are none. */
  readonly secretsDirectory?: string;
}

/** That of a real machine. */
export function groundAt(place: GroundPlace, clock: Clock): Ground {
  return {
    carry: carryTo(clock, place),
    credentials: () => readCredentials(place.credentialsFile),
    password: (secret) => readPassword(place.secretsDirectory ?? '', secret),
    makeDirectories: async () => {
      await passableDirectory(place.directory, place.uid);
      await ownedDirectory(join(place.directory, 'data'), place.uid);
      await furnish(join(place.distribution, 'var/lib/couchbase'));
    },
    read: (name) => {
      try {
        return readFileSync(join(place.directory, name), 'utf8');
      } catch {
        return undefined;
      }
    },
    write: (name, text) => writeWhole(join(place.directory, name), text),
  };
}

/** A volume that stands where the server keeps its own is empty at first, and it takes these folders for granted. */
async function furnish(own: string): Promise<void> {
  if (!(await exists(own))) return;
  for (const name of ['config', 'data', 'stats', 'logs']) await ownedDirectory(join(own, name));
}
