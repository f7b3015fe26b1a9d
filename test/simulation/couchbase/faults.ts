/** What goes wrong with a cluster of Couchbase, beside what goes wrong with any. */
import { entries, isBalanced } from '../../couchbase/simulator/config.ts';
import { faults, type Fault } from '../faults.ts';
import type { SeededRandom } from '../random.ts';
import type { Simulation } from '../simulation.ts';

/** By name, as they stand in a script. */
export const couchbaseFaults: Readonly<Record<string, Fault>> = {
  ...faults,
  rebalance_fails: { weight: 4, strike: failRebalance },
  orchestrator_crashes: { weight: 2, strike: crashOrchestrator },
  disk_is_lost: { weight: 2, strike: loseDisk },
};

/** The next rebalance, or the one that is running, fails on its way. */
function failRebalance({ couchbase, world }: Simulation, random: SeededRandom): void {
  const percent = random.whole(0, 99);
  world.say('couchbase', `the next rebalance will fail at ${percent} %`);
  for (const { life } of couchbase.nodes.members.values())
    if (life !== undefined) life.node.faults.failRebalanceAt = percent;
}

/** The node that runs the rebalance crashes, or the one that would. */
function crashOrchestrator({ couchbase, machine }: Simulation): void {
  const { truth } = couchbase;
  const first = truth?.running?.orchestrator ?? (truth && entries(truth)[0]?.otp);
  const name = couchbase.nodes.nameOf((first ?? '').slice('ns_1@'.length));
  if (name !== '') machine.crash(name);
}

/** A database loses its disk, most often where the others have all that was on it: nobody could do anything about the loss of last copies. */
function loseDisk({ couchbase, host, machine, world }: Simulation, random: SeededRandom): void {
  const { truth, judge } = couchbase;
  if (truth === undefined || truth.running !== undefined || !isBalanced(truth)) return;
  const all = entries(truth).map((entry) => couchbase.nodes.nameOf(entry.host));
  if (all.length < 3 || !all.every((name) => judge.answers(name) && !machine.isEnding(name))) return;
  const victim = random.pick(all) ?? '';
  const isSafe = couchbase.lastCopiesOn(victim).length === 0;
  if (!machine.runs(victim) || (!isSafe && random.chance(0.5))) return;
  world.say(victim, 'disk is lost');
  machine.crash(victim);
  couchbase.loseDisk(victim, host.places.get(victim)?.disk.files);
}
