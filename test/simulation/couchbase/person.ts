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
  throw_out_by_hand: { weight: 1, act: throwOutByHand },
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

/** Gracefully, or at once where nothing is lost by it; never where that could leave too few for a quorum. */
function failOverByHand({ couchbase }: Simulation, random: SeededRandom): void {
  const { truth, nodes, judge } = couchbase;
  const active = truth === undefined ? [] : activeNodes(truth);
  const entry = random.pick(active);
  const name = nodes.nameOf(entry?.host ?? '');
  if (entry === undefined || name === '' || !active.every(({ host }) => judge.answers(nodes.nameOf(host)))) return;
  const isSafe = couchbase.lastCopiesOn(name).length === 0 && active.length > 2;
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

/**
 * A node hangs, and is failed over and thrown out by hand before it goes on: then it believes that it is active still, and
 * the cluster does not know it.
 */
function throwOutByHand(simulation: Simulation, random: SeededRandom): void {
  const { couchbase, machine, world } = simulation;
  const { truth, judge, nodes } = couchbase;
  const active = truth === undefined ? [] : activeNodes(truth);
  const entry = random.pick(active);
  if (truth?.running !== undefined || entry === undefined) return;
  const name = nodes.nameOf(entry.host);
  const serve = active.every(({ host }) => judge.answers(nodes.nameOf(host)));
  if (!serve || !machine.runs(name) || active.length < 3 || couchbase.lastCopiesOn(name).length > 0) return;
  world.say(name, 'database hangs, and a person throws it out');
  couchbase.hang(name);
  world.time.after(8_000, () => couchbase.byHand('/controller/failOver', { otpNode: entry.otp }));
  world.time.after(10_000, () => rebalanceByHand(simulation));
  world.time.after(random.between(20_000, 60_000), () => couchbase.goOn(name));
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
  for (const { name, host, disk, life } of nodes.members.values()) {
    const isPart = Object.values(truth.nodes).some((entry) => entry.host === host);
    if (!isPart && life?.open === true && disk.identity.config !== undefined)
      couchbase.byHand('/controller/hardResetNode', {}, name);
  }
  for (const { name, member } of cluster.snapshot?.plan.holds ?? []) {
    if (name !== 'failover_would_lose_vbuckets') continue;
    world.say('person', `gives up what was on the disk of ${member}`);
    for (const id of couchbase.onlyOn(member)) couchbase.judge.givenUp.add(id);
    couchbase.byHand('/controller/failOver', { otpNode: `ns_1@${nodes.hostOf(member)}` });
  }
}
