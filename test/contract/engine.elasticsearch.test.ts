/** The engine of Elasticsearch on real databases, and what only a real one can show. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { NavigatorError } from '../../shared/errors.ts';
import { createRealWorld, type RealWorld } from '../support/elasticsearch.ts';
import { waitFor } from '../support/wait.ts';
import { engineContract } from './engine.contract.ts';

const isRoot = process.getuid?.() === 0;
const uid = isRoot ? 65534 : undefined;

for (const version of ['5.6.16', '6.8.23']) {
  engineContract(`Elasticsearch ${version}`, () => createRealWorld(version, uid));
  describe(`one node of Elasticsearch ${version}`, function () {
    this.timeout(300_000);
    this.bail(true);
    const at: { world?: RealWorld } = {};
    const world = (): RealWorld => at.world as RealWorld;
    before(async () => {
      at.world = await createRealWorld(version, uid);
    });
    after(async () => {
      await at.world?.close();
    });
    configures(world);
    startsAfterAKill(world);
    waitsForRecovery(world);
    refuses(world);
    comesBackWhileExcluded(world);
  });
}

function configures(world: () => RealWorld): void {
  it('writes what it was told, and the settings of people over it', async () => {
    const { engine, spec, place, name } = world().members[0];
    const config = { 'cluster.routing.allocation.awareness.attributes': 'zone', node: { attr: { zone: 'no' } } };
    await engine.prepare({ ...spec, config, roles: ['data'] });
    const yml = parse(readFileSync(join(place.directory, 'config/elasticsearch.yml'), 'utf8')) as unknown;
    expect(yml).to.include({ 'cluster.name': 'shop', 'node.name': name, 'network.host': place.address });
    expect(yml).to.include({ 'node.master': false, 'node.data': true, 'node.ingest': false });
    expect(yml).to.include({ 'node.attr.zone': 'no', 'discovery.zen.minimum_master_nodes': 2 });
    expect(yml).to.deep.include({ 'discovery.zen.ping.unicast.hosts': spec.seeds });
    expect(readFileSync(join(place.directory, 'config/jvm.options'), 'utf8')).to.include('-Xmx128m\n');
  });

  it('leaves the distribution as it is, and runs the database as its own user', async function () {
    if (!isRoot) return this.skip();
    const { place, name, engine, spec } = world().members[0];
    const before = statSync(join(place.distribution, 'lib'));
    // It need not wait for peers, for whom the database would hold back its answers for 30 s.
    await world().start(name, { ...spec, quorum: 1, seeds: [] });
    await waitFor(() => engine.observeNode(), `${name} to answer`);
    const status = readFileSync(`/proc/${world().pid(name)}/status`, 'utf8');
    expect(status).to.match(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).to.match(/^Groups:\s*$/m);
    expect(readFileSync(`/proc/${world().pid(name)}/cmdline`, 'utf8')).to.include('bootstrap.Elasticsearch');
    expect(statSync(join(place.directory, 'data')).uid).to.equal(65534);
    expect(statSync(join(place.distribution, 'bin/elasticsearch')).uid).to.equal(before.uid);
    expect(await world().stop(name)).to.equal(143);
  });
}

/** A first start that is killed while the database writes its keystore leaves half of it behind. */
function startsAfterAKill(world: () => RealWorld): void {
  it('starts where its first start was killed in the midst of making its keystore', async () => {
    const { engine, spec, place, name } = world().members[0];
    const config = join(place.directory, 'config');
    await engine.prepare(spec);
    rmSync(join(config, 'elasticsearch.keystore'), { force: true });
    writeFileSync(join(config, 'elasticsearch.keystore.tmp'), 'half');
    await world().start(name, { ...spec, quorum: 1, seeds: [] });
    await waitFor(() => engine.observeNode(), `${name} to answer`);
    expect(existsSync(join(config, 'elasticsearch.keystore.tmp'))).to.equal(false);
    await world().stop(name);
  });
}

function waitsForRecovery(world: () => RealWorld): void {
  it('knows of nothing while the elected master has not read the indices from disk', async () => {
    const { engine, spec, name } = world().members[0];
    const config = { ...spec.config, 'gateway.recover_after_nodes': 3 };
    await world().start(name, { ...spec, config, quorum: 1, seeds: [] });
    await waitFor(async () => (await engine.observeNode())?.joined, `${name} to elect itself`);
    expect(await engine.readEvidence()).to.equal(undefined);
    expect(await engine.observeCluster()).to.equal(undefined);
    await world().stop(name);
  });
}

function refuses(world: () => RealWorld): void {
  const failure = async (part: object): Promise<NavigatorError> => {
    const { engine, spec } = world().members[1];
    const thrown: unknown = await engine.prepare({ ...spec, ...part }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).to.be.instanceOf(NavigatorError);
    return thrown as NavigatorError;
  };

  it('names what it cannot do: a version, a role, a setting of its own, a plugin', async () => {
    expect((await failure({ version: '7.17.29' })).code).to.equal('unsupported');
    expect((await failure({ roles: ['ml'] })).message).to.include('"ml"');
    expect((await failure({ config: { node: { name: 'x' } } })).message).to.include('"node.name"');
    expect((await failure({ plugins: ['--purge'] })).message).to.include('--purge');
    const missing = 'file:///nowhere/analysis.zip';
    expect(await failure({ plugins: [missing] })).to.include({ code: 'not_found' });
    const broken = await failure({ plugins: [`file://${import.meta.filename}`] });
    expect(broken.message).to.include('engine.elasticsearch.test.ts could not be installed: ');
  });

  it('recovers from a plugin that could not be installed', async () => {
    const { engine, spec, name } = world().members[1];
    await engine.prepare({ ...spec, plugins: [await world().plugin('navigator-good')] });
    expect(await world().installed(name)).to.deep.equal(['navigator-good']);
    await engine.prepare(spec);
    expect(await world().installed(name)).to.deep.equal([]);
  });
}

function comesBackWhileExcluded(world: () => RealWorld): void {
  it('brings primaries without a replica back on a node that was killed in mid-drain, and drains it to the end', async () => {
    const [first, , third] = world().members;
    for (const { name } of world().members) await world().start(name);
    const owned = world().members.map(({ name }) => name);
    const nodes = async (): Promise<number | undefined> => (await first.engine.observeCluster())?.nodes.length;
    await waitFor(async () => (await nodes()) === 3, 'three nodes');
    await world().createIndex('single', 12, 0);
    await world().write('single', 300);
    await waitFor(async () => (await first.engine.observeCluster())?.health === 'green', 'green');
    // So slow that the drain cannot end before the kill.
    await world().ask('PUT', '/_cluster/settings', { transient: { 'indices.recovery.max_bytes_per_sec': '1b' } });
    await first.engine.applySettings({ excluded: [third.name], owned, allocation: 'all', quorum: 2 });
    await waitFor(async () => (await third.engine.readEvidence())?.excluded, 'the exclusion');
    const held = (await third.engine.readEvidence())?.lastCopies ?? 0;
    expect(held).to.be.greaterThan(0);
    await world().kill(third.name);
    const red = await waitFor(async () => {
      const cluster = await first.engine.observeCluster();
      return cluster?.health === 'red' && cluster;
    }, 'red');
    expect(red.unassignedPrimaries).to.be.greaterThan(0);
    await world().ask('PUT', '/_cluster/settings', { transient: { 'indices.recovery.max_bytes_per_sec': null } });
    await world().start(third.name);
    const drained = await waitFor(async () => {
      const evidence = await third.engine.readEvidence();
      return evidence?.shards === 0 && evidence.unassignedPrimaries === 0 && evidence.excluded && evidence;
    }, 'the node to be back and empty');
    expect(drained.lastCopies).to.equal(0);
    await waitFor(async () => (await first.engine.observeCluster())?.health === 'green', 'green again');
    expect(await world().documents('single')).to.equal(300);
  });
}
