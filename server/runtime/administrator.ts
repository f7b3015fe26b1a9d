/** The administrator that a database gets for whom nobody has named one. */
import { randomBytes } from 'node:crypto';

const passwordBytes = 24;

/** Another password each time. */
export function freshAdministrator(): { readonly username: string; readonly password: string } {
  return { username: 'Administrator', password: randomBytes(passwordBytes).toString('base64url') };
}
