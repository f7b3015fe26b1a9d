/**
 * What goes before a stop that was permitted: a graceful failover of this node. Its active vBuckets change places with their
 * replicas, nobody misses an answer, and it comes back by delta recovery. Where the database refuses, for one because there
 * are no replicas, or where it fails, the node is stopped as it is: what it holds is on its disk.
 *
 * That takes its time, and what the stop was permitted on may be true no longer when it ends. So the last word is what is
 * read then: a node that the others cannot do without is not stopped, unless a person has taken just that upon themselves.
 */
import { sleep, type Clock } from '../../../shared/clock.ts';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Evidence } from '../../model.ts';
import { objectionToOld } from '../engine.ts';
import type { Rest } from './rest.ts';
import type { PoolAnswer } from './state.ts';

/** Of a graceful failover, which moves no data but waits until the replicas have it, and of the wait for the others where it fails. */
const limitMs = 300_000;
const callLimitMs = 30_000;
const pollMs = 500;

export interface HandOver {
  readonly rest: Rest;
  readonly clock: Clock;
  /** What this node holds now. Undefined where it does not say. */
  readonly look: () => Promise<Evidence | undefined>;
}

/** Resolves with why the node must run on, once the others could not do without it for too long; undefined: it may be stopped. */
export async function handOver(parts: HandOver, approvedHolds: readonly string[]): Promise<string | undefined> {
  const { clock, look } = parts;
  const untilMs = clock.monotonicMs() + limitMs;
  const before = await look();
  const refused = before?.standing === 'active' && before.moving === 0 && (await isRefused(parts.rest));
  if (!refused && before?.standing === 'active') await sleep(clock, pollMs);
  for (;;) {
    const sinceMs = clock.monotonicMs();
    const evidence = await look();
    const objection = objectionToOld(clock, sinceMs, callLimitMs) ?? objectionTo(evidence, approvedHolds);
    if (objection === undefined || clock.monotonicMs() >= untilMs) return objection;
    await sleep(clock, pollMs);
  }
}

/** Begins the failover. Without an answer it may have begun. */
async function isRefused(rest: Rest): Promise<boolean> {
  try {
    const pool = (await rest.call({ method: 'GET', path: '/pools/default', limitMs: callLimitMs })) as
      PoolAnswer | undefined;
    const self = pool?.nodes?.find(({ thisNode }) => thisNode === true);
    const form = { otpNode: self?.otpNode ?? '' };
    await rest.call({ method: 'POST', path: '/controller/startGracefulFailover', form, limitMs: callLimitMs });
    return false;
  } catch (thrown) {
    return NavigatorError.from(thrown).code === 'refused';
  }
}

/** Why the others cannot do without this node. One that is not active has nothing that they need. */
function objectionTo(evidence: Evidence | undefined, approvedHolds: readonly string[]): string | undefined {
  if (evidence?.standing === undefined) return 'it does not say what it holds';
  if (evidence.standing !== 'active') return undefined;
  const { moving = 1, lastCopies = 1, liveVoters = 0, quorum = 1 } = evidence;
  if (moving > 0) return 'a rebalance is running';
  if (lastCopies > 0 && !approvedHolds.includes('last_copy_of_a_vbucket'))
    return `${lastCopies} vBuckets have no copy on another healthy node`;
  const left = liveVoters - 1;
  if (left < quorum && !approvedHolds.includes('quorum_would_be_lost'))
    return `without it ${left} nodes answer and ${quorum} must`;
  return undefined;
}
