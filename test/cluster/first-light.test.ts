/** What a newcomer does: one command, a second terminal, Ctrl-C; and the same again on what is left. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { lives } from '../../shared/proc.ts';
import { manifest, RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const executable = resolve(import.meta.dirname, '../../server/navigator');
const names = ['demo-node-0', 'demo-node-1', 'demo-node-2'];

describe('navigator up, from a terminal', () => {
  const navigator = new RealNavigator();
  let up: ChildProcess | undefined;
  let output = '';

  after(async () => {
    up?.kill('SIGKILL');
    await navigator.end();
  });

  function startUp(): ChildProcess {
    output = '';
    const child = spawn(executable, ['--state-directory', navigator.directory, 'up'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    up = child;
    return child;
  }

  /** One command in the second terminal. */
  function run(args: readonly string[], input?: string) {
    const options = { encoding: 'utf8', ...(input !== undefined && { input }) } as const;
    return spawnSync(executable, ['--state-directory', navigator.directory, ...args], options);
  }

  async function interrupt(child: ChildProcess): Promise<number | null> {
    // Not before its pipes are closed has all been read that it said.
    const ended = once(child, 'close') as Promise<[number | null]>;
    child.kill('SIGINT');
    return (await ended)[0];
  }

  it('brings the example up without being told anything', async () => {
    startUp();
    await navigator.ready(3);
    expect(output).to.match(/Cluster default\/demo is created/);
    await waitFor(
      () => /default\/demo .*ready 2\/3 → 3\/3|ready \d\/3 → 3\/3/.test(output),
      'a line per change in a pipe',
    );
    expect(statSync(`${navigator.directory}/navigator.sock`).mode & 0o777).to.equal(0o600);
    const tokens = names.map((name) => `members/default/demo/${name}/token`);
    for (const file of ['secret', 'navigator.db', 'journal', ...tokens])
      expect(statSync(`${navigator.directory}/${file}`).mode & 0o077, file).to.equal(0);
  });

  it('answers in a second terminal, as a table and as JSON', async () => {
    const table = run(['get', 'members', 'demo']);
    expect(table.status).to.equal(0);
    for (const name of names) expect(table.stdout).to.contain(name);
    const members = JSON.parse(run(['get', 'members', 'demo', '--output', 'json']).stdout) as {
      name: string;
      ready: boolean;
    }[];
    expect(members.map(({ name, ready }) => [name, ready])).to.deep.equal(names.map((name) => [name, true]));
    expect(run(['get', 'clusters']).stdout).to.contain('5.6.16');
    expect(run(['why', 'demo']).stdout).to.match(/nothing/i);
  });

  it('refuses a manifest that breaks rules, all at once, and changes nothing', async () => {
    const { generation } = await navigator.cluster();
    const bad = manifest(0, { version: '5.6', lines: ['updateStrategy: {maxUnavailable: 0}'] });
    const refused = run(['apply', '-f', '-', '--output', 'json'], bad);
    expect(refused.status).to.equal(1);
    const { error } = JSON.parse(refused.stderr) as {
      error: { problems: { path: string; value: string; reason: string }[] };
    };
    const paths = error.problems.map(({ path }) => path);
    expect(paths).to.include.members(['spec.version', 'spec.updateStrategy.maxUnavailable']);
    expect(error.problems.every(({ reason }) => reason.length > 0)).to.equal(true);
    expect((await navigator.cluster()).generation).to.equal(generation);
  });

  it('stops everything in order on Ctrl-C, and goes on with the same data the next time', async () => {
    await navigator.fill('kept', 50, 1);
    const databases = names.map((name) => navigator.database(name));
    const pilots = names.map((name) => navigator.pilot(name));
    if (up === undefined) throw new Error('nothing runs');
    expect(await interrupt(up)).to.equal(0);
    expect(databases.concat(pilots).filter(lives)).to.deep.equal([]);
    expect(output).to.contain('Everything is stopped');
    const away = run(['get', 'clusters']);
    expect(away.status).to.equal(1);
    expect(away.stderr).to.match(/no Navigator server answers/);
    startUp();
    await navigator.ready(3);
    expect(await navigator.count('kept')).to.equal(50);
    // As Ctrl-C in a pipe, which ends the reader at the same time.
    for (const pipe of [up.stdout, up.stderr]) pipe?.destroy();
    expect(await interrupt(up)).to.equal(0);
    expect(names.flatMap((name) => [navigator.database(name), navigator.pilot(name)]).filter(lives)).to.deep.equal([]);
  });
});
