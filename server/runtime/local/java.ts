/** Finds a JDK that the wanted Elasticsearch runs on. */
import { accessSync, constants, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { NavigatorError } from '../../../shared/errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The majors of Java, both ends included. */
interface JavaRange {
  readonly from: number;
  readonly to: number;
}

/** Where distributions of Linux put their JDKs. */
const systemHomes = '/usr/lib/jvm';

/**
 * The home of a JDK for a version of Elasticsearch: NAVIGATOR_JAVA_HOME where it is set, else the newest that fits among
 * JAVA_HOME, the `java` on PATH and /usr/lib/jvm. Rejects with `missing_tool` and what to do where there is none.
 */
export function findJava(elasticsearchVersion: string, env: Env): string {
  const range = rangeFor(elasticsearchVersion);
  const chosen = env['NAVIGATOR_JAVA_HOME'];
  if (chosen) {
    const major = majorOf(chosen);
    if (major !== undefined && fits(range, major)) return chosen;
    const found = major === undefined ? 'no Java' : `Java ${major}`;
    throw missing(elasticsearchVersion, range, `NAVIGATOR_JAVA_HOME=${chosen} has ${found}`);
  }
  const seen: string[] = [];
  let best: { readonly home: string; readonly major: number } | undefined;
  for (const home of candidates(env)) {
    const major = majorOf(home);
    if (major === undefined) continue;
    seen.push(`Java ${major} at ${home}`);
    if (fits(range, major) && major > (best?.major ?? 0)) best = { home, major };
  }
  if (best) return best.home;
  throw missing(elasticsearchVersion, range, seen.length > 0 ? `found only ${seen.join(', ')}` : 'no Java was found');
}

function rangeFor(version: string): JavaRange {
  // Measured: 5.6.16 and 6.8.23 run on 17 and not on 25, where the security manager that they install is gone.
  if (/^(5\.6|6\.\d+)\.\d+$/.test(version)) return { from: 8, to: 17 };
  throw new NavigatorError('unsupported', `Elasticsearch ${version} is not supported`);
}

function candidates(env: Env): string[] {
  const homes: string[] = [];
  if (env['JAVA_HOME']) homes.push(env['JAVA_HOME']);
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const program = real(join(folder, 'java'));
    if (folder !== '' && program) homes.push(dirname(dirname(program)));
  }
  for (const name of list(systemHomes)) homes.push(join(systemHomes, name));
  // Several names of one JDK are usual: the first way it was found is kept.
  const byPlace = new Map<string, string>();
  for (const home of homes) {
    const place = real(home);
    if (place && !byPlace.has(place)) byPlace.set(place, home);
  }
  return [...byPlace.values()];
}

function majorOf(home: string): number | undefined {
  try {
    accessSync(join(home, 'bin/java'), constants.X_OK);
    const release = readFileSync(releaseFile(home), 'utf8');
    const version = /^JAVA_VERSION="(?:1\.)?(\d+)/m.exec(release)?.[1];
    return version === undefined ? undefined : Number(version);
  } catch {
    return undefined;
  }
}

/** A JDK 8 has its `java` in `jre/bin` too, and the release file one above. */
function releaseFile(home: string): string {
  return home.endsWith('/jre') ? join(dirname(home), 'release') : join(home, 'release');
}

function fits(range: JavaRange, major: number): boolean {
  return major >= range.from && major <= range.to;
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function missing(version: string, range: JavaRange, found: string): NavigatorError {
  const message = `Elasticsearch ${version} needs Java ${range.from} to ${range.to}: ${found}`;
  return new NavigatorError('missing_tool', message, {
    advice: [
      `install one, for example: apt-get install openjdk-${range.to}-jdk-headless`,
      'or point NAVIGATOR_JAVA_HOME at one',
    ],
  });
}
