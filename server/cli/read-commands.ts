/** Commands that only look: get, why, events. */
import type { ClusterId } from '../model/cluster.ts';
import { chosenCluster, exit, inNamespace, namedCluster, show, widthOf, type Act, type Call } from './call.ts';
import { toJson } from './output.ts';
import { clusterTable, eventLine, keyOf, memberTable, permitTable, whyLines } from './tables.ts';

/** `get clusters [NAME]`: JSON of one cluster holds its manifest, too. */
export const getClusters: Act = async (call) => {
  const { args, options, client, colors } = call;
  const [text] = args;
  if (text !== undefined) {
    const { cluster, manifest } = await client.getCluster(namedCluster(text, options));
    show(call, { ...cluster, manifest }, clusterTable([cluster], colors, widthOf(call)));
    return exit.ok;
  }
  const clusters = (await client.listClusters()).filter((cluster) => inNamespace(cluster, options));
  if (clusters.length === 0) return nothing(call, 'there is no cluster; `navigator apply -f FILE` makes one');
  show(call, clusters, clusterTable(clusters, colors, widthOf(call)));
  return exit.ok;
};

/** `get members [CLUSTER]`. */
export const getMembers: Act = async (call) => {
  const id = await chosenCluster(call);
  const members = await call.client.listMembers(id);
  if (members.length === 0) return nothing(call, `cluster ${keyOf(id)} has no members`);
  show(call, members, memberTable(members, call.around.clock.wallMs(), widthOf(call)));
  return exit.ok;
};

/** `get permits [CLUSTER] [--all]`. */
export const getPermits: Act = async (call) => {
  const id = await chosenCluster(call);
  const permits = await call.client.listPermits(id, call.options.all === true);
  if (permits.length === 0)
    return nothing(
      call,
      `cluster ${keyOf(id)} has no permits${call.options.all ? '' : ' that stand; --all shows the ended ones'}`,
    );
  show(call, permits, permitTable(permits, call.around.clock.wallMs(), widthOf(call)));
  return exit.ok;
};

/** An empty list is an empty list for programs; people are told so where it does not get into a pipe. */
function nothing(call: Call, text: string): number {
  if (call.output === 'json') show(call, [], []);
  else call.around.stderr.write(`${text}\n`);
  return exit.ok;
}

/** `why CLUSTER[/MEMBER]`. */
export const why: Act = async (call) => {
  const { id, member } = await whyOf(call);
  const answer = await call.client.why(id, member);
  show(call, answer, whyLines(member === '' ? keyOf(id) : `${keyOf(id)} ${member}`, answer));
  return exit.ok;
};

/** `a/b` is member b of cluster a, unless there is a cluster b in namespace a and none that is called a. */
async function whyOf({ args, options, client }: Call): Promise<{ readonly id: ClusterId; readonly member: string }> {
  const text = args[0] ?? '';
  const parts = text.split('/');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 3) return { id: namedCluster(`${first}/${second}`, options), member: third };
  if (parts.length !== 2) return { id: namedCluster(text, options), member: '' };
  const id = namedCluster(first, options);
  const keys = (await client.listClusters()).map(keyOf);
  if (!keys.includes(keyOf(id)) && keys.includes(text)) return { id: namedCluster(text, options), member: '' };
  return { id, member: second };
}

/** `events [CLUSTER]`: until Ctrl-C, which is its usual end. */
export const events: Act = async (call) => {
  const { args, options, client, around, output, signal } = call;
  const [text] = args;
  const id = text === undefined ? undefined : namedCluster(text, options);
  // A watch of a cluster that is not there would wait for ever.
  if (id !== undefined) await client.getCluster(id);
  call.stopOnInterrupt();
  for await (const event of client.watchEvents(id, signal)) {
    if (id === undefined && options.namespace !== undefined && !event.cluster.startsWith(`${options.namespace}/`))
      continue;
    around.stdout.write(`${output === 'json' ? toJson(event, 0) : eventLine(event)}\n`);
  }
  return exit.ok;
};
