/** Commands that change something: apply, pause, resume, delete, step-down, permits. */
import { readFile } from 'node:fs/promises';
import { NavigatorError } from '../../shared/errors.ts';
import { parseManifest } from '../manifest/parse.ts';
import type { ClusterId } from '../model/cluster.ts';
import { exit, inNamespace, namedCluster, show, type Act, type Call } from './call.ts';
import type { Applied, NavigatorClient, Verdict } from './client.ts';
import { keyOf, word } from './tables.ts';
import { waitFor } from './wait.ts';

/** `apply -f FILE…`: where several are given, all are checked before the first is applied. */
export const apply: Act = async (call) => {
  const { options, client, around } = call;
  const files = options.file ?? [];
  const manifests = await readAll(files, around.stdin);
  if (manifests.length > 1) manifests.forEach((text, index) => check(files[index] ?? '', text));
  const applied: Applied[] = [];
  for (const manifest of manifests) {
    const result = await client.apply(manifest);
    applied.push(result);
    for (const warning of result.warnings) around.stderr.write(`warning: ${warning}\n`);
    const { cluster, outcome } = result;
    if (call.output === 'table') around.stdout.write(`${cluster.application}cluster ${keyOf(cluster)} ${outcome}\n`);
  }
  if (call.output === 'json') show(call, applied, []);
  return exit.ok;
};

async function readAll(files: readonly string[], stdin: NodeJS.ReadableStream): Promise<readonly string[]> {
  if (files.filter((file) => file === '-').length > 1) {
    throw new NavigatorError('invalid', 'standard input can be read once', { advice: ['give `-f -` only once'] });
  }
  const texts: string[] = [];
  for (const file of files) texts.push(await (file === '-' ? readStream(stdin) : readText(file)));
  return texts;
}

async function readStream(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    const known: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EISDIR: 'it is a directory' };
    throw new NavigatorError('invalid', `cannot read ${file}: ${known[code ?? ''] ?? message}`, { cause: thrown });
  }
}

function check(file: string, text: string): void {
  try {
    parseManifest(text);
  } catch (thrown) {
    const error = NavigatorError.from(thrown);
    throw Object.assign(error, { message: `${file}: ${error.message}` });
  }
}

/** `pause CLUSTER`. */
export const pause: Act = (call) => setPaused(call, true);

/** `resume CLUSTER`. */
export const resume: Act = (call) => setPaused(call, false);

async function setPaused(call: Call, paused: boolean): Promise<number> {
  const cluster = await call.client.setPaused(namedCluster(call.args[0] ?? '', call.options), paused);
  show(call, cluster, [`cluster ${keyOf(cluster)} ${paused ? 'paused' : 'resumed'}`]);
  return exit.ok;
}

/** `delete CLUSTER [--wait]`. */
export const deleteCluster: Act = async (call) => {
  const id = namedCluster(call.args[0] ?? '', call.options);
  await call.client.delete(id);
  if (call.options.wait !== true) {
    show(call, { ...id, outcome: 'deleting' }, [`cluster ${keyOf(id)} deleting`]);
    return exit.ok;
  }
  if (call.output === 'table') call.around.stdout.write(`cluster ${keyOf(id)} deleting\n`);
  return waitFor(call, id, 'deleted');
};

/** `step-down CLUSTER`. */
export const stepDown: Act = async (call) => {
  const id = namedCluster(call.args[0] ?? '', call.options);
  await call.client.stepDown(id);
  show(call, { ...id, outcome: 'stepping down' }, [`cluster ${keyOf(id)}: the leader hands over`]);
  return exit.ok;
};

const past: Readonly<Record<Verdict, string>> = { approve: 'approved', deny: 'denied', revoke: 'revoked' };

/** `permits approve|deny|revoke PERMIT --why TEXT`. */
export function rulePermit(verdict: Verdict): Act {
  return async (call) => {
    const { args, options, client, around } = call;
    const [permit = ''] = args;
    const id = options.cluster === undefined ? await holderOf(permit, call) : namedCluster(options.cluster, options);
    const ruling = { permit, who: around.userName(), why: options.why ?? '' };
    const holds = verdict === 'approve' ? await holdsOf(client, id, permit) : [];
    const ruled = await client.rule(id, verdict, { ...ruling, holds });
    const state = `${ruled.member} may ${word(ruled.verb)}: ${word(ruled.state)}`;
    show(call, ruled, [`permit ${permit} of ${keyOf(id)} ${past[verdict]} (${state})`]);
    return exit.ok;
  };
}

/** What holds the permit now is what the person rules on, whatever holds it when the ruling arrives. */
async function holdsOf(client: NavigatorClient, id: ClusterId, permit: string): Promise<readonly string[]> {
  const found = (await client.listPermits(id, true)).find((candidate) => candidate.id === permit);
  return found?.holds.map((hold) => hold.name) ?? [];
}

async function holderOf(permit: string, { client, options }: Call): Promise<ClusterId> {
  const clusters = (await client.listClusters()).filter((cluster) => inNamespace(cluster, options));
  const holders: ClusterId[] = [];
  for (const cluster of clusters) if (await holds(client, cluster, permit)) holders.push(cluster);
  const [only, ...more] = holders;
  if (only === undefined) {
    throw new NavigatorError('not_found', `no cluster has a permit ${permit}`, {
      advice: ['`navigator get permits CLUSTER --all` lists them'],
    });
  }
  if (more.length === 0) return only;
  throw new NavigatorError('invalid', `several clusters have a permit ${permit}`, {
    advice: [`name one with --cluster: ${holders.map(keyOf).join(', ')}`],
  });
}

async function holds(client: NavigatorClient, id: ClusterId, permit: string): Promise<boolean> {
  return (await client.listPermits(id, true)).some((candidate) => candidate.id === permit);
}
