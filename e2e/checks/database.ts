/** The database of a member, as its clients see it. */
import { must } from './check.ts';
import { find, list, kubectl, type KubeObject } from './kubectl.ts';

const answerWithinMs = 20_000;
const isOurs = process.env['NAVIGATOR_E2E_DIRECTORY'] !== undefined;

export interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- checks look at whatever came
  readonly body: any;
}

export interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

/** Asks the database of a pod: from the node on a cluster of our own, from within the pod elsewhere. */
export async function ask(pod: KubeObject, question: Question): Promise<Answer> {
  return isOurs ? await overNetwork(pod, question) : await withinPod(pod, question);
}

async function overNetwork(pod: KubeObject, { method = 'GET', path, body }: Question): Promise<Answer> {
  const answer = await fetch(`http://${pod['status'].podIP}:9200${path}`, {
    method,
    signal: AbortSignal.timeout(answerWithinMs),
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: answer.status, body: parsed(await answer.text()) };
}

async function withinPod(pod: KubeObject, { method = 'GET', path, body }: Question): Promise<Answer> {
  const { name, namespace = 'default' } = pod.metadata;
  const data = body === undefined ? [] : ['-H', 'content-type: application/json', '-d', JSON.stringify(body)];
  const curl = [
    'curl',
    '-s',
    '-m',
    '20',
    '-w',
    '\n%{http_code}',
    '-X',
    method,
    ...data,
    `http://127.0.0.1:9200${path}`,
  ];
  const text = await kubectl('-n', namespace, 'exec', name, '-c', 'elasticsearch', '--', ...curl);
  const at = text.trimEnd().lastIndexOf('\n');
  return { status: Number(text.slice(at + 1)), body: parsed(text.slice(0, at)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The pods of a cluster that are not about to go, by name. */
export async function podsOf(cluster: string, namespace = 'default'): Promise<readonly KubeObject[]> {
  const pods = await list('pods', namespace, `navigator.jetstack.io/cluster=${cluster}`);
  return pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true }));
}

/** Asks any member that answers. */
export async function askAny(cluster: string, question: Question, namespace = 'default'): Promise<Answer> {
  let last: unknown;
  for (const pod of await podsOf(cluster, namespace)) {
    try {
      return await ask(pod, question);
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`no member of ${namespace}/${cluster} answers`, { cause: last });
}

/** How many times the database of a pod has been started, and which pod it is. */
export interface Lives {
  readonly pod: string;
  readonly uid: string;
  readonly containerRestarts: number;
  /** The database's own name of this life of its process. */
  readonly process: string;
}

/** Of every member, to compare with later: nothing of it changes where no database was restarted. */
export async function livesOf(cluster: string, namespace = 'default'): Promise<readonly Lives[]> {
  const pods = await podsOf(cluster, namespace);
  return await Promise.all(
    pods.map(async (pod) => {
      const { body } = await ask(pod, {
        path: '/_nodes/_local/process,jvm?filter_path=nodes.*.jvm.start_time_in_millis',
      });
      const started = Object.values(body.nodes as Record<string, { jvm: { start_time_in_millis: number } }>)[0];
      return {
        pod: pod.metadata.name,
        uid: pod.metadata.uid,
        containerRestarts: pod['status'].containerStatuses[0].restartCount as number,
        process: String(started?.jvm.start_time_in_millis),
      };
    }),
  );
}

/** Rejects where any database of a cluster has been started again since. */
export async function noneRestarted(
  before: readonly Lives[],
  cluster = 'demo',
  namespace = 'default',
): Promise<string> {
  const after = await livesOf(cluster, namespace);
  for (const { pod, uid, containerRestarts, process } of before) {
    const now = after.find((each) => each.pod === pod);
    must(now !== undefined && now.uid === uid, `${pod} is another pod`);
    must(now?.containerRestarts === containerRestarts, `the container of ${pod} was restarted`);
    must(now?.process === process, `the database of ${pod} was restarted`);
  }
  return `${before.length} databases, none restarted`;
}

/** The condition of a cluster's object; undefined where it is not said. */
export async function condition(cluster: string, type: string, namespace = 'default'): Promise<string | undefined> {
  const object = await find('elasticsearchcluster', cluster, namespace);
  const conditions = (object?.['status']?.conditions ?? []) as readonly { type: string; status: string }[];
  return conditions.find((each) => each.type === type)?.status;
}

/** The health that the database itself says. */
export async function health(cluster: string, namespace = 'default'): Promise<{ status: string; nodes: number }> {
  const { body } = await askAny(cluster, { path: '/_cluster/health?local=false&timeout=1s' }, namespace);
  return { status: body.status as string, nodes: body.number_of_nodes as number };
}
