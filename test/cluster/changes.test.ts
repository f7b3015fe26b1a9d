/** What people change on a running cluster, each followed to its end. */
import { expect } from 'chai';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { distributionFor } from '../../server/runtime/local/distribution.ts';
import { findJava } from '../../server/runtime/local/java.ts';
import { cacheDirectory } from '../../server/runtime/local/places.ts';
import { createLogger } from '../../shared/log.ts';
import { buildPlugin } from '../support/plugin.ts';
import { demo, manifest, RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const names = ['demo-node-0', 'demo-node-1', 'demo-node-2'];

describe('changes of a running cluster', () => {
  const navigator = new RealNavigator();
  const files = mkdtempSync(join(tmpdir(), 'navigator-plugin-'));

  before(async () => {
    await navigator.start();
    await navigator.apply(manifest(3));
    await navigator.ready(3);
    await navigator.fill('solo', 100);
  });
  after(async () => {
    await navigator.end();
    rmSync(files, { recursive: true, force: true });
  });

  it('follows a changed setting by a rolling restart, and loses nothing', async () => {
    const before = names.map((name) => navigator.database(name).pid);
    await navigator.apply(manifest(3, { lines: ['config:', '  thread_pool.search.queue_size: 500'] }));
    await waitFor(
      () => names.every((name, index) => navigator.database(name).pid !== before[index]),
      'three restarts',
      600_000,
    );
    await navigator.ready(3);
    const settings = (await navigator.ask('GET', '/_nodes/settings?flat_settings=true')) as {
      nodes: Record<string, { settings: Record<string, string> }>;
    };
    const sizes = Object.values(settings.nodes).map((node) => node.settings['thread_pool.search.queue_size']);
    expect(sizes).to.deep.equal(['500', '500', '500']);
    expect(await navigator.count('solo')).to.equal(100);
    expect(await navigator.settings()).to.include({ exclude: '', enable: 'all' });
  });

  it('does nothing while it is paused, and goes on when it is resumed', async () => {
    await navigator.client.setPaused(demo, true);
    const before = names.map((name) => navigator.database(name));
    await navigator.apply(manifest(2, { lines: ['config:', '  thread_pool.search.queue_size: 500'] }));
    await waitFor(
      async () => (await navigator.client.why(demo, '')).holds.some(({ name }) => name === 'cluster_is_paused'),
      'the hold',
    );
    const cluster = await navigator.cluster();
    expect(cluster.paused).to.equal(true);
    expect((await navigator.settings()).exclude).to.equal('');
    expect(names.map((name) => navigator.database(name))).to.deep.equal(before);
    await navigator.client.setPaused(demo, false);
    await navigator.ready(2);
    expect(await navigator.count('solo')).to.equal(100);
  });

  it('installs a plugin that is added, and removes one that is not listed any more', async () => {
    const distribution = await distributionFor('5.6.16', {
      cacheDir: cacheDirectory(process.env),
      log: createLogger('test', 'silent'),
    });
    const plugin = await buildPlugin(files, 'nothing', { distribution, javaHome: findJava('5.6.16', process.env) });
    const config = ['config:', '  thread_pool.search.queue_size: 500'];
    const plugins = ['plugins:', `  - ${plugin}`];
    await navigator.apply(manifest(2, { lines: [...config, ...plugins] }));
    // Two masters cannot spare one: the roll waits for a person.
    const permit = await waitFor(async () => (await heldByQuorum(navigator))[0], 'a permit that waits for approval');
    expect(permit.state).to.equal('PERMIT_STATE_QUEUED');
    await approveUntil(navigator, 2);
    await navigator.apply(manifest(2, { lines: config }));
    await approveUntil(navigator, 0);
    expect(await navigator.count('solo')).to.equal(100);
  });

  it('deletes the cluster: every process ends and its data goes with it', async () => {
    const directory = join(navigator.directory, 'members/default/demo/demo-node-0');
    expect(existsSync(directory)).to.equal(true);
    await navigator.client.delete(demo);
    await waitFor(async () => (await navigator.client.listClusters()).length === 0, 'the end of the cluster', 600_000);
    expect(navigator.alive(names)).to.equal(0);
    expect(existsSync(directory)).to.equal(false);
  });
});

async function heldByQuorum(navigator: RealNavigator) {
  const permits = await navigator.client.listPermits(demo, false);
  return permits.filter(({ holds }) => holds.some(({ name }) => name === 'quorum_would_be_lost'));
}

/** Approves whatever waits for a person, until as many members have the plugin. */
async function approveUntil(navigator: RealNavigator, plugins: number): Promise<void> {
  const done = new Set<string>();
  await waitFor(
    async () => {
      for (const permit of await heldByQuorum(navigator)) {
        if (done.has(permit.id)) continue;
        const holds = permit.holds.map(({ name }) => name);
        await navigator.client.rule(demo, 'approve', { permit: permit.id, who: 'test', why: 'an outage', holds });
        done.add(permit.id);
      }
      return (await plugged(navigator)) === plugins;
    },
    `the plugin on ${plugins} members`,
    600_000,
  );
  await navigator.ready(2);
}

async function plugged(navigator: RealNavigator): Promise<number> {
  const answer = (await navigator.ask('GET', '/_nodes/plugins')) as { nodes: Record<string, { plugins: unknown[] }> };
  return Object.values(answer.nodes).reduce((sum, node) => sum + node.plugins.length, 0);
}
