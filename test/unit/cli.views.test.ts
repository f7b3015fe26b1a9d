/** What the CLI shows: tables, the frame of a terminal, and the lines of a pipe. */
import { expect } from 'chai';
import pc from 'picocolors';
import { stripVTControlCharacters } from 'node:util';
import * as wire from '../../proto/navigator/v1/navigator.ts';
import { connectClient } from '../../server/cli/client.ts';
import { renderFrame } from '../../server/cli/frame.ts';
import { showLive, type LiveOptions } from '../../server/cli/live.ts';
import { stateDirectory } from '../../server/cli/places.ts';
import { clusterTable, memberTable } from '../../server/cli/tables.ts';
import { cluster, event, members, nowMs, quick, Scene, Sink, stuck } from './cli.fixture.ts';

describe('what people see', () => {
  const plain = pc.createColors(false);

  it('tables show the unknown as ?, and fit the width', () => {
    const unknown = {
      ...cluster,
      documents: undefined,
      health: 'HEALTH_UNSPECIFIED' as const,
      leader: '',
      doing: ['x '.repeat(80)],
    };
    const [, row = ''] = clusterTable([unknown], plain, 90);
    expect(row).to.match(/^default +demo +\? +9\.1\.2 +2\/2 +nobody +4 +\? +x x.*…$/);
    expect(row).to.have.length(90);
    expect(memberTable(members, nowMs)[1]).to.match(/ 4s ago$/);
  });

  it('the state directory is what the flag says, else the environment, else the custom', () => {
    expect(stateDirectory('/a', { NAVIGATOR_STATE_DIRECTORY: '/b' })).to.equal('/a');
    expect(stateDirectory(undefined, { NAVIGATOR_STATE_DIRECTORY: '/b' })).to.equal('/b');
    const root = process.getuid?.() === 0;
    expect(stateDirectory(undefined, { XDG_STATE_HOME: '/x' })).to.equal(root ? '/var/lib/navigator' : '/x/navigator');
  });

  it('a narrow frame shows the whole name of a hold', () => {
    const doing = 'waits until four shards have moved to the other members';
    const held = { name: 'data_node_still_has_shards', member: 'demo-node-0', message: 'four shards are left' };
    const clusters = [{ cluster, members: [{ ...members[0]!, doing, holds: [held] }] }];
    const at = (columns: number): readonly string[] =>
      renderFrame({ clusters, events: [], away: '' }, { columns, rows: 24 }, plain);
    expect(at(110).at(-1)).to.match(/^ {2}demo-node-0 .*waits until .*…  data_node_still_has_shards.*…$/);
    expect(at(80).slice(-2)).to.deep.equal([
      '      waits until four shards have moved to the other members',
      '      held by data_node_still_has_shards: four shards are left',
    ]);
  });

  it('the frame keeps what wants an eye when there is little room', () => {
    const calm = Array.from({ length: 30 }, (_, index) =>
      wire.Member.fromPartial({ name: `demo-node-${index + 2}`, phase: 'running', ready: true, shards: 1n }),
    );
    const clusters = [{ cluster: { ...stuck, paused: true }, members: [...members, ...calm] }];
    const lines = renderFrame({ clusters, events: [event], away: '' }, { columns: 100, rows: 12 }, plain);
    expect(lines).to.have.length.at.most(11);
    expect(lines.every((line) => line.length <= 100)).to.equal(true);
    const text = lines.join('\n');
    for (const part of [
      'default/demo',
      'Paused',
      'held by health_is_red',
      'demo-node-1',
      'more are ready',
      'documents',
    ])
      expect(text).to.contain(part);
    const tall = renderFrame({ clusters, events: [event], away: 'no server' }, { columns: 100, rows: 80 }, plain);
    expect(tall[0]).to.equal('no server');
    expect(tall.at(-1)).to.equal('2026-01-02T03:04:05.000Z default/demo demo-node-1 held it waits');
  });
});

describe('the live view', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.end());

  const still = { ...quick, wallMs: () => nowMs };

  /** Shows until a text has been printed, and answers with all of it. */
  async function showUntil(
    until: (text: string) => boolean,
    change: Partial<LiveOptions> & { stdout?: Sink },
    ids?: readonly { namespace: string; name: string }[],
  ): Promise<string> {
    const over = new AbortController();
    const stdout = change.stdout ?? new Sink();
    const onText = stdout.onText;
    stdout.onText = (text) => {
      onText(text);
      if (until(text)) over.abort();
    };
    const client = connectClient({ socket: scene.socket }, quick);
    const options = { isTerminal: false, clock: still, output: 'table', signal: over.signal, ...change } as const;
    await showLive(client, ids, { ...options, stdout });
    client.close();
    return stdout.text;
  }

  const starting = { ...members[0]!, phase: 'starting', shards: undefined, documents: 1n, leader: false };
  const changing = {
    listMembers: () => {
      const steps = [starting, { ...starting, documents: 2n }, members[0]];
      const step = steps[Math.min(scene.asked.filter(([name]) => name === 'listMembers').length, steps.length) - 1];
      return { members: [step], nextPageToken: '' };
    },
  };
  const at = '2026-01-02T03:04:05.000Z';

  it('prints a line per change in a pipe, and events as they come', async () => {
    await scene.serve(changing);
    const out = await showUntil((text) => text.includes('shards ? → 0') && text.includes('it waits'), {});
    const lines = out
      .trimEnd()
      .split('\n')
      .filter((line) => !line.endsWith('it waits'));
    expect(lines).to.deep.equal([
      `${at} default/demo appears health green ready 2/2 version 9.1.2 leader demo-node-0 term 4 documents 9007199254740993`,
      `${at} default/demo demo-node-0 appears phase starting version 9.1.2 documents 1`,
      `${at} default/demo demo-node-0 phase starting → running shards ? → 0 documents 2 → 12 leader - → yes`,
    ]);
    expect(out).to.contain(`${at} default/demo demo-node-1 held it waits\n`);
  });

  it('prints a JSON object per line where that is asked for, terminal or not', async () => {
    await scene.serve(changing);
    const ready = (text: string): boolean => text.includes('"phase":"running"') && text.includes('it waits');
    const out = await showUntil(ready, { output: 'json', isTerminal: true });
    const objects = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects).to.deep.include({ at, event: { ...event, at } });
    const last = objects.findLast((object) => object['member'] === 'demo-node-0');
    expect(last).to.include({ at, cluster: 'default/demo' }).and.to.have.nested.property('view.shards', 0);
  });

  it('says once that the server is away, and goes on when it is back', async () => {
    await scene.serve();
    const stdout = new Sink();
    let isBack = false;
    stdout.onText = (text) => {
      if (text.includes('appears phase running') && scene.asked.length > 0 && !isBack) scene.stop();
      if (text.includes('trying again') && !isBack) {
        isBack = true;
        void scene.serve({ listClusters: () => ({ clusters: [], nextPageToken: '' }) });
      }
    };
    const out = await showUntil((text) => text.includes('is gone'), { stdout });
    const lines = out
      .trimEnd()
      .split('\n')
      .filter((line) => !line.endsWith('it waits'));
    expect(lines.slice(-3)).to.deep.equal([
      `${at} no Navigator server answers on ${scene.socket}; trying again`,
      `${at} the server answers again`,
      `${at} default/demo is gone`,
    ]);
  });

  it('shows the named clusters alone', async () => {
    await scene.serve({
      listClusters: () => ({ clusters: [cluster, { ...cluster, name: 'other' }], nextPageToken: '' }),
    });
    const out = await showUntil((text) => text.includes('other'), {}, [{ namespace: 'default', name: 'other' }]);
    expect(out).to.not.contain('default/demo');
  });

  it('draws in place on a terminal, and leaves the cursor alone', async () => {
    await scene.serve();
    const stdout = Object.assign(new Sink(), { isTTY: true, columns: 120, rows: 30 });
    const done = (text: string): boolean => text.includes('HELD BY') && text.includes('it waits');
    const out = await showUntil(done, { stdout, isTerminal: true });
    expect(stripVTControlCharacters(out)).to.match(/default\/demo +health green +2\/2 ready +elasticsearch 9\.1\.2/);
    expect(out).to.not.contain('\u001B[?25l');
  });
});
