/** A server on one machine, assembled: SQLite, child processes, a Unix socket. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../shared/clock.ts';
import { sleep } from '../shared/clock.ts';
import { writeDurably } from '../shared/durable.ts';
import { NavigatorError } from '../shared/errors.ts';
import { Journal, JOURNAL_FILE } from '../shared/journal.ts';
import type { Logger } from '../shared/log.ts';
import { systemRandom } from '../shared/random.ts';
import { navigatorVersion } from '../shared/version.ts';
import type { Snapshot } from './cluster-loop.ts';
import { EventFeed } from './events.ts';
import { Loop } from './loop.ts';
import type { ClusterSpec } from './model/cluster.ts';
import { defaultTiming } from './model/timing.ts';
import { SignedTokens } from './rpc/identity.ts';
import { Refusals } from './rpc/refusals.ts';
import { ownerAccess } from './rpc/access.ts';
import { serveOnSocket } from './rpc/server.ts';
import { nodePapers } from './runtime/local/couchbase-papers.ts';
import { credentialsFile, findCouchbase, rotateCredentials, secretsDirectory } from './runtime/local/couchbase.ts';
import { distributionFor, expectDistribution } from './runtime/local/distribution.ts';
import { findJava } from './runtime/local/java.ts';
import { LocalRuntime, type Equipment } from './runtime/local/local.ts';
import { lockDirectory } from './store/lock.ts';
import { SqliteStore } from './store/sqlite.ts';

export interface EmbeddedOptions {
  readonly stateDirectory: string;
  readonly socket: string;
  readonly cacheDirectory: string;
  readonly elasticsearchHome?: string;
  readonly couchbaseHome?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logLevel: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface EmbeddedServer {
  readonly loop: Loop;
  /** What people must know of how a cluster of this application runs here; undefined: nothing. */
  notice(application: string): string | undefined;
  /** Stops every database in order, then every pilot. `progress` is called with how many still run. */
  stopEverything(who: string, progress: (running: number) => void): Promise<void>;
  /** Ends the server. Databases and pilots run on. */
  close(): Promise<void>;
}

const pollMs = 200;
/** Of one segment of the journal. There are two. */
const journalBytes = 16 * 2 ** 20;

/** Starts a server on a state directory. Clusters that were stopped in order are started again. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { stateDirectory, clock, log } = options;
  if (options.elasticsearchHome !== undefined) await expectDistribution(options.elasticsearchHome);
  makeDirectory(stateDirectory);
  // Databases that run as another user pass through it to their own directories; what is secret in it is 0600.
  chmodSync(stateDirectory, 0o711);
  const unlock = lockDirectory(stateDirectory);
  const tokens = new SignedTokens(secretOf(join(stateDirectory, 'secret')));
  const store = SqliteStore.open(join(stateDirectory, 'navigator.db'));
  const runtime = new LocalRuntime({
    stateDirectory,
    server: `unix:${options.socket}`,
    tokenFor: (cluster, member) => tokens.tokenFor({ cluster, member }),
    equip: (cluster, version, address) => equip(options, cluster, version, address),
    logLevel: options.logLevel,
    clock,
    log,
  });
  const events = new EventFeed();
  const wallMs = (): number => clock.wallMs();
  const keeping = { by: 'server', version: navigatorVersion(), segmentBytes: journalBytes, wallMs };
  const record = new Journal(join(stateDirectory, JOURNAL_FILE), keeping);
  let renewing: Promise<void> | undefined;
  const loop = new Loop({
    clock,
    random: systemRandom,
    store,
    runtime,
    log,
    timing: defaultTiming,
    record,
    publish: (event) => events.publish(event),
    passed: (cluster, snapshot) => {
      rotate(options, cluster, snapshot);
      // One at a time: passes come faster than a slow disk may be, and the next one looks again.
      renewing ??= renew(options, snapshot).finally(() => (renewing = undefined));
    },
  });
  await loop.open();
  const refusals = new Refusals();
  const rpc = await serveOnSocket(options.socket, {
    loop,
    identity: tokens,
    access: ownerAccess,
    refusals,
    clock,
    log,
    events,
    wallMs,
  });
  for (const cluster of loop.list()) await cluster.change(({ stopping: _stopping, ...ledger }) => ledger);
  log.info({ socket: options.socket }, 'the server is ready');
  return {
    loop,
    notice: (application) => notice(application, options),
    stopEverything: (who, progress) => stopEverything({ loop, runtime, clock, who, progress }),
    close: async () => {
      await loop.close();
      await rpc.close();
      await runtime.close();
      await store.close();
      record.close();
      unlock();
    },
  };
}

/** Of a pilot that speaks TLS with its node. */
async function tlsFlags(
  { stateDirectory, clock }: EmbeddedOptions,
  { id, couchbase }: ClusterSpec,
  address: string | undefined,
): Promise<Readonly<Record<string, string>>> {
  if (couchbase?.tls !== true || address === undefined) return {};
  const { caFile, directory } = await nodePapers(stateDirectory, id, address, clock.wallMs());
  return { 'database-ca-file': caFile, 'certificate-directory': directory };
}

/** After each pass: certificates whose time is nearly over are made anew. */
async function renew({ stateDirectory, clock, log }: EmbeddedOptions, { stored }: Snapshot): Promise<void> {
  const { spec, members } = stored.ledger;
  if (spec.couchbase?.tls !== true) return;
  for (const { address } of Object.values(members)) {
    await nodePapers(stateDirectory, spec.id, address, clock.wallMs()).catch((err: unknown) => {
      log.warn({ err, address }, 'the certificate of a node is not renewed');
    });
  }
}

/** After each pass: whether the administrator's password is another one in its secret, and how far that has come. */
function rotate({ stateDirectory, log }: EmbeddedOptions, cluster: string, { stored, observed }: Snapshot): void {
  const { spec } = stored.ledger;
  if (spec.application !== 'couchbase') return;
  try {
    rotateCredentials(stateDirectory, spec, observed.cluster?.topology?.administrator ?? '');
  } catch (err) {
    log.warn({ cluster, err }, "the administrator's password is not rotated");
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const { message } = NavigatorError.from(cause);
    throw new NavigatorError('forbidden', `the state directory ${path} cannot be made: ${message}`, {
      cause,
      advice: ['choose another one with --state-directory or NAVIGATOR_STATE_DIRECTORY'],
    });
  }
}

function notice(application: string, { couchbaseHome, env }: EmbeddedOptions): string | undefined {
  if (application !== 'couchbase' || !findCouchbase(couchbaseHome, env).simulated) return undefined;
  return 'There is no Couchbase Server on this machine: a simulator of its cluster manager runs in its place, and keeps no documents.';
}

async function equip(
  options: EmbeddedOptions,
  cluster: ClusterSpec,
  version: string,
  address?: string,
): Promise<Equipment> {
  switch (cluster.application) {
    case 'elasticsearch': {
      const flags = { 'java-home': findJava(version, options.env) };
      return { distribution: await bringDistribution(version, options), flags, asOwnUser: false };
    }
    case 'couchbase': {
      const { home, simulated } = findCouchbase(options.couchbaseHome, options.env);
      const file = credentialsFile(options.stateDirectory, cluster);
      const secrets = secretsDirectory(options.stateDirectory, cluster.id.namespace);
      // The simulator is a part of the clone, which another user may not be able to read.
      const flags = {
        'credentials-file': file,
        'secrets-directory': secrets,
        ...(await tlsFlags(options, cluster, address)),
      };
      return { distribution: home, flags, asOwnUser: simulated };
    }
  }
}

/** The given distribution where it is of the wanted version, otherwise one that is fetched. */
async function bringDistribution(version: string, options: EmbeddedOptions): Promise<string> {
  const { cacheDirectory: cacheDir, elasticsearchHome, log } = options;
  if (elasticsearchHome !== undefined) {
    try {
      return await distributionFor(version, { cacheDir, elasticsearchHome, log });
    } catch (thrown) {
      log.info({ version, err: thrown }, 'the given distribution is not of this version; it is fetched');
      return await distributionFor(version, { cacheDir, log }).catch(() => {
        throw NavigatorError.from(thrown);
      });
    }
  }
  return await distributionFor(version, { cacheDir, log });
}

/** The secret that signs tokens, made at the first start. */
function secretOf(path: string): Buffer {
  if (!existsSync(path)) writeDurably(path, randomBytes(32).toString('hex'));
  return Buffer.from(readFileSync(path, 'utf8').trim(), 'hex');
}

interface Stopping {
  readonly loop: Loop;
  readonly runtime: LocalRuntime;
  readonly clock: Clock;
  readonly who: string;
  readonly progress: (running: number) => void;
}

async function stopEverything({ loop, runtime, clock, who, progress }: Stopping): Promise<void> {
  const clusters = loop.list();
  for (const cluster of clusters) {
    await cluster.change((ledger) => ({ ...ledger, stopping: { who, why: 'navigator up was ended' } }));
  }
  const running = (): number =>
    clusters
      .flatMap((cluster) => [...(cluster.snapshot?.observed.members.values() ?? [])])
      .filter((member) => {
        const gone = member.process.phase === 'stopped';
        return !gone;
      }).length;
  for (let left = running(); left > 0; left = running()) {
    progress(left);
    await sleep(clock, pollMs);
  }
  for (const cluster of clusters) await runtime.endPilots(cluster.ledger.spec);
}
