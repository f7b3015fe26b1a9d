/** Brings the distribution of a version of Elasticsearch to this machine, once. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/log.ts';

const unpackLimitMs = 600_000;
const unpackGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack';
const draftPrefix = '.unpack-';

export interface DistributionDeps {
  readonly cacheDir: string;
  /** A distribution that is already on this machine: nothing is fetched. */
  readonly elasticsearchHome?: string;
  readonly log: Logger;
}

interface Coordinates {
  readonly group: string;
  readonly artifact: string;
}

/**
 * The directory of the unpacked distribution of exactly this version. Several processes may ask at once: what appears
 * under its name is whole, and the first to bring it wins. Every user of the machine can read it.
 */
export async function distributionFor(version: string, deps: DistributionDeps): Promise<string> {
  const coordinates = coordinatesOf(version);
  if (deps.elasticsearchHome !== undefined) return await validated(resolve(deps.elasticsearchHome), version);
  const target = join(resolve(deps.cacheDir), `elasticsearch-${version}`);
  if ((await versionIn(target)) === version) return target;
  await mkdir(deps.cacheDir, { recursive: true });
  // The database runs as another user than this one, whatever the umask is here.
  await chmod(deps.cacheDir, (await stat(deps.cacheDir)).mode | 0o555).catch(() => undefined);
  deps.log.info({ version, target }, 'fetching Elasticsearch');
  const draft = await mkdtemp(join(resolve(deps.cacheDir), draftPrefix));
  try {
    await unpack(draft, version, coordinates);
    await publish(join(draft, 'out', `elasticsearch-${version}`), target, version);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/** The coordinates in a Maven registry of the complete distribution under the Apache licence. */
function coordinatesOf(version: string): Coordinates {
  const group = 'org.elasticsearch.distribution.zip';
  if (/^5\.6\.\d+$/.test(version)) return { group, artifact: 'elasticsearch' };
  if (/^6\.\d+\.\d+$/.test(version)) return { group, artifact: 'elasticsearch-oss' };
  throw new NavigatorError('unsupported', `Elasticsearch ${version} is not supported`, {
    advice: ['use a version of 5.6 or 6, for example 5.6.16 or 6.8.23'],
  });
}

/** Rejects where a folder that a person names is no distribution at all, before anything is begun with another one. */
export async function expectDistribution(home: string): Promise<void> {
  if ((await versionIn(resolve(home))) !== undefined) return;
  throw new NavigatorError('invalid', `--elasticsearch-home: ${resolve(home)} is not an unpacked Elasticsearch`, {
    advice: ['it must be the folder with bin/elasticsearch and lib/elasticsearch-VERSION.jar in it'],
  });
}

async function validated(home: string, version: string): Promise<string> {
  const found = await versionIn(home);
  if (found === version) return home;
  const what = found === undefined ? 'is not an unpacked Elasticsearch' : `is Elasticsearch ${found}, not ${version}`;
  throw new NavigatorError('invalid', `${home} ${what}`, {
    advice: ['--elasticsearch-home must be the folder with bin/elasticsearch of the version in the manifest'],
  });
}

/** The version of the distribution in a folder, undefined where there is none. */
async function versionIn(home: string): Promise<string | undefined> {
  try {
    if (!(await stat(join(home, 'bin/elasticsearch'))).isFile()) return undefined;
    for (const name of await readdir(join(home, 'lib'))) {
      const version = /^elasticsearch-(\d+\.\d+\.\d+)\.jar$/.exec(name)?.[1];
      if (version) return version;
    }
    return undefined;
  } catch {
    return undefined;
  }
}

async function unpack(draft: string, version: string, coordinates: Coordinates): Promise<void> {
  await writeFile(join(draft, 'pom.xml'), pom(version, coordinates, join(draft, 'out')));
  const { ok, missing, output } = await run('mvn', ['-q', '-B', '-Dstyle.color=never', unpackGoal], draft);
  if (missing) {
    throw new NavigatorError('missing_tool', 'mvn was not found: Maven brings Elasticsearch to this machine', {
      advice: ['install Maven, for example: apt-get install maven', 'or pass --elasticsearch-home DIR'],
    });
  }
  if (ok) return;
  const last = output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 5)
    .join('\n');
  throw new NavigatorError('unavailable', `Maven could not bring Elasticsearch ${version}: ${last}`, {
    advice: ['check that Maven reaches its registry (~/.m2/settings.xml)', 'or pass --elasticsearch-home DIR'],
  });
}

function pom(version: string, { group, artifact }: Coordinates, output: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>navigator</groupId><artifactId>distribution</artifactId><version>1</version><packaging>pom</packaging>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.6.1</version>
    <configuration>
      <artifactItems><artifactItem>
        <groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version><type>zip</type>
      </artifactItem></artifactItems>
      <outputDirectory>${escapeXml(output)}</outputDirectory>
    </configuration>
  </plugin></plugins></build>
</project>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Gives the unpacked folder its name. Where another process was faster, its folder stands and ours is dropped. */
async function publish(unpacked: string, target: string, version: string): Promise<void> {
  if ((await versionIn(unpacked)) !== version) {
    throw new NavigatorError('internal', `the archive of Elasticsearch ${version} holds something else`);
  }
  await run('chmod', ['-R', 'a+rX', unpacked], '/');
  try {
    await rename(unpacked, target);
  } catch (error) {
    if ((await versionIn(target)) === version) return;
    throw new NavigatorError('conflict', `${target} is in the way: remove it`, { cause: error, retryable: false });
  }
}

interface RunResult {
  readonly ok: boolean;
  readonly missing: boolean;
  readonly output: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<RunResult> {
  const options = { cwd, timeout: unpackLimitMs, killSignal: 'SIGKILL' as const, maxBuffer: 1024 * 1024 };
  return new Promise((done) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      done({ ok: error === null, missing: error?.code === 'ENOENT', output: `${stdout}${stderr}` });
    });
    child.stdin?.end();
  });
}
