/** What people do meanwhile: change what they want, and their mind, and rule on permits. */
import { approve, deny, revoke } from '../../server/coordination/rulings.ts';
import type { ClusterLoop } from '../../server/cluster-loop.ts';
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { Permit } from '../../server/model/permit.ts';
import { pool } from '../support/model.ts';
import type { SeededRandom } from './random.ts';
import type { Simulation } from './simulation.ts';

/** The versions that there are, the oldest first. */
export const versionsOf = {
  elasticsearch: ['6.8.21', '6.8.22', '6.8.23'],
  couchbase: ['7.6.7', '7.6.8', '7.6.9'],
} as const;

export interface Wish {
  readonly weight: number;
  readonly act: (simulation: Simulation, random: SeededRandom, cluster: ClusterLoop) => void;
}

/** By name, as they stand in a script. */
export const wishes: Readonly<Record<string, Wish>> = {
  scale: { weight: 6, act: scale },
  configure: { weight: 3, act: configure },
  upgrade: { weight: 2, act: upgrade },
  change_pools: { weight: 1, act: changePools },
  pause: { weight: 1, act: pause },
  step_down: { weight: 2, act: stepDown },
  rule: { weight: 3, act: rule },
  change_mind: { weight: 2, act: changeMind },
  touch_settings: { weight: 1, act: touchSettings },
  delete: { weight: 0.15, act: remove },
};

/** The most members of a pool. */
const poolMost = 5;

function scale(simulation: Simulation, random: SeededRandom): void {
  const { least } = simulation;
  const last = simulation.spec.nodePools.length - 1;
  const at = random.whole(0, last);
  const nodePools = simulation.spec.nodePools.map((pool, index) => {
    if (index !== at) return pool;
    return { ...pool, replicas: random.whole(pool.roles.includes('data') ? least : 1, poolMost) };
  });
  apply(simulation, { ...simulation.spec, nodePools }, 'scales');
}

function configure(simulation: Simulation, random: SeededRandom): void {
  const config = { 'a.setting': random.whole(1, 3) };
  apply(simulation, { ...simulation.spec, config }, 'configures');
}

function upgrade(simulation: Simulation): void {
  const versions: readonly string[] = versionsOf[simulation.spec.application];
  const at = versions.indexOf(simulation.spec.version);
  const version = versions[at + 1];
  if (version !== undefined) apply(simulation, { ...simulation.spec, version }, 'upgrades');
}

/** Back to what was wanted before, but for the version, which only grows. */
function changeMind(simulation: Simulation): void {
  const { before, spec } = simulation;
  if (before !== undefined) apply(simulation, { ...before, version: spec.version }, 'changes their mind');
}

/** Wants this from now on. */
export function apply(simulation: Simulation, spec: ClusterSpec, what: string): void {
  const { world, server, deleted } = simulation;
  if (deleted) return;
  const pools = spec.nodePools.map((pool) => `${pool.replicas} in pool ${pool.name}`).join(', ');
  const config = Object.entries(spec.config).map(([key, value]) => `, ${key} ${String(value)}`);
  world.say('person', `${what}: ${pools}, version ${spec.version}${config.join('')}`);
  simulation.before = simulation.spec;
  simulation.spec = spec;
  void server?.loop.apply(spec, '# simulated').catch((thrown: unknown) => world.say('person', String(thrown)));
}

/** A pool that there was not is added; one that was added goes. */
function changePools(simulation: Simulation, random: SeededRandom): void {
  const { spec, least } = simulation;
  const without = spec.nodePools.filter(({ name }) => name !== 'extra');
  const data = without.filter(({ roles }) => roles.includes('data')).reduce((sum, { replicas }) => sum + replicas, 0);
  if (without.length < spec.nodePools.length) {
    if (data >= least) apply(simulation, { ...spec, nodePools: without }, 'removes a pool');
    return;
  }
  const isCouchbase = spec.application === 'couchbase';
  const roles = random.chance(0.5) ? ['data'] : isCouchbase ? ['query'] : ['master', 'data'];
  apply(
    simulation,
    { ...spec, nodePools: [...spec.nodePools, pool('extra', random.whole(1, 2), roles)] },
    'adds a pool',
  );
}

/** Somebody else's hand on the database's settings: names that are none of ours stay, the rest is put right. */
function touchSettings({ world, elasticsearch: database }: Simulation, random: SeededRandom): void {
  const stranger = `stranger-${random.whole(1, 3)}`;
  if (random.chance(0.7)) {
    const there = database.foreign.has(stranger);
    world.say('person', `${there ? 'lifts the exclusion of' : 'excludes'} ${stranger} by hand`);
    if (there) database.foreign.delete(stranger);
    else database.foreign.add(stranger);
    const others = database.excluded.filter((name) => name !== stranger);
    database.excluded = there ? others : [...others, stranger].sort();
  } else {
    world.say('person', 'forbids all allocation by hand');
    database.allocation = 'none';
  }
  database.changed();
}

function remove(simulation: Simulation, _random: SeededRandom, cluster: ClusterLoop): void {
  if (simulation.deleted) return;
  simulation.world.say('person', 'deletes the cluster');
  simulation.host.dataGivenUp = true;
  void setDeleting(cluster);
}

export async function setDeleting(cluster: ClusterLoop): Promise<void> {
  await cluster.change((ledger) => (ledger.deleting ? ledger : { ...ledger, deleting: true })).catch(() => undefined);
}

function pause(simulation: Simulation, random: SeededRandom, cluster: ClusterLoop): void {
  const { world } = simulation;
  world.say('person', 'pauses');
  void setPaused(cluster, true);
  world.time.after(random.between(2_000, 30_000), () => {
    world.say('person', 'resumes');
    const now = simulation.cluster();
    if (now !== undefined) void setPaused(now, false);
  });
}

export async function setPaused(cluster: ClusterLoop, paused: boolean): Promise<void> {
  await cluster.change((ledger) => (ledger.paused === paused ? ledger : { ...ledger, paused })).catch(() => undefined);
}

function stepDown({ world }: Simulation, _random: SeededRandom, cluster: ClusterLoop): void {
  world.say('person', 'makes the leader step down');
  const leadership = (term: number) => ({ term, leader: '', incarnation: '' });
  void cluster
    .change((ledger) => ({ ...ledger, leadership: leadership(ledger.leadership.term) }))
    .catch(() => undefined);
}

function rule({ world }: Simulation, random: SeededRandom, cluster: ClusterLoop): void {
  const permit = random.pick(cluster.ledger.permits);
  if (permit === undefined) return;
  const ruling = random.pick(['approve', 'deny', 'revoke'] as const) ?? 'deny';
  world.say('person', `rules ${ruling} on ${permit.id}`);
  const person = { who: 'somebody', why: 'a simulation', wallMs: 0 };
  void cluster
    .change((ledger) => {
      if (ruling === 'approve') return approve(ledger, permit.id, person, []);
      return ruling === 'deny' ? deny(ledger, permit.id, person) : revoke(ledger, permit.id, person);
    })
    .catch(() => undefined);
}

/**
 * When nothing else moves any more: a denial is lifted, an outage that only a person may allow is allowed, a bucket that is to
 * become smaller does, and a node that was taken out while it was away is reset; an outage that costs the only copy of a shard for a while only where there is no `patience` left.
 */
export function unblock({ world, spec }: Simulation, cluster: ClusterLoop, patience: boolean): void {
  const person = { who: 'somebody', why: 'it may be', wallMs: 0 };
  const holds = cluster.snapshot?.plan.holds ?? [];
  const lastCopies = ['last_copy_of_a_shard', 'last_copy_of_a_vbucket'];
  // A bucket without replicas never gets any by waiting.
  const waits = patience && spec.couchbase?.buckets.every(({ replicas }) => replicas === 0) !== true;
  const allowed = waits ? ['quorum_would_be_lost'] : ['quorum_would_be_lost', ...lastCopies];
  const wipes = ['node_is_stale', 'bucket_would_shrink'];
  const shown = (permit: Permit) =>
    holds.filter(
      ({ member, name }) =>
        member === permit.member && (allowed.includes(name) || (permit.verb === 'wipe' && wipes.includes(name))),
    );
  for (const permit of cluster.ledger.permits) {
    const fresh = shown(permit).some(({ name }) => permit.approvedHolds?.includes(name) !== true);
    const stuck = permit.state === 'queued' && fresh;
    if (permit.state !== 'denied' && !stuck) continue;
    if (permit.member !== '' && cluster.ledger.members[permit.member] === undefined) continue;
    world.say('person', `approves ${permit.id}`);
    void cluster.change((ledger) => approve(ledger, permit.id, person, shown(permit))).catch(() => undefined);
  }
}
