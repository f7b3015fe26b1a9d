/** The `navigator` command against a real gRPC server on a socket. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { createProgram, type ServerCommands } from '../../server/cli/program.ts';
import type { Surroundings } from '../../server/cli/surroundings.ts';
import { cluster, event, members, nowMs, permit, quick, Refusal, Scene, Sink, stuck } from './cli.fixture.ts';

describe('the navigator command', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.end());

  interface Ended {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }

  async function run(
    line: string | readonly string[],
    change: Partial<Surroundings & ServerCommands> = {},
  ): Promise<Ended> {
    const stdout = (change.stdout ?? new Sink()) as Sink;
    const stderr = new Sink();
    const unserved = { up: async () => 0, server: async () => 0, ...change };
    const program = createProgram(unserved, {
      ...{ stdin: Readable.from([]), stdout, stderr, clock: quick, userName: () => 'ada' },
      ...{ env: { NAVIGATOR_STATE_DIRECTORY: scene.directory }, onInterrupt: () => () => undefined },
      ...change,
    });
    const code = await program.run(typeof line === 'string' ? line.split(' ') : line);
    return { code, out: stdout.text, err: stderr.text };
  }

  /** The words of the first line, and of the second. */
  const happy: readonly (readonly [line: string, lines: readonly (string | RegExp)[]])[] = [
    [
      'get clusters',
      [/^NAMESPACE +NAME +HEALTH +VERSION/, /^default +demo +green +9\.1\.2 +2\/2 +demo-node-0 +4 +9007199254740993$/],
    ],
    ['get cluster demo', [/^NAMESPACE/, /^default +demo/]],
    [
      'get members',
      [
        /^NAME +POOL/,
        /^demo-node-0 +node +master,data +running +yes +9\.1\.2 +0 +12 +\* +1/,
        /not heard of yet +no +\? +\? +\? +\? +\? +health_is_red/,
      ],
    ],
    [
      'get permits default/demo --all',
      [/^ID +MEMBER/, /^demo-node-1\.stop\.7 +demo-node-1 +stop +queued .* scale down +health_is_red: a primary/],
    ],
    [
      'why demo',
      ['doing:', '  demo-node-1: drains', 'default/demo is held by:', '  health_is_red: a primary is on no node'],
    ],
    ['why default/demo', ['doing:', /./, 'default/demo is held by:', /./]],
    ['why demo/demo-node-1', ['doing:', /./, 'default/demo demo-node-1 is held by:', /./]],
    ['pause demo', ['cluster default/demo paused']],
    ['resume demo', ['cluster default/demo resumed']],
    ['delete demo', ['cluster default/demo deleting']],
    ['step-down demo', ['cluster default/demo: the leader hands over']],
    [
      'permits approve demo-node-1.stop.7 --why backup',
      ['permit demo-node-1.stop.7 of default/demo approved (demo-node-1 may stop: granted)'],
    ],
    ['permits deny demo-node-1.stop.7 --why no --cluster demo', [/denied/]],
    ['permits revoke demo-node-1.stop.7 --why no', [/revoked/]],
    ['wait demo', ['cluster default/demo ready']],
    ['version', [/^\d+\.\d+\.\d+$/]],
    ['--version', [/^\d+\.\d+\.\d+$/]],
  ];
  for (const [line, expected] of happy) {
    it(`${line} speaks to people`, async () => {
      await scene.serve();
      const { code, out, err } = await run(line);
      expect(err).to.equal('');
      const lines = out.trimEnd().split('\n');
      expected.forEach((part, index) =>
        typeof part === 'string' ? expect(lines[index]).to.equal(part) : expect(lines[index]).to.match(part),
      );
      expect(lines).to.have.length(expected.length);
      expect(code).to.equal(0);
    });
    if (line === '--version') continue;
    it(`${line} speaks to programs`, async () => {
      await scene.serve();
      const { code, out } = await run(`${line} --output json`);
      const isList = /^get (clusters|members|permits)/.test(line);
      expect(JSON.parse(out)).to.be.an(isList ? 'array' : 'object');
      expect(code).to.equal(0);
    });
  }

  it('JSON has camelCase names, safe numbers, ISO times, and leaves out what is unknown', async () => {
    await scene.serve();
    const [one] = JSON.parse((await run('-o json get clusters')).out) as [Record<string, unknown>];
    expect(one).to.include({ readyMembers: 2, term: 4, documents: '9007199254740993' });
    const seen = JSON.parse((await run('get members --output=json')).out) as Record<string, unknown>[];
    expect(seen[0]).to.include({ shards: 0, lastHeartbeat: new Date(nowMs - 4_000).toISOString() });
    expect(seen[1]).to.not.have.any.keys('shards', 'documents', 'lastHeartbeat');
  });

  it('rules in the name of the person, with the reason', async () => {
    await scene.serve();
    await run(['permits', 'deny', permit.id, '--why', 'not tonight']);
    expect(scene.asked.at(-1)).to.deep.equal([
      'denyPermit',
      { cluster: 'demo', namespace: 'default', permit: permit.id, who: 'ada', why: 'not tonight' },
    ]);
  });

  it('apply tells the outcome, and warnings on standard error', async () => {
    await scene.serve();
    const { code, out, err } = await run('apply -f -', { stdin: Readable.from(['kind: X']) });
    expect([code, out, err]).to.deep.equal([
      0,
      'elasticsearchcluster default/demo created\n',
      'warning: spec.old is ignored\n',
    ]);
    expect(scene.asked).to.deep.equal([['applyCluster', { manifest: 'kind: X' }]]);
  });

  it('apply tells every problem, on a line each', async () => {
    const problems = ['a', 'b', 'c'].map((path) => ({ path: `spec.${path}`, value: '7', reason: 'must be less' }));
    await scene.serve({
      applyCluster: () => {
        throw new Refusal(status.INVALID_ARGUMENT, 'bad', { code: 'invalid', advice: [], problems, omitted: 0 });
      },
    });
    const stdin = (): Readable => Readable.from(['kind: X']);
    const { code, err } = await run('apply -f -', { stdin: stdin() });
    expect(err.split('\n')).to.deep.equal([
      'error: the manifest has 3 problems:',
      '  spec.a: must be less (here: 7)',
      '  spec.b: must be less (here: 7)',
      '  spec.c: must be less (here: 7)',
      '',
    ]);
    expect(code).to.equal(1);
    const json = await run('apply -f - -o json', { stdin: stdin() });
    const message = 'the manifest has 3 problems';
    expect(JSON.parse(json.err)).to.deep.equal({ error: { code: 'invalid', message, advice: [], problems } });
  });

  it('apply of several files changes nothing where one of them is wrong', async () => {
    await scene.serve();
    const file = join(scene.directory, 'bad.yaml');
    writeFileSync(file, 'kind: Other\n');
    const { code, err } = await run(['apply', '-f', file, '-f', file]);
    expect(err).to.match(/^error: .*bad\.yaml: the manifest has \d problems:\n {2}apiVersion: /);
    expect([code, scene.asked]).to.deep.equal([1, []]);
    expect((await run(`apply -f ${scene.directory}/none.yaml`)).err).to.contain('there is no such file');
  });

  it('follows page tokens to the end', async () => {
    await scene.serve({
      listMembers: ({ pageToken }: { pageToken: string }) =>
        pageToken === '' ? { members: [members[0]], nextPageToken: 'x' } : { members: [members[1]], nextPageToken: '' },
    });
    const { out } = await run('get members');
    expect(out).to.contain('demo-node-0').and.to.contain('demo-node-1');
    expect(scene.asked.filter(([name]) => name === 'listMembers')).to.have.length(2);
  });

  it('says so where nothing is listed, and where nothing holds', async () => {
    await scene.serve({
      listClusters: () => ({ clusters: [], nextPageToken: '' }),
      why: () => ({ holds: [], doing: [] }),
    });
    expect(await run('get clusters')).to.deep.include({
      code: 0,
      out: '',
      err: 'there is no cluster; `navigator apply -f FILE` makes one\n',
    });
    expect((await run('get clusters -o json')).out).to.equal('[]\n');
    expect((await run('get members')).err).to.contain('error: there is no cluster yet');
    expect((await run('why demo')).out).to.equal('nothing holds default/demo\n');
  });

  it('asks for a name where there are several clusters', async () => {
    await scene.serve({
      listClusters: () => ({ clusters: [cluster, { ...cluster, name: 'other' }], nextPageToken: '' }),
    });
    const { code, err } = await run('get members');
    expect([code, err]).to.deep.equal([
      1,
      'error: there are 2 clusters, and none is named\n  → name one of: default/demo, default/other\n',
    ]);
  });

  it('says where it looked for a server that is away', async () => {
    const { code, err } = await run('get clusters');
    expect(code).to.equal(1);
    expect(err.split('\n')).to.deep.equal([
      `error: no Navigator server answers on ${scene.socket}`,
      '  → start one with `npm start` or `navigator up -f FILE`',
      '  → another place is named by --state-directory or NAVIGATOR_STATE_DIRECTORY',
      '',
    ]);
    expect(JSON.parse((await run('get clusters -o json')).err)).to.have.nested.property('error.code', 'unavailable');
  });

  it('passes on the advice of a refusal, and needs none', async () => {
    const told = { code: 'not_found', advice: ['there are: default/demo'], problems: [], omitted: 0 };
    await scene.serve({
      pause: () => {
        throw new Refusal(status.NOT_FOUND, 'there is no cluster default/x', told);
      },
      resume: () => {
        throw new Refusal(status.FAILED_PRECONDITION, 'it says paused');
      },
    });
    const { code, err } = await run('pause x');
    expect([code, err]).to.deep.equal([1, 'error: there is no cluster default/x\n  → there are: default/demo\n']);
    expect(JSON.parse((await run('resume x -o json')).err)).to.have.nested.property('error.code', 'refused');
  });

  for (const [line, said] of [
    ['gte clusters', "unknown command 'gte'\n  → Did you mean get?"],
    ['get clusters --outptu json', 'Did you mean --output?'],
    ['get clusters --output xml', 'Allowed choices are table, json'],
    ['pause', "missing required argument 'cluster'"],
    ['pause one two', 'too many arguments'],
    ['permits deny x', "required option '--why <text>'"],
    ['wait demo --timeout soon', 'Write 90s, 10m or 1h30m.'],
  ] as const) {
    it(`refuses the usage: ${line}`, async () => {
      const { code, err } = await run(line);
      expect(err)
        .to.match(/^error: /)
        .and.to.contain(said);
      expect(code).to.equal(2);
    });
  }

  it('has help with examples everywhere, and shows it where a word is missing', async () => {
    for (const line of ['--help', 'up --help', 'get members --help', 'permits deny --help', 'events --help']) {
      const { code, out } = await run(line);
      expect(out)
        .to.match(/^Usage: navigator/)
        .and.to.contain('Examples:\n  navigator ');
      expect(code).to.equal(0);
    }
    expect(await run('get')).to.include({ code: 2, out: '' });
    expect((await run([])).err).to.contain('Usage: navigator');
  });

  it('hands the options of up and server on', async () => {
    const given: unknown[] = [];
    const take = async (options: unknown): Promise<number> => given.push(options) + 6;
    const { code } = await run('up -f a.yaml --elasticsearch-home /es --state-directory /s', { up: take });
    await run('-o json server --log-level debug', { server: take });
    expect(code).to.equal(7);
    expect(given).to.deep.equal([
      { file: 'a.yaml', elasticsearchHome: '/es', stateDirectory: '/s', output: 'table', logLevel: 'info' },
      { stateDirectory: scene.directory, output: 'json', logLevel: 'debug' },
    ]);
  });

  it('wait tells at its end what holds the cluster, and ends with 130 on Ctrl-C', async () => {
    await scene.serve({ getCluster: () => ({ cluster: stuck, manifest: '' }) });
    const late = await run('wait demo --timeout 100ms');
    expect(late.code).to.equal(1);
    expect(late.err).to.match(/^error: cluster default\/demo is not ready after/);
    expect(late.err).to.contain('  → 1 of 2 members are ready\n  → held by health_is_red: a primary is on no node\n');
    const press = (stopNow: () => void): (() => void) => {
      stopNow();
      return () => undefined;
    };
    expect(await run('wait demo', { onInterrupt: press })).to.deep.equal({ code: 130, out: '', err: '' });
  });

  it('wait and delete --wait go on until the goal is reached', async () => {
    let looks = 0;
    await scene.serve({
      getCluster: () => {
        if (++looks > 3) throw new Refusal(status.NOT_FOUND, 'gone');
        return { cluster: looks < 3 ? { ...cluster, observedGeneration: 1n } : cluster, manifest: '' };
      },
    });
    expect(await run('wait demo')).to.include({ code: 0, out: 'cluster default/demo ready\n' });
    expect(looks).to.equal(3);
    expect((await run('delete demo --wait')).out).to.equal(
      'cluster default/demo deleting\ncluster default/demo deleted\n',
    );
  });

  it('events prints until Ctrl-C, which is no failure', async () => {
    await scene.serve();
    const line = '2026-01-02T03:04:05.000Z default/demo demo-node-1 held it waits\n';
    for (const [words, said] of [
      ['events demo --follow', line],
      ['events -o json', `${JSON.stringify(event)}\n`],
    ] as const) {
      const stdout = new Sink();
      const onInterrupt = (stopNow: () => void): (() => void) => {
        stdout.onText = stopNow;
        return () => undefined;
      };
      expect(await run(words, { stdout, onInterrupt })).to.deep.equal({ code: 0, out: said, err: '' });
    }
  });

  it('a reader that goes away ends it in silence', async () => {
    await scene.serve();
    const stdout = new Sink();
    stdout._write = (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(await run('events', { stdout })).to.include({ code: 0, err: '' });
  });

  it('colours a terminal alone, and none where NO_COLOR is set', async () => {
    await scene.serve();
    const terminal = (): Sink => Object.assign(new Sink(), { isTTY: true, columns: 200 });
    const env = { NAVIGATOR_STATE_DIRECTORY: scene.directory };
    const { out } = await run('get clusters', { stdout: terminal(), env });
    expect(out).to.contain('\u001B[32mgreen');
    expect((await run('get clusters', { stdout: terminal(), env: { ...env, NO_COLOR: '1' } })).out).to.not.contain(
      '\u001B',
    );
    expect((await run('get clusters')).out).to.not.contain('\u001B');
  });
});
