/** What every engine promises, checked on the fake and on real databases alike. */
import { expect } from 'chai';
import type { Engine } from '../../pilot/engine/engine.ts';
import type { Evidence, MemberSpec, Settings } from '../../pilot/model.ts';
import { waitFor } from '../support/wait.ts';

export interface WorldMember {
  readonly name: string;
  readonly engine: Engine;
  readonly spec: MemberSpec;
}

/** Three members that can all vote and hold data, with a quorum of two. None runs at first. */
export interface EngineWorld {
  readonly members: readonly [WorldMember, WorldMember, WorldMember];
  /** Prepares and launches; returns before the database answers. */
  start(name: string, spec?: MemberSpec): Promise<void>;
  /** Ends it with SIGTERM and says its exit code. */
  stop(name: string): Promise<number>;
  kill(name: string): Promise<void>;
  createIndex(index: string, shards: number, replicas: number): Promise<void>;
  deleteIndex(index: string): Promise<void>;
  write(index: string, count: number): Promise<void>;
  documents(index: string): Promise<number>;
  /** Excludes by another hand than Navigator's. */
  excludeByHand(names: readonly string[]): Promise<void>;
  /** The same in a transient setting, which hides the persistent ones. Absent where there are none. */
  hideExclusions?(names: readonly string[]): Promise<void>;
  /** An entry for `spec.plugins` that installs a plugin of this name. */
  plugin(name: string): Promise<string>;
  installed(name: string): Promise<string[]>;
  close(): Promise<void>;
}

/** The suite. `make` is called once, before everything. */
export function engineContract(title: string, make: () => Promise<EngineWorld>): void {
  describe(`the engine contract: ${title}`, function () {
    this.timeout(300_000);
    // Each step builds on the one before.
    this.bail(true);
    const at: { world?: EngineWorld } = {};
    const world = (): EngineWorld => at.world as EngineWorld;
    before(async () => {
      at.world = await make();
    });
    after(async () => {
      await at.world?.close();
    });
    startsFromNothing(world);
    saysWhatANodeHolds(world);
    keepsExclusions(world);
    drains(world);
    writesSettings(world);
    stopsAndComesBack(world);
    changesPlugins(world);
  });
}

type World = () => EngineWorld;

function startsFromNothing(world: World): void {
  it('knows nothing of a database that does not run', async () => {
    const { engine } = world().members[0];
    expect(await engine.observeNode()).to.equal(undefined);
    expect(await engine.observeCluster()).to.equal(undefined);
    expect(await engine.readEvidence()).to.equal(undefined);
    expect(engine.lastLog(5)).to.equal('');
    await engine.beforeStop();
  });

  it('has neither evidence nor a cluster while no master is elected', async () => {
    const { name, engine } = world().members[0];
    await world().start(name);
    const node = await waitFor(() => engine.observeNode(), `${name} to answer`);
    expect(node.joined).to.equal(false);
    expect(await engine.readEvidence()).to.equal(undefined);
    expect(await engine.observeCluster()).to.equal(undefined);
    expect(engine.lastLog(3)).to.not.equal('');
  });

  it('joins, and sees every node by its member name', async () => {
    const [first, ...others] = world().members;
    for (const { name } of others) await world().start(name);
    const cluster = await whenGreen(world());
    expect(cluster.nodes).to.deep.equal(names(world()));
    expect(names(world())).to.include(cluster.electedMaster);
    expect(cluster).to.include({ health: 'green', unassigned: 0, unassignedPrimaries: 0, allocation: 'all' });
    const node = await first.engine.observeNode();
    expect(node).to.include({ joined: true, version: first.spec.version, shards: 0, documents: 0 });
  });
}

function saysWhatANodeHolds(world: World): void {
  it('reads evidence of this very node and process, with the voters and the quorum', async () => {
    for (const { engine } of world().members) {
      const node = await engine.observeNode();
      const evidence = await evidenceOf(engine);
      expect(evidence).to.include({ nodeId: node?.nodeId, processId: node?.processId });
      expect(evidence).to.include({ shards: 0, lastCopies: 0, unassignedPrimaries: 0, moving: 0 });
      expect(evidence).to.include({ excluded: false, allocation: 'all', liveVoters: 3, quorum: 2 });
      expect(typeof evidence.stateVersion).to.equal('bigint');
    }
  });

  it('counts shards, and no last copy where each has a replica elsewhere', async () => {
    await world().createIndex('safe', 3, 1);
    await world().write('safe', 30);
    await whenGreen(world());
    const all = await Promise.all(world().members.map(({ engine }) => evidenceOf(engine)));
    expect(sum(all.map(({ shards }) => shards))).to.equal(6);
    expect(all.map(({ lastCopies }) => lastCopies)).to.deep.equal([0, 0, 0]);
    const observed = await Promise.all(world().members.map(({ engine }) => engine.observeNode()));
    expect(sum(observed.map((node) => node?.shards))).to.equal(6);
    expect(sum(observed.map((node) => node?.documents))).to.equal(60);
    expect((await whenGreen(world())).documents).to.equal(30);
  });

  it('counts every shard without a replica as a last copy', async () => {
    await world().createIndex('.only.copy', 3, 0);
    await world().write('.only.copy', 30);
    await whenGreen(world());
    const all = await Promise.all(world().members.map(({ engine }) => evidenceOf(engine)));
    expect(sum(all.map(({ lastCopies }) => lastCopies))).to.equal(3);
    expect(sum(all.map(({ shards }) => shards))).to.equal(9);
  });
}

function keepsExclusions(world: World): void {
  it('writes its exclusions as a union with those of others, and takes back only its own', async () => {
    const [first, , third] = world().members;
    await world().excludeByHand(['foreign', third.name]);
    await first.engine.applySettings(wanted(world(), { excluded: [] }));
    expect((await whenWhole(world())).excluded).to.deep.equal(['foreign']);
    await first.engine.applySettings(wanted(world(), { excluded: ['not-there-b', 'not-there-a'] }));
    expect((await whenWhole(world())).excluded).to.deep.equal(['foreign', 'not-there-a', 'not-there-b']);
    const owned = [...names(world()), 'not-there-a', 'not-there-b'];
    await first.engine.applySettings(wanted(world(), { excluded: ['not-there-b'], owned }));
    expect((await whenWhole(world())).excluded).to.deep.equal(['foreign', 'not-there-b']);
    await first.engine.applySettings(wanted(world(), { excluded: [], owned: [...owned, 'foreign'] }));
    expect((await whenWhole(world())).excluded).to.deep.equal([]);
  });

  it('writes nothing where its pilot no longer leads by the time it has read', async () => {
    const [first] = world().members;
    const before = (await whenWhole(world())).excluded;
    const asked = first.engine.applySettings(wanted(world(), { excluded: ['too-late'] }), () => false);
    expect(await asked.then(String, String)).to.contain('no longer leads');
    expect((await whenWhole(world())).excluded).to.deep.equal(before);
  });

  it('makes its exclusions hold where a transient setting hides them', async function () {
    const { hideExclusions, members } = world();
    if (!hideExclusions) return this.skip();
    await hideExclusions(['hidden']);
    expect((await whenWhole(world())).excluded).to.deep.equal(['hidden']);
    await members[0].engine.applySettings(wanted(world(), { excluded: ['not-there'] }));
    expect((await whenWhole(world())).excluded).to.deep.equal(['hidden', 'not-there']);
    const owned = [...names(world()), 'hidden', 'not-there'];
    await members[0].engine.applySettings(wanted(world(), { excluded: [], owned }));
    expect((await whenWhole(world())).excluded).to.deep.equal([]);
  });

  it('writes nothing where everything is true already', async () => {
    const { engine } = world().members[0];
    await whenGreen(world());
    await engine.applySettings(wanted(world(), { quorum: 2 }));
    const before = (await whenWhole(world())).stateVersion;
    await engine.applySettings(wanted(world(), { quorum: 2 }));
    expect((await whenWhole(world())).stateVersion).to.equal(before);
  });
}

function drains(world: World): void {
  it('drains an excluded node to no shard, and no document is lost', async () => {
    const [first, , third] = world().members;
    await first.engine.applySettings(wanted(world(), { excluded: [third.name] }));
    const empty = await waitFor(async () => {
      const evidence = await third.engine.readEvidence();
      return evidence?.shards === 0 && evidence;
    }, 'the drained node to be empty');
    expect(empty).to.include({ excluded: true, lastCopies: 0 });
    const cluster = await whenGreen(world());
    expect(cluster.excluded).to.deep.equal([third.name]);
    expect(await world().documents('safe')).to.equal(30);
    expect(await world().documents('.only.copy')).to.equal(30);
    expect(await first.engine.readEvidence()).to.include({ excluded: false });
  });

  it('lets an undrained node take shards again', async () => {
    const [first, , third] = world().members;
    await first.engine.applySettings(wanted(world(), {}));
    const evidence = await waitFor(async () => await third.engine.readEvidence(), 'evidence');
    expect(evidence.excluded).to.equal(false);
    await world().deleteIndex('.only.copy');
  });
}

function writesSettings(world: World): void {
  it('restricts the allocation and gives it back', async () => {
    const { engine } = world().members[0];
    for (const allocation of ['primaries', 'none', 'new_primaries', 'all'] as const) {
      await engine.applySettings(wanted(world(), { allocation }));
      expect((await whenWhole(world())).allocation).to.equal(allocation);
      expect((await evidenceOf(engine)).allocation).to.equal(allocation);
    }
  });

  it('changes the minimum of masters of a running cluster, and leaves it alone at 0', async () => {
    const { engine } = world().members[0];
    await engine.applySettings(wanted(world(), { quorum: 3 }));
    expect((await evidenceOf(engine)).quorum).to.equal(3);
    await engine.applySettings(wanted(world(), { quorum: 0 }));
    expect((await whenWhole(world())).quorum).to.equal(3);
    await engine.applySettings(wanted(world(), { quorum: 2 }));
    expect((await evidenceOf(engine)).quorum).to.equal(2);
  });
}

function stopsAndComesBack(world: World): void {
  it('stops by SIGTERM with exit code 143 after its flush, and is unknown from then on', async () => {
    const [first, , third] = world().members;
    await third.engine.beforeStop();
    expect(await world().stop(third.name)).to.equal(143);
    expect(await third.engine.observeNode()).to.equal(undefined);
    expect(await third.engine.readEvidence()).to.equal(undefined);
    await waitFor(async () => (await first.engine.readEvidence())?.liveVoters === 2, 'two voters to be left');
    expect(await world().documents('safe')).to.equal(30);
  });

  it('has no evidence once the quorum is lost', async () => {
    const [first, second] = world().members;
    await world().kill(second.name);
    await waitFor(async () => (await first.engine.observeNode())?.joined === false, `${first.name} to lose its master`);
    expect(await first.engine.readEvidence()).to.equal(undefined);
    expect(await first.engine.observeCluster()).to.equal(undefined);
  });

  it('comes back as the same node in another process', async () => {
    const [first, second] = world().members;
    const before = await first.engine.observeNode();
    await world().start(second.name);
    await world().stop(first.name);
    await world().start(first.name);
    const after = await waitFor(async () => {
      const evidence = await first.engine.readEvidence();
      return evidence;
    }, 'evidence of the new process');
    expect(after.nodeId).to.equal(before?.nodeId);
    expect(after.processId).to.not.equal(before?.processId);
  });
}

function changesPlugins(world: World): void {
  it('installs a plugin, keeps it without installing it again, and removes what is not wanted any more', async () => {
    const { name, spec } = world().members[2];
    const one = await world().plugin('navigator-one');
    const two = await world().plugin('navigator-two');
    await world().start(name, { ...spec, plugins: [one] });
    expect(await world().installed(name)).to.deep.equal(['navigator-one']);
    await whenWhole(world());
    await world().stop(name);
    await world().start(name, { ...spec, plugins: [one, two] });
    expect(await world().installed(name)).to.deep.equal(['navigator-one', 'navigator-two']);
    await world().stop(name);
    await world().start(name, { ...spec, plugins: [two, two] });
    expect(await world().installed(name)).to.deep.equal(['navigator-two']);
    await world().stop(name);
    await world().start(name);
    expect(await world().installed(name)).to.deep.equal([]);
    await whenWhole(world());
  });
}

/** Settings that undo everything, except for what a test wants. */
function wanted(world: EngineWorld, part: Partial<Settings>): Settings {
  return { excluded: [], owned: names(world), allocation: 'all', quorum: 0, ...part };
}

function names(world: EngineWorld): string[] {
  return world.members.map(({ name }) => name).sort();
}

async function evidenceOf(engine: Engine): Promise<Evidence> {
  return await waitFor(() => engine.readEvidence(), 'evidence');
}

async function whenWhole(world: EngineWorld): Promise<NonNullable<Awaited<ReturnType<Engine['observeCluster']>>>> {
  const count = world.members.length;
  return await waitFor(async () => {
    const cluster = await world.members[0].engine.observeCluster();
    return cluster?.nodes.length === count && cluster;
  }, `${count} nodes in the cluster`);
}

async function whenGreen(world: EngineWorld): ReturnType<typeof whenWhole> {
  return await waitFor(async () => {
    const cluster = await whenWhole(world);
    return cluster.health === 'green' && cluster.moving === 0 && cluster;
  }, 'the cluster to be green with nothing moving');
}

function sum(counts: readonly (number | undefined)[]): number {
  return counts.reduce((total: number, count) => total + (count ?? Number.NaN), 0);
}
