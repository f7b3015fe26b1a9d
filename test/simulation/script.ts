/** What happens in one simulation, made from its seed before it begins: so that it can be told, cut down, and repeated. */
import type { Application, ClusterSpec, NodePool } from '../../server/model/cluster.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { couchbaseFaults } from './couchbase/faults.ts';
import { couchbaseSpec } from './couchbase/spec.ts';
import { couchbaseWishes } from './couchbase/person.ts';
import { faults, type Fault } from './faults.ts';
import { versionsOf, wishes, type Wish } from './person.ts';
import { SeededRandom } from './random.ts';
import type { Weather } from './world.ts';

/** One thing that goes wrong, or that a person does. Its details are drawn from its own `salt`. */
export interface Beat {
  /** From the beginning of the storm. */
  readonly atMs: number;
  readonly kind: 'fault' | 'wish';
  readonly name: string;
  readonly salt: number;
}

export interface Script {
  readonly seed: number;
  readonly spec: ClusterSpec;
  readonly shards: number;
  readonly replicas: number;
  readonly beats: readonly Beat[];
  /** Kinds of weather that stay calm. */
  readonly calmed: readonly Weather[];
}

export const stormMs = 450_000;

/** Which application seeds are for; with `any`, the seed decides. */
export const choices = ['elasticsearch', 'couchbase', 'any'] as const;

export type Choice = (typeof choices)[number];

const couchbaseShare = 1 / 3;

export function applicationOf(seed: number, choice: Choice): Application {
  if (choice !== 'any') return choice;
  return new SeededRandom(Math.imul(seed + 7, 0x27d4eb2f)).chance(couchbaseShare) ? 'couchbase' : 'elasticsearch';
}

/** By name. */
export function faultsOf(application: Application): Readonly<Record<string, Fault>> {
  return application === 'couchbase' ? couchbaseFaults : faults;
}

/** By name. */
export function wishesOf(application: Application): Readonly<Record<string, Wish>> {
  return application === 'couchbase' ? couchbaseWishes : wishes;
}

/** The script that a seed stands for. */
export function scriptOf(seed: number, choice: Choice = 'any'): Script {
  const application = applicationOf(seed, choice);
  const random = new SeededRandom(Math.imul(seed + 1, 0x85ebca6b) ^ 0x2545f491);
  const replicas = random.chance(0.2) ? 0 : 1;
  const makeSpec = application === 'couchbase' ? couchbaseSpec : firstSpec;
  const spec = makeSpec(random.fork('spec'), replicas + 1);
  const fates = random.fork('fates');
  const calmMs = random.between(4_000, 30_000);
  const restMs = random.between(12_000, 70_000);
  const beats = [
    ...draw(fates, calmMs, { kind: 'fault', from: faultsOf(application) }),
    ...draw(fates, restMs, { kind: 'wish', from: wishesOf(application) }),
  ].toSorted((a, b) => a.atMs - b.atMs);
  return { seed, spec, shards: random.whole(1, 6), replicas, beats, calmed: [] };
}

function draw(
  random: SeededRandom,
  meanMs: number,
  what: { readonly kind: Beat['kind']; readonly from: Readonly<Record<string, { readonly weight: number }>> },
): readonly Beat[] {
  const beats: Beat[] = [];
  const all = Object.entries(what.from);
  const whole = all.reduce((sum, [, { weight }]) => sum + weight, 0);
  for (let atMs = random.wait(meanMs); atMs < stormMs; atMs += random.wait(meanMs)) {
    let at = random.between(0, whole);
    const name = all.find(([, { weight }]) => (at -= weight) < 0)?.[0] ?? '';
    beats.push({ atMs: Math.round(atMs), kind: what.kind, name, salt: random.whole(0, 2 ** 31) });
  }
  return beats;
}

/** `least`: the data members that the replicas of the index need. */
function firstSpec(random: SeededRandom, least: number): ClusterSpec {
  const many = random.chance(0.15) ? 9 : 5;
  const together = random.chance(0.7);
  const pools: readonly NodePool[] = together
    ? [pool('node', random.whole(Math.max(least, 1), many))]
    : [
        pool('voter', random.pick([1, 3]) ?? 3, ['master']),
        pool('data', random.whole(least, many === 9 ? 6 : 3), ['data']),
      ];
  const keeps = random.chance(0.2);
  const persistence = { sizeBytes: 2 ** 30, onDelete: 'Delete', onScaleDown: 'Retain' } as const;
  const nodePools = pools.map((one) => (keeps ? { ...one, persistence } : one));
  return clusterSpec(nodePools, { version: versionsOf.elasticsearch[0], maxUnavailable: random.chance(0.8) ? 1 : 2 });
}
