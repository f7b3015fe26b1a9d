/** What the pilot's process makes of the flags that only a pod gives it: whose its memory is, and which pod it runs in. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { lives, type Life } from '../../shared/proc.ts';
import { HandServer } from '../integration/hand-server.ts';
import { waitFor } from '../support/wait.ts';

const pilotMain = resolve(import.meta.dirname, '../../pilot/main.ts');
const limitMs = 60_000;

describe('the flags of a pilot in a pod', function () {
  this.timeout(2 * limitMs);
  let root: string;
  /** The volume, which outlives pods. */
  let volume: string;
  let server: HandServer;
  let pilot: ChildProcess | undefined;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'nav-'));
    volume = join(root, 'volume');
    for (const folder of ['volume', 'distribution/bin', 'distribution/config'])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'token'), 'token');
    // A database that starts and never answers: the pilot that has it asks before it touches it.
    const database = join(root, 'distribution/bin/elasticsearch');
    writeFileSync(database, '#!/bin/sh\nexec sleep 600\n');
    chmodSync(database, 0o755);
    writeFileSync(join(root, 'distribution/config/log4j2.properties'), '');
    server = await new HandServer(join(root, 's')).open();
  });
  afterEach(async () => {
    await killPilot();
    const process_ = join(volume, 'process.json');
    const life = existsSync(process_)
      ? (JSON.parse(readFileSync(process_, 'utf8')) as { life?: Life }).life
      : undefined;
    if (life !== undefined && lives(life)) process.kill(-life.pid, 'SIGKILL');
    server.close();
    rmSync(root, { recursive: true, force: true });
  });

  function startPilot(more: Readonly<Record<string, string>>): void {
    const flags = {
      server: `unix:${join(root, 's')}`,
      'token-file': join(root, 'token'),
      cluster: 'demo',
      member: 'demo-node-0',
      version: '6.8.23',
      distribution: join(root, 'distribution'),
      directory: volume,
      address: '127.0.0.1',
      'java-home': join(root, 'distribution'),
      'log-file': join(root, 'pilot.log'),
      ...more,
    };
    const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    pilot = spawn(process.execPath, [pilotMain, ...words], { stdio: 'inherit' });
  }

  async function killPilot(): Promise<void> {
    const dying = pilot;
    pilot = undefined;
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
    const gone = once(dying, 'exit');
    dying.kill('SIGKILL');
    await gone;
  }

  /** What the next pilot greets with: the highest term and revision that it remembers. */
  async function remembers(flags: Readonly<Record<string, string>>): Promise<readonly number[]> {
    await killPilot();
    const before = server.hellos().length;
    startPilot(flags);
    const greeting = await waitFor(() => server.hellos()[before], 'a greeting', limitMs);
    return [Number(greeting.highestTerm), Number(greeting.highestRevision)];
  }

  function remember(memory: object): void {
    writeFileSync(join(volume, 'pilot.json'), JSON.stringify(memory));
  }

  const seven = { highestTerm: 7, highestRevision: 9 };

  it('--owner: what is remembered is this cluster’s, in however many lives', async () => {
    remember(seven);
    expect(await remembers({ owner: 'first' })).to.deep.equal([7, 9]);
    expect(await remembers({ owner: 'first' })).to.deep.equal([7, 9]);
    expect(existsSync(join(volume, 'pilot.json.former'))).to.equal(false);
  });

  it('--owner: what was remembered for another cluster on the same volume is put aside', async () => {
    remember(seven);
    expect(await remembers({ owner: 'first' })).to.deep.equal([7, 9]);
    expect(await remembers({ owner: 'second' })).to.deep.equal([0, 0]);
    expect(JSON.parse(readFileSync(join(volume, 'pilot.json.former'), 'utf8'))).to.deep.equal(seven);
    expect(readFileSync(join(volume, 'owner'), 'utf8').trim()).to.equal('second');
  });

  it('--owner: where there is none, as without Kubernetes, the memory is kept', async () => {
    remember(seven);
    writeFileSync(join(volume, 'owner'), 'first');
    expect(await remembers({})).to.deep.equal([7, 9]);
  });

  it('--pod: one that has left and was killed begins anew in the next pod, and starts its database', async () => {
    remember({ ...seven, left: true });
    writeFileSync(join(volume, 'owner'), 'first');
    writeFileSync(join(volume, 'pod'), 'pod-1');
    expect(await remembers({ owner: 'first', pod: 'pod-2' })).to.deep.equal([0, 0]);
    server.desire(10, 'RUNNING');
    await server.beat('its database to be started', ({ process }) => process?.phase === 'PROCESS_PHASE_STARTING');
  });

  it('--pod: one that has left stays so in the same pod, whatever it is told', async () => {
    remember({ ...seven, left: true });
    writeFileSync(join(volume, 'owner'), 'first');
    writeFileSync(join(volume, 'pod'), 'pod-1');
    expect(await remembers({ owner: 'first', pod: 'pod-1' })).to.deep.equal([7, 9]);
    server.desire(10, 'RUNNING');
    await server.beat('it to be told', ({ process }) => process?.doing === 'has left');
    await server.meanwhile();
    expect(server.beats().at(-1)?.process?.phase).to.equal('PROCESS_PHASE_STOPPED');
  });

  it('--pod: one that has not left remembers in the next pod, too', async () => {
    remember(seven);
    writeFileSync(join(volume, 'owner'), 'first');
    writeFileSync(join(volume, 'pod'), 'pod-1');
    expect(await remembers({ owner: 'first', pod: 'pod-2' })).to.deep.equal([7, 9]);
    expect(readFileSync(join(volume, 'pod'), 'utf8').trim()).to.equal('pod-2');
  });

  it('--template: one that is to run in another pod asks, and its database runs on until it may', async () => {
    startPilot({ owner: 'first', template: 'old' });
    await waitFor(() => server.hellos().length > 0, 'a greeting', limitMs);
    server.desire(1, 'RUNNING', 'h1', 'old');
    await server.beat('its database to be started', ({ process }) => process?.phase === 'PROCESS_PHASE_STARTING');
    await server.meanwhile();
    expect(server.requests()).to.deep.equal([]);
    server.desire(2, 'RUNNING', 'h1', 'new');
    const [request] = await waitFor(() => server.requests().length > 0 && server.requests(), 'its asking', limitMs);
    expect([request?.verb, request?.reason]).to.deep.equal(['VERB_UPGRADE', 'to run in another pod']);
    await server.meanwhile();
    expect(server.beats().at(-1)?.process?.phase).to.equal('PROCESS_PHASE_STARTING');
  });

  it('--template: without it there are no pods, and nothing is asked', async () => {
    startPilot({});
    await waitFor(() => server.hellos().length > 0, 'a greeting', limitMs);
    server.desire(1, 'RUNNING', 'h1', 'new');
    await server.beat('its database to be started', ({ process }) => process?.phase === 'PROCESS_PHASE_STARTING');
    await server.meanwhile();
    expect(server.requests()).to.deep.equal([]);
  });
});
