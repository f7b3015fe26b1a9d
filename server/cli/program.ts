/** The `navigator` command: its words, options and help. What they do stands in the files that it names. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { NavigatorError } from '../../shared/errors.ts';
import { navigatorVersion } from '../../shared/version.ts';
import { exit, type Act, type Options } from './call.ts';
import * as change from './change-commands.ts';
import { connectClient } from './client.ts';
import { parseDuration } from './duration.ts';
import { placeOf } from './line.ts';
import { errorLines, errorView, toJson, type OutputFormat } from './output.ts';
import { addKubernetesFlags, kubernetesFlags, type KubernetesFlags } from './kubernetes-flags.ts';
import { stateDirectory } from './places.ts';
import * as read from './read-commands.ts';
import { replay } from './replay-command.ts';
import { colorsFor, processSurroundings, type Surroundings } from './surroundings.ts';
import { wait, waitMs } from './wait.ts';

/** What `navigator server` was asked for. */
export interface ServerOptions {
  readonly elasticsearchHome?: string;
  readonly couchbaseHome?: string;
  /** Absolute. */
  readonly stateDirectory: string;
  readonly output: OutputFormat;
  readonly logLevel: string;
  /** Present: it runs on Kubernetes. */
  readonly onKubernetes?: KubernetesFlags;
}

/** What `navigator up` was asked for. `file` absent: none was named; `-` is standard input. */
export interface UpOptions extends ServerOptions {
  readonly file?: string;
}

/** The commands that run a server; both answer with their exit code, and listen for signals themselves. */
export interface ServerCommands {
  up(options: UpOptions): Promise<number>;
  server(options: ServerOptions): Promise<number>;
}

/** The command, ready to run. */
export interface Program {
  /** Runs one command. `args` are without Node and the script. Resolves with the exit code; never rejects. */
  run(args: readonly string[]): Promise<number>;
}

/** The `navigator` command with everything that it finds around it. */
export function createProgram(commands: ServerCommands, around: Surroundings = processSurroundings()): Program {
  return {
    run: async (args) => {
      const running = startRun(around);
      const root = buildRoot(commands, running);
      let code: number;
      try {
        await root.parseAsync([...args], { from: 'user' });
        code = running.code;
      } catch (thrown) {
        code = fail(thrown, args, around);
      }
      running.end();
      // A reader that went away, such as `head`, has had all that it wanted.
      await new Promise<void>((flushed) => around.stdout.write('', () => flushed()));
      return running.isUnread() ? exit.ok : code;
    },
  };
}

interface Running {
  readonly around: Surroundings;
  readonly signal: AbortSignal;
  code: number;
  readonly isUnread: () => boolean;
  readonly stopOnInterrupt: () => void;
  readonly end: () => void;
}

function startRun(around: Surroundings): Running {
  const stop = new AbortController();
  let unread = false;
  let forget = (): void => undefined;
  // It stays: the error of a last write may come after the end of the run.
  around.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') unread = true;
    stop.abort();
  });
  return {
    around,
    signal: stop.signal,
    code: exit.ok,
    isUnread: () => unread,
    stopOnInterrupt: () => {
      forget();
      forget = around.onInterrupt(() => stop.abort());
    },
    end: () => forget(),
  };
}

/** Prints what was thrown, and says how to end. */
function fail(thrown: unknown, args: readonly string[], { stderr }: Surroundings): number {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return exit.ok;
  // Commander has printed the help of a command that needs a word more.
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return exit.usage;
  const error = thrown instanceof CommanderError ? usageError(thrown) : NavigatorError.from(thrown);
  const lines = wantsJson(args) ? [toJson(errorView(error))] : errorLines(error);
  for (const line of lines) stderr.write(`${line}\n`);
  return thrown instanceof CommanderError ? exit.usage : exit.failed;
}

function usageError(thrown: CommanderError): NavigatorError {
  const [message = '', ...more] = thrown.message.replace(/^error: /, '').split('\n');
  const advice = [...more.map((line) => line.replace(/^\((.*)\)$/, '$1')), '`navigator --help` lists every command'];
  return new NavigatorError('invalid', message, { advice });
}

/** What was wrong may be the very arguments, so that they cannot be parsed for this. */
function wantsJson(args: readonly string[]): boolean {
  const at = args.findLastIndex((arg) => /^(-o|--output)(=|$)/.test(arg) || /^-o./.test(arg));
  const arg = args[at] ?? '';
  return arg.endsWith('json') || ((arg === '-o' || arg === '--output') && args[at + 1] === 'json');
}

interface RootOptions {
  readonly stateDirectory?: string;
  readonly server?: string;
  readonly caFile?: string;
  readonly tokenFile?: string;
  readonly output: OutputFormat;
}

function buildRoot(commands: ServerCommands, running: Running): Command {
  const { stdout, stderr } = running.around;
  const root = new Command('navigator')
    .description(
      'Runs Elasticsearch and Couchbase clusters: a server that decides, and pilots that ask before anything destructive.',
    )
    .version(navigatorVersion(), '-V, --version', 'print the version')
    .option('--state-directory <dir>', 'where the server keeps its state and its socket (NAVIGATOR_STATE_DIRECTORY)')
    .option('--server <host:port>', 'a server elsewhere, over TLS (NAVIGATOR_SERVER)')
    .option('--ca-file <file>', 'the CA of that server (NAVIGATOR_CA_FILE)')
    .option('--token-file <file>', 'your token of Kubernetes (NAVIGATOR_TOKEN_FILE)')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
    })
    .configureHelp({ showGlobalOptions: true });
  examples(root, ['up -f cluster.yaml', 'get members demo', 'why demo', 'wait demo --for Ready && echo ready']);
  addServerCommands(root, commands, running);
  addChanging(root, running);
  addGetting(root, running);
  addRulings(root, running);
  addReplay(root, running);
  root
    .command('version')
    .description('print the version')
    .action(() => printVersion(root, running));
  return root;
}

function printVersion(root: Command, { around }: Running): void {
  const { output } = root.opts<RootOptions>();
  around.stdout.write(`${output === 'json' ? toJson({ version: navigatorVersion() }) : navigatorVersion()}\n`);
}

function examples(command: Command, lines: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  navigator ${line}`).join('\n')}`);
}

/** Has a command do its act with a client, and keeps the exit code. */
function act(command: Command, running: Running, does: Act): Command {
  return command.allowExcessArguments(false).action(async () => {
    const { around, signal, stopOnInterrupt } = running;
    const { output, ...flags } = command.optsWithGlobals<RootOptions>();
    const client = connectClient(placeOf(flags, around.env), around.clock);
    const colors = colorsFor(around);
    try {
      const options = command.opts<Options>();
      running.code = await does({
        args: command.args,
        options,
        output,
        client,
        around,
        colors,
        signal,
        stopOnInterrupt,
      });
    } finally {
      client.close();
    }
  });
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function addServerCommands(root: Command, commands: ServerCommands, running: Running): void {
  const options = (command: Command): UpOptions => {
    const { stateDirectory: flag, ...rest } = command.optsWithGlobals<
      Omit<UpOptions, 'stateDirectory'> & RootOptions
    >();
    return { ...rest, stateDirectory: stateDirectory(flag, running.around.env) };
  };
  const shared = (command: Command): Command =>
    command
      .allowExcessArguments(false)
      .option('--elasticsearch-home <dir>', 'an unpacked Elasticsearch to run instead of a fetched one')
      .option('--couchbase-home <dir>', 'an installed Couchbase Server; else the one on PATH, or a simulator')
      .addOption(new Option('--log-level <level>', 'how much to log').choices(logLevels).default('info'));
  const up = shared(root.command('up'))
    .description('run a server here, apply a manifest, and show what happens until Ctrl-C')
    .option('-f, --file <file>', 'the manifest of a cluster; - is standard input')
    .action(async () => {
      running.code = await commands.up(options(up));
    });
  examples(up, ['up', 'up -f cluster.yaml', 'up -f cluster.yaml --output json | jq .']);
  const server = addKubernetesFlags(shared(root.command('server')))
    .description('run a server here, and nothing else')
    .action(async () => {
      const onKubernetes = kubernetesFlags(server, running.around.env);
      running.code = await commands.server({ ...options(server), ...(onKubernetes && { onKubernetes }) });
    });
  examples(server, ['server --state-directory /var/lib/navigator --log-level debug', 'server --kubernetes']);
}

const namespaceFlag = ['-n, --namespace <namespace>', 'the namespace of the cluster (default)'] as const;

function addChanging(root: Command, running: Running): void {
  const files = (file: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), file];
  const apply = root
    .command('apply')
    .description('create or change clusters from their manifests')
    .requiredOption('-f, --file <file>', 'a manifest; - is standard input; may be repeated', files);
  examples(act(apply, running, change.apply), [
    'apply -f cluster.yaml',
    'apply -f one.yaml -f two.yaml',
    'apply -f - < cluster.yaml',
  ]);
  const onCluster = (name: string, description: string): Command =>
    root
      .command(name)
      .description(description)
      .argument('<cluster>', 'NAME or NAMESPACE/NAME')
      .option(...namespaceFlag);
  const pause = onCluster('pause', 'stop planning for a cluster; its databases run on');
  examples(act(pause, running, change.pause), ['pause demo']);
  const resume = onCluster('resume', 'go on planning for a paused cluster');
  examples(act(resume, running, change.resume), ['resume demo']);
  const remove = onCluster(
    'delete',
    'delete a cluster; its data stays where spec.nodePools[].persistence says onDelete: Retain',
  )
    .option('--wait', 'until it is gone')
    .addOption(timeout());
  examples(act(remove, running, change.deleteCluster), ['delete demo', 'delete demo --wait --timeout 5m']);
  const stepDown = onCluster('step-down', 'have another pilot lead');
  examples(act(stepDown, running, change.stepDown), ['step-down demo']);
}

function timeout(): Option {
  return new Option('--timeout <time>', 'how long to wait: 90s, 10m, 1h')
    .default(waitMs, '10m')
    .argParser((text: string) => {
      const lengthMs = parseDuration(text);
      if (lengthMs === undefined) throw new InvalidArgumentError('Write 90s, 10m or 1h30m.');
      return lengthMs;
    });
}

function addGetting(root: Command, running: Running): void {
  const get = root.command('get').description('list clusters, members or permits');
  examples(get, ['get clusters', 'get members demo', 'get permits demo --all', 'get clusters -o json']);
  const listing = (names: readonly [string, string], operand: string, description: string): Command =>
    get
      .command(names[0])
      .alias(names[1])
      .description(description)
      .argument(operand, 'NAME or NAMESPACE/NAME')
      .option(...namespaceFlag);
  const clusters = listing(['clusters', 'cluster'], '[name]', 'how each cluster is');
  examples(act(clusters, running, read.getClusters), ['get clusters', 'get cluster demo -o json']);
  const members = listing(
    ['members', 'member'],
    '[cluster]',
    'the members of a cluster; of the only one where none is named',
  );
  examples(act(members, running, read.getMembers), ['get members', 'get members demo -n staging']);
  const permits = listing(['permits', 'permit'], '[cluster]', 'the permits of a cluster').option(
    '--all',
    'ended ones, too',
  );
  examples(act(permits, running, read.getPermits), ['get permits demo', 'get permits demo --all -o json']);
  const why = root
    .command('why')
    .description('what is being done, and everything that holds it up')
    .argument('<cluster[/member]>', 'a cluster, or one member of it')
    .option(...namespaceFlag);
  examples(act(why, running, read.why), ['why demo', 'why demo/demo-data-1']);
  const events = root
    .command('events')
    .description('what happens from now on, until Ctrl-C')
    .argument('[cluster]', 'NAME or NAMESPACE/NAME; all where none is named')
    .option(...namespaceFlag)
    .option('--follow', 'what it does anyway');
  examples(act(events, running, read.events), ['events', 'events demo -o json']);
  const waiting = root
    .command('wait')
    .description('wait until a cluster is ready, or gone')
    .argument('[cluster]', 'NAME or NAMESPACE/NAME; the only one where none is named')
    .option(...namespaceFlag)
    .addOption(new Option('--for <goal>', 'what to wait for').choices(['Ready', 'deleted']).default('Ready'))
    .addOption(timeout());
  examples(act(waiting, running, wait), ['wait demo', 'wait demo --for deleted --timeout 5m']);
}

function addRulings(root: Command, running: Running): void {
  const permits = root.command('permits').alias('permit').description('decide about permits; `get permits` lists them');
  examples(permits, ['permits approve PERMIT --why "the backup is done"']);
  const meanings = {
    approve: 'let a queued permit pass the holds that a person may take upon themselves',
    deny: 'refuse a queued permit',
    revoke: 'take a granted permit back',
  } as const;
  for (const verdict of ['approve', 'deny', 'revoke'] as const) {
    const ruling = permits
      .command(verdict)
      .description(meanings[verdict])
      .argument('<permit>', 'its id')
      .requiredOption('--why <text>', 'the reason, for the ledger')
      .option('--cluster <cluster>', 'the cluster that holds it; found where it is not given')
      .option(...namespaceFlag);
    examples(act(ruling, running, change.rulePermit(verdict)), [
      `permits ${verdict} PERMIT --why "tonight's maintenance"`,
    ]);
  }
}

/** It reads files alone: no server need be up. */
function addReplay(root: Command, running: Running): void {
  const command = root
    .command('replay')
    .description('tell every destructive act that a journal holds, or make its decisions again')
    .argument('[path]', 'a journal, or a directory with journals below it; the state directory where none is named')
    .option('--verify', 'make every recorded decision again, and show the first that comes out differently')
    .allowExcessArguments(false)
    .action(() => {
      const { around } = running;
      const { stateDirectory: flag, output, verify } = command.optsWithGlobals<RootOptions & { verify?: boolean }>();
      const path = command.args[0] ?? stateDirectory(flag, around.env);
      running.code = replay({ path, verify: verify === true, output, stdout: around.stdout });
    });
  examples(command, ['replay', 'replay /var/lib/navigator/journal', 'replay --verify', 'replay -o json | jq .']);
}
