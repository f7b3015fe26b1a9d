/** The administrator of a database: who it is at first, and how the one comes after the other without anybody being shut out. Pure. */
import { randomBytes } from 'node:crypto';
import { NavigatorError } from '../../shared/errors.ts';

const passwordBytes = 24;
/** The database takes no shorter one. */
const passwordMin = 6;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What pilots read: those in force, those that are to be, and those that were before. */
export interface Administrator extends Credentials {
  /** `id` is another one for each rotation. `waits`: not to be told the database yet, since not every pilot can have read it. */
  readonly next?: Credentials & { readonly id: string; readonly waits?: true };
  readonly last?: Credentials;
}

/** Another password each time. */
export function freshAdministrator(): Credentials {
  return { username: 'Administrator', password: randomBytes(passwordBytes).toString('base64url') };
}

/** What somebody has put into a secret. `where` is how the message calls it. */
export function credentialsIn(
  found: Partial<Readonly<Record<keyof Credentials, unknown>>>,
  where: string,
): Credentials {
  const { username = 'Administrator', password } = found;
  if (typeof password !== 'string' || password.length < passwordMin)
    throw new NavigatorError('invalid', `${where} has no password of ${passwordMin} characters or more`);
  if (typeof username !== 'string' || username === '')
    throw new NavigatorError('invalid', `${where} has a username that is no text`);
  return { username, password };
}

/**
 * Takes a rotation one step on. What the secret says becomes the next credentials; once the leader says that the database takes
 * those (`accepted` is their id), they are the ones in force. Pilots know both, and those of before: nobody is refused at any
 * moment. The same object where nothing changes. `fresh` is what the next ones get beside their words.
 */
export function rotated(
  held: Administrator,
  {
    secret,
    accepted,
    fresh,
  }: {
    readonly secret: Credentials | undefined;
    readonly accepted: string;
    readonly fresh: { readonly id: string; readonly waits?: true };
  },
): Administrator {
  const { next, username, password } = held;
  if (next !== undefined && accepted === next.id)
    return { username: next.username, password: next.password, last: { username, password } };
  // One that the database may have taken already is never replaced by another one before it has said so.
  if (secret === undefined || next !== undefined) return held;
  if (secret.username === username && secret.password === password) return held;
  return { ...held, next: { ...secret, ...fresh } };
}

/** An id that no other rotation has. */
export function rotationId(): string {
  return randomBytes(8).toString('hex');
}
