/** One running command: what it was asked, whom it asks, and where it prints. */
import { NavigatorError } from '../../shared/errors.ts';
import type { ClusterId } from '../model/cluster.ts';
import type { NavigatorClient } from './client.ts';
import { toJson, type OutputFormat } from './output.ts';
import type { Colors, Surroundings } from './surroundings.ts';
import { keyOf } from './tables.ts';

/** The exit codes of every command. */
export const exit = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Options of any command; each command reads those that it has declared. */
export interface Options {
  readonly namespace?: string;
  readonly cluster?: string;
  readonly file?: readonly string[];
  readonly all?: boolean;
  readonly why?: string;
  readonly wait?: boolean;
  readonly for?: 'Ready' | 'deleted';
  /** Milliseconds. */
  readonly timeout?: number;
}

/** All that a command has to work with. */
export interface Call {
  /** Operands as they were written, those that were left out absent. */
  readonly args: readonly string[];
  readonly options: Options;
  readonly output: OutputFormat;
  readonly client: NavigatorClient;
  readonly around: Surroundings;
  readonly colors: Colors;
  /** Aborted where nobody reads any more, and by Ctrl-C once `stopOnInterrupt` was called. */
  readonly signal: AbortSignal;
  readonly stopOnInterrupt: () => void;
}

/** Does what a command is for, and answers with its exit code. */
export type Act = (call: Call) => Promise<number>;

/** Prints a view as JSON, or as the lines that people read. */
export function show({ around, output }: Call, view: unknown, lines: readonly string[]): void {
  if (output === 'json') around.stdout.write(`${toJson(view)}\n`);
  else for (const line of lines) around.stdout.write(`${line}\n`);
}

/** Columns of the terminal; undefined in a pipe, where nothing is cut. */
export function widthOf({ around }: Call): number | undefined {
  const { isTTY, columns } = around.stdout;
  return isTTY === true ? columns : undefined;
}

/** The cluster that a text names: NAME in the namespace of --namespace, or NAMESPACE/NAME as events write it. */
export function namedCluster(text: string, { namespace }: Options): ClusterId {
  const [first = '', second, ...more] = text.split('/');
  const name = second ?? first;
  if (more.length > 0 || name === '' || first === '') {
    throw new NavigatorError('invalid', `${text} names no cluster`, { advice: ['write NAME or NAMESPACE/NAME'] });
  }
  if (second === undefined) return { namespace: namespace ?? 'default', name };
  if (namespace !== undefined && namespace !== first) {
    throw new NavigatorError('invalid', `${text} is not in the namespace ${namespace} of --namespace`);
  }
  return { namespace: first, name };
}

/** The cluster that the first operand names; where there is none, the only cluster that there is. */
export async function chosenCluster({ args, options, client }: Call): Promise<ClusterId> {
  const [text] = args;
  if (text !== undefined) return namedCluster(text, options);
  const wanted = (await client.listClusters()).filter((cluster) => inNamespace(cluster, options));
  const [only, ...more] = wanted;
  if (only === undefined) {
    const advice = ['`navigator apply -f FILE` makes one'];
    throw new NavigatorError('not_found', 'there is no cluster yet', { advice });
  }
  if (more.length === 0) return { namespace: only.namespace, name: only.name };
  const advice = [`name one of: ${wanted.map(keyOf).join(', ')}`];
  throw new NavigatorError('invalid', `there are ${wanted.length} clusters, and none is named`, { advice });
}

/** Whether a cluster is in the namespace of --namespace; all are where it was not given. */
export function inNamespace(cluster: ClusterId, { namespace }: Options): boolean {
  return namespace === undefined || cluster.namespace === namespace;
}
