/** What people do with a cluster of Couchbase: what they wish for, and what they do by their own hand beside Navigator. */
import type { ClusterLoop } from '../../../server/cluster-loop.ts';
import { activeNodes } from '../../couchbase/simulator/config.ts';
import { apply, wishes, type Wish } from '../person.ts';
import type { SeededRandom } from '../random.ts';
import type { Simulation } from '../simulation.ts';

const { touch_settings: _ofElasticsearch, ...shared } = wishes;

/** By name, as they stand in a script. */
export const couchbaseWishes: Readonly<Record<string, Wish>> = {
  ...shared,
  change_auto_failover: { weight: 1, act: changeAutoFailover },
  add_replicas: { weight: 1, act: addReplicas },
  fail_over_by_hand: { weight: 1, act: failOverByHand },
  rebalance_by_hand: { weight: 1, act: rebalanceByHand },
  stop_rebalance_by_hand: { weight: 1, act: ({ couchbase }) => couchbase.byHand('/controller/stopRebalance', {}) },
  touch_auto_failover: { weight: 1, act: touchAutoFailover },
};

function changeAutoFailover(simulation: Simulation, random: SeededRandom): void {
  const { spec } = simulation;
  const { couchbase } = spec;
  if (couchbase === undefined) return;
  const autoFailover = { ...couchbase.autoFailover, enabled: random.chance(0.7), timeout: random.whole(5, 60) };
  apply(simulation, { ...spec, couchbase: { ...couchbase, autoFailover } }, 'sets auto-failover');
}

function addReplicas(simulation: Simulation): void {
  const { spec } = simulation;
  const { couchbase } = spec;
  if (couchbase === undefined) return;
  const buckets = couchbase.buckets.map((bucket) => ({ ...bucket, replicas: Math.min(2, bucket.replicas + 1) }));
  apply(simulation, { ...spec, couchbase: { ...couchbase, buckets } }, 'wants more replicas');
}

/** Gracefully, or at once where nothing is lost by it. */
function failOverByHand({ couchbase }: Simulation, random: SeededRandom): void {
  const { truth, nodes } = couchbase;
  const entry = truth && random.pick(activeNodes(truth));
  const name = nodes.nameOf(entry?.host ?? '');
  if (entry === undefined || name === '') return;
  const isSafe = couchbase.lastCopiesOn(name).length === 0 && activeNodes(truth!).length > 2;
  const atOnce = isSafe && random.chance(0.5);
  couchbase.byHand(atOnce ? '/controller/failOver' : '/controller/startGracefulFailover', { otpNode: entry.otp });
}

/** With whoever is there, also one that has been failed over and would have come back: where nothing is lost by it. */
function rebalanceByHand({ couchbase }: Simulation): void {
  const { truth } = couchbase;
  if (truth === undefined || truth.running !== undefined) return;
  const isWhole = Object.values(truth.buckets).every(({ map }) => map.every(([active]) => active !== ''));
  if (!isWhole || !activeNodes(truth).every((one) => couchbase.judge.answers(couchbase.nodes.nameOf(one.host)))) return;
  const knownNodes = Object.keys(truth.nodes).join(',');
  couchbase.byHand('/controller/rebalance', { knownNodes, ejectedNodes: '' });
}

function touchAutoFailover({ couchbase }: Simulation, random: SeededRandom): void {
  couchbase.byHand('/settings/autoFailover', { enabled: 'true', timeout: String(random.whole(5, 120)), maxCount: '1' });
}

/**
 * What a person does with Couchbase's own tools, because Navigator holds it for them: a node that was taken out while it was away is
 * reset, and one whose disk is lost with the last copies of what was on it is failed over.
 */
export function tend({ couchbase, world }: Simulation, cluster: ClusterLoop): void {
  const { truth, nodes } = couchbase;
  if (truth === undefined || truth.running !== undefined) return;
  for (const { name, member } of cluster.snapshot?.plan.holds ?? []) {
    if (name === 'node_is_stale' && !isPart(member)) couchbase.byHand('/controller/hardResetNode', {}, member);
    if (name !== 'failover_would_lose_vbuckets') continue;
    world.say('person', `gives up what was on the disk of ${member}`);
    for (const id of couchbase.lastCopiesOn(member)) couchbase.judge.givenUp.add(id);
    couchbase.byHand('/controller/failOver', { otpNode: `ns_1@${nodes.hostOf(member)}` });
  }

  function isPart(member: string): boolean {
    return Object.values(truth!.nodes).some(({ host }) => host === nodes.hostOf(member));
  }
}
