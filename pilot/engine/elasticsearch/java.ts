/** Finds the Java runtime of the image that a pilot runs in. */
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { NavigatorError } from '../../../shared/errors.ts';

/**
 * The home of the Java that runs the distribution: JAVA_HOME as the image sets it, else the runtime that the distribution
 * brings, else that of the `java` on PATH. Throws `missing_tool` where there is none.
 */
export function findJavaHome(distribution: string, env: Readonly<Record<string, string | undefined>>): string {
  const named = [env['JAVA_HOME'] ?? '', join(distribution, 'jdk')];
  const home = named.find((place) => place !== '' && existsSync(join(place, 'bin/java')));
  if (home !== undefined) return home;
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const program = join(folder, 'java');
    // What is on PATH is a link, often to a link; its home is two above the program itself.
    if (folder !== '' && existsSync(program)) return dirname(dirname(realpathSync(program)));
  }
  throw new NavigatorError('missing_tool', 'no Java was found', {
    advice: [`looked at JAVA_HOME, ${distribution}/jdk and PATH`, 'say --java-home'],
  });
}
