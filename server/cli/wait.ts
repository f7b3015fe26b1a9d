/** Waiting until a cluster is what it should be. */
import { sleep } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { ClusterId } from '../model/cluster.ts';
import { chosenCluster, exit, show, type Act, type Call } from './call.ts';
import type { Cluster } from './client.ts';
import { writeDuration } from './duration.ts';
import { holdText, keyOf } from './tables.ts';

/** What can be waited for. */
export type Goal = 'Ready' | 'deleted';

const lookEveryMs = 1_000;
/** How long a wait lasts where --timeout does not say. */
export const waitMs = 600_000;

/** `wait [CLUSTER] [--for Ready|deleted] [--timeout 10m]`. */
export const wait: Act = async (call) => waitFor(call, await chosenCluster(call), call.options.for ?? 'Ready');

/**
 * Asks every second until the goal is reached; Ctrl-C ends it with 130. Throws `timeout` with all that holds the cluster.
 * A server that goes away meanwhile is waited for, but one that does not answer at first is not.
 */
export async function waitFor(call: Call, id: ClusterId, goal: Goal): Promise<number> {
  const { clock } = call.around;
  call.stopOnInterrupt();
  const limitMs = call.options.timeout ?? waitMs;
  const beganMs = clock.monotonicMs();
  let last = await look(call, id, goal);
  while (!call.signal.aborted) {
    if (isReached(last, goal)) {
      const word = goal === 'deleted' ? 'deleted' : 'ready';
      show(call, last ?? { ...id, outcome: 'deleted' }, [`cluster ${keyOf(id)} ${word}`]);
      return exit.ok;
    }
    if (clock.monotonicMs() - beganMs >= limitMs) throw tooLate(id, goal, last, limitMs);
    await sleep(clock, lookEveryMs, call.signal);
    last = await lookAgain(call, id, goal, last);
  }
  return exit.interrupted;
}

/** Undefined: the cluster is gone, which is an error unless it is the goal. */
async function look({ client }: Call, id: ClusterId, goal: Goal): Promise<Cluster | undefined> {
  try {
    return (await client.getCluster(id)).cluster;
  } catch (thrown) {
    if (goal === 'deleted' && NavigatorError.from(thrown).code === 'not_found') return undefined;
    throw thrown;
  }
}

async function lookAgain(
  call: Call,
  id: ClusterId,
  goal: Goal,
  last: Cluster | undefined,
): Promise<Cluster | undefined> {
  try {
    return await look(call, id, goal);
  } catch (thrown) {
    if (NavigatorError.from(thrown).retryable) return last;
    throw thrown;
  }
}

/** A cluster is ready when the server has seen the newest manifest and says so of that one. */
function isReached(cluster: Cluster | undefined, goal: Goal): boolean {
  if (cluster === undefined) return goal === 'deleted';
  const ready = cluster.conditions.some(({ type, status }) => type === 'Ready' && status);
  return goal === 'Ready' && ready && cluster.observedGeneration === cluster.generation;
}

function tooLate(id: ClusterId, goal: Goal, cluster: Cluster | undefined, limitMs: number): NavigatorError {
  const ready = cluster?.conditions.find(({ type }) => type === 'Ready')?.message ?? '';
  const holds = (cluster?.holds ?? []).map((hold) => `held by ${holdText(hold, true)}`);
  const doing = (cluster?.doing ?? []).map((line) => `doing ${line}`);
  const known = [ready, ...doing, ...holds].filter((line) => line !== '');
  const what = goal === 'deleted' ? 'deleted' : 'ready';
  return new NavigatorError('timeout', `cluster ${keyOf(id)} is not ${what} after ${writeDuration(limitMs)}`, {
    advice: [...known, `\`navigator why ${keyOf(id)}\` tells what holds it`],
  });
}
