/** One server a state directory: a lock that the kernel lets go of when its holder dies, however it dies. */
import { DatabaseSync } from 'node:sqlite';
import { NavigatorError } from '../../shared/errors.ts';

/** Takes the lock, or throws `already_exists`. The returned function lets go of it. */
export function lockDirectory(directory: string): () => void {
  const file = new DatabaseSync(`${directory}/server.lock`);
  try {
    file.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (cause) {
    file.close();
    throw new NavigatorError('already_exists', `another Navigator server runs on ${directory}`, {
      cause,
      advice: ['use it from a second terminal: `navigator get clusters`', 'or choose another --state-directory'],
    });
  }
  return () => file.close();
}
