/** The pilot's process: reads its flags, wires the live adapters, and runs until it has nothing left to look after. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { systemClock, type Clock } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import { Journal, JOURNAL_FILE } from '../shared/journal.ts';
import { createLogger } from '../shared/log.ts';
import { systemRandom } from '../shared/random.ts';
import { navigatorVersion } from '../shared/version.ts';
import type { Engine, Place } from './engine/engine.ts';
import { createCouchbaseEngine } from './engine/couchbase/engine.ts';
import { createElasticsearchEngine } from './engine/elasticsearch/engine.ts';
import { findJavaHome } from './engine/elasticsearch/java.ts';
import { claimDirectory, claimMemory, putMemoryAside } from './claim.ts';
import { Pilot } from './pilot.ts';
import { dialer, NETWORK_SPREAD_MS, Session, type Papers } from './session.ts';
import { createDatabaseProcess } from './supervisor/process.ts';
import { startProbes } from './supervisor/probes.ts';
import { startReaper } from './supervisor/reaper.ts';
import { listen } from './supervisor/signals.ts';
import { openState, STATE_FILE } from './supervisor/state.ts';

interface Flags {
  readonly server: string;
  readonly caFile?: string;
  readonly tokenFile: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly member: string;
  readonly version: string;
  readonly template?: string;
  readonly owner?: string;
  readonly pod?: string;
  readonly distribution: string;
  readonly directory: string;
  readonly address: string;
  readonly bind?: string;
  readonly publish?: string;
  readonly application: 'elasticsearch' | 'couchbase';
  readonly javaHome?: string;
  readonly credentialsFile?: string;
  readonly secretsDirectory?: string;
  readonly databaseCaFile?: string;
  readonly certificateDirectory?: string;
  readonly uid?: string;
  readonly grace: string;
  readonly probe: string;
  readonly logFile?: string;
  readonly logLevel: string;
}

function readFlags(): Flags {
  return new Command('navigator-pilot')
    .description('Supervises one database process, and asks the Navigator server before any destructive step.')
    .requiredOption('--server <target>', 'where the server listens: unix:/path or host:port')
    .requiredOption(
      '--token-file <path>',
      "the file that holds this member's token; read anew for each connection, as is the CA",
    )
    .option('--ca-file <path>', "the CA of the server's certificate, for TLS; absent: no TLS")
    .requiredOption('--cluster <name>', 'the cluster that this member belongs to')
    .requiredOption('--member <name>', 'the name of this member')
    .requiredOption('--version <version>', 'the version of the database distribution')
    .requiredOption('--distribution <directory>', 'the unpacked database distribution')
    .requiredOption('--directory <directory>', "the member's own directory")
    .requiredOption('--address <address>', 'where the peers of the database reach it; without --bind what it binds')
    .option('--bind <address>', 'what the database binds, such as 0.0.0.0 in a pod')
    .option('--publish <address>', "what it tells its peers, with --bind; absent: this machine's first own address")
    .option('--owner <id>', "the cluster's lasting identity, where its volumes may outlive it")
    .option('--pod <id>', "the pod's own identity; with --owner, one that has left begins anew in the next pod")
    .option('--template <digest>', 'stands for the pod that it runs in; absent: there are no pods')
    .addOption(
      new Option('--application <name>', 'the database')
        .choices(['elasticsearch', 'couchbase'])
        .default('elasticsearch'),
    )
    .option('--java-home <directory>', "the JDK that runs Elasticsearch; absent: this image's")
    .option(
      '--credentials-file <path>',
      "the file with the administrator's username and password of Couchbase, mode 600",
    )
    .option('--secrets-directory <path>', 'where passwords of users of Couchbase are, a file of mode 600 each')
    .option(
      '--database-ca-file <path>',
      'the CA that the certificate of Couchbase is verified with; absent: plain HTTP',
    )
    .option('--certificate-directory <path>', 'chain.pem and pkey.key that Couchbase is to show; absent: what it has')
    .option('--namespace <name>', 'the namespace of the cluster', 'default')
    .option('--uid <number>', "the user that the database runs as; absent: the pilot's own")
    .option('--grace <seconds>', 'how long after SIGTERM the pilot may take', '30')
    .option('--probe <address>', 'host:port or unix path of the liveness and readiness probes; absent: none', '')
    .option('--log-file <path>', 'absent: standard error')
    .option('--log-level <level>', 'trace, debug, info, warn or error', 'info')
    .parse()
    .opts<Flags>();
}

function engineOf(flags: Flags, clock: Clock): Engine {
  const place = placeOf(flags);
  if (flags.application === 'elasticsearch') return createElasticsearchEngine(place, { clock });
  const { credentialsFile, secretsDirectory, databaseCaFile: caFile, certificateDirectory } = flags;
  if (credentialsFile === undefined) throw new NavigatorError('invalid', 'Couchbase needs --credentials-file');
  const secrets = { credentialsFile, ...(secretsDirectory !== undefined && { secretsDirectory }) };
  const papers = certificateDirectory === undefined ? {} : { certificateDirectory };
  const own = { ...place, ...secrets, ...papers, ...(caFile !== undefined && { caFile }) };
  return createCouchbaseEngine(own, { clock, random: systemRandom });
}

function placeOf(flags: Flags): Place {
  return {
    member: flags.member,
    cluster: flags.cluster,
    address: flags.address,
    httpPort: 9200,
    transportPort: 9300,
    distribution: flags.distribution,
    directory: flags.directory,
    javaHome: javaHomeOf(flags),
    ...(flags.bind !== undefined && { bind: flags.bind, publish: flags.publish ?? firstAddress() }),
    ...(flags.uid !== undefined && { uid: Number(flags.uid) }),
  };
}

/** Empty for a database that needs none. */
function javaHomeOf({ application, javaHome, distribution }: Flags): string {
  return javaHome ?? (application === 'elasticsearch' ? findJavaHome(distribution, process.env) : '');
}

/** The address of a pod, which has one besides loopback; where there are more, IPv4 goes first. */
function firstAddress(): string {
  const outward = Object.values(networkInterfaces()).flatMap((entries) => entries?.filter((it) => !it.internal) ?? []);
  const first = outward.find(({ family }) => family === 'IPv4') ?? outward[0];
  if (first === undefined) throw new Error('this machine has no address but loopback: say --publish');
  return first.address;
}

/** Of one segment of the journal. There are two. */
const journalBytes = 2 * 2 ** 20;

async function main(): Promise<void> {
  const flags = readFlags();
  const log = createLogger(`pilot ${flags.member}`, flags.logLevel, flags.logFile);
  if (!claimDirectory(flags.directory, flags.version)) {
    log.error('another pilot looks after this member already');
    process.exit(1);
  }
  const clock = systemClock();
  const signals = listen({
    onStop: (signal) => {
      log.info({ signal }, 'asked to stop');
      pilot.terminate(Number(flags.grace) * 1_000);
    },
    // A JVM ends on SIGHUP and SIGUSR1; SIGQUIT makes it write down its threads.
    onForward: (signal) => signal === 'SIGQUIT' && pilot.forward(signal),
  });
  const reaper = await startReaper({ clock, log });
  const engine = engineOf(flags, clock);
  const process_ = createDatabaseProcess({ directory: flags.directory, clock, log });
  const { owner, pod } = flags;
  const memoryFile = join(flags.directory, STATE_FILE);
  if (owner !== undefined) claimMemory(memoryFile, { owner, ...(pod !== undefined && { pod }) });
  const memory = openState(flags.directory, log);
  const version = navigatorVersion();
  const identity = { ...flags, pilotVersion: version };
  const by = `pilot ${flags.member}`;
  const keeping = { by, version, segmentBytes: journalBytes, wallMs: () => clock.wallMs() };
  const record = new Journal(join(flags.directory, JOURNAL_FILE), keeping);
  const ports = { clock, random: systemRandom, log, engine, process: process_, memory, record };
  const pilot = new Pilot(identity, ports, () => {
    log.info('the pilot ends');
    if (owner !== undefined && memory.current().left === true) putMemoryAside(memoryFile);
    signals.close();
    reaper?.close();
    process.exit(0);
  });
  const session = new Session(
    {
      hello: () => pilot.hello(),
      onMessage: (message) => pilot.hear(message),
      onChange: (connected) => log.info({ connected }, connected ? 'the server is there' : 'the server is away'),
      ...(!flags.server.startsWith('unix:') && { spreadMs: NETWORK_SPREAD_MS }),
    },
    { clock, random: systemRandom, log, dial: dialer(flags.server, papersOf(flags)) },
  );
  if (flags.probe !== '') {
    await startProbes(probeAddress(flags.probe), { ready: () => pilot.readiness(), status: () => pilot.status() });
  }
  pilot.start(session);
}

function papersOf({ tokenFile, caFile }: Flags): Papers {
  const token = (): string => readFileSync(tokenFile, 'utf8').trim();
  return caFile === undefined ? { token } : { token, ca: () => readFileSync(caFile) };
}

function probeAddress(text: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (text.startsWith('/')) return { path: text };
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

await main();
