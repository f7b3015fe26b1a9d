/** What a pilot obeys, and what it does not, whatever the server says or fails to say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FakePilot, FakeWorld } from '../fakes/runtime.ts';
import { waitFor } from '../support/wait.ts';
import { HandServer } from './hand-server.ts';
import { log, quick } from './scene.ts';

const member = 'demo-node-0';
const hourMs = 3_600_000;

class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'nav-'));
  readonly world = new FakeWorld();
  readonly server = new HandServer(join(this.directory, 's'));
  pilot: FakePilot;

  constructor() {
    this.pilot = this.#launch();
  }

  /** A pilot whose database runs and is joined, and that has heard of revision 5. */
  static async running(): Promise<Stage> {
    const stage = new Stage();
    await stage.server.open();
    await stage.greeted(1);
    stage.server.desire(5, 'RUNNING');
    await stage.serves();
    return stage;
  }

  /** The same, and it leads in term 5. */
  static async leading(): Promise<Stage> {
    const stage = await Stage.running();
    stage.server.word = { term: 5, yours: true };
    await stage.server.beat('the pilot to lead', ({ leadingTerm }) => leadingTerm === 5n);
    return stage;
  }

  /** Another life of the pilot, in the same directory. */
  async restart(): Promise<void> {
    this.pilot.kill();
    const greetings = this.server.hellos().length;
    this.pilot = this.#launch();
    await this.greeted(greetings + 1);
  }

  greeted(times: number): Promise<unknown> {
    return this.server.until('a hello', () => this.server.hellos().length >= times && this.pilot.connected);
  }

  serves(): Promise<unknown> {
    return this.server.beat('the database to serve', ({ process, node }) => {
      return process?.phase === 'PROCESS_PHASE_RUNNING' && node?.joined === true;
    });
  }

  /** The process of the first start runs, and nobody has ever stopped it. */
  expectUntouched(): void {
    expect(this.world.machine.count(member, 'stopped')).to.equal(0);
    expect(this.world.database.node(member).life).to.equal(1);
    expect(this.world.machine.runs(member)).to.equal(true);
  }

  close(): void {
    this.pilot.kill();
    this.server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #launch(): FakePilot {
    const where = { namespace: 'default', cluster: 'demo', member, version: '6.8.23' };
    const papers = { token: () => 'token' };
    const server = `unix:${join(this.directory, 's')}`;
    return new FakePilot({ ...where, server, papers, directory: join(this.directory, member) }, this.world, log);
  }
}

describe('a pilot and its orders', function () {
  this.timeout(60_000);
  let stage: Stage;
  afterEach(() => stage.close());

  it('makes settings true in the term that it leads in', async () => {
    stage = await Stage.leading();
    stage.server.order('now', 5, 'gone');
    await stage.server.beat('the order to be true', ({ cluster }) => cluster?.appliedOrder === 'now');
    expect(stage.world.database.excluded).to.deep.equal(['gone']);
  });

  it('refuses an order of a term below the highest it has seen', async () => {
    stage = await Stage.leading();
    stage.server.order('old', 4, 'gone');
    const result = await stage.server.until('the refusal', () => stage.server.result('old'));
    expect(result.ok).to.equal(false);
    expect(result.message).to.contain('term 4').and.to.contain('term 5');
    await stage.server.meanwhile();
    expect(stage.world.database.excluded).to.deep.equal([]);
  });

  it('refuses it in another life, too', async () => {
    stage = await Stage.leading();
    stage.server.word = { term: 4, yours: true };
    await stage.restart();
    expect(stage.server.hellos().at(-1)?.highestTerm).to.equal(5n);
    await stage.serves();
    stage.server.order('old', 4, 'gone');
    const result = await stage.server.until('the refusal', () => stage.server.result('old'));
    expect(result.ok).to.equal(false);
    await stage.server.meanwhile();
    expect(stage.server.beats().at(-1)?.leadingTerm).to.equal(0n);
    expect(stage.world.database.excluded).to.deep.equal([]);
    stage.expectUntouched();
  });

  it('keeps no order of an earlier term true, though it leads again', async () => {
    stage = await Stage.leading();
    stage.server.order('before', 5, 'gone');
    await stage.server.beat('the order to be true', ({ cluster }) => cluster?.appliedOrder === 'before');
    stage.server.word = { term: 6, yours: true };
    await stage.server.beat('it to lead in the next term', ({ leadingTerm }) => leadingTerm === 6n);
    await stage.server.beat('a look in that term', ({ cluster }) => cluster?.appliedOrder === '');
    // Whoever led in between has changed it.
    stage.world.database.excluded = [];
    await stage.server.meanwhile();
    expect(stage.world.database.excluded).to.deep.equal([]);
    stage.server.order('after', 6, 'other');
    await stage.server.beat('the next order to be true', ({ cluster }) => cluster?.appliedOrder === 'after');
    expect(stage.world.database.excluded).to.deep.equal(['other']);
  });

  it('makes no order true while it does not lead', async () => {
    stage = await Stage.running();
    stage.server.word = { term: 5, yours: false };
    await stage.server.meanwhile();
    stage.server.order('now', 5, 'gone');
    await stage.server.meanwhile();
    expect(stage.world.database.excluded).to.deep.equal([]);
  });

  it('makes no order true once its lease has ended, though nobody has told it', async () => {
    stage = await Stage.leading();
    stage.server.word = undefined;
    await stage.server.beat('the lease to end', ({ leadingTerm }) => leadingTerm === 0n);
    stage.server.order('now', 5, 'gone');
    await stage.server.meanwhile();
    expect(stage.world.database.excluded).to.deep.equal([]);
    stage.expectUntouched();
  });

  it('ignores a desired state of a lower revision than it has seen, also in another life', async () => {
    stage = await Stage.running();
    stage.server.desire(4, 'STOPPED');
    await stage.server.meanwhile();
    expect(stage.server.requests()).to.deep.equal([]);
    await stage.restart();
    expect(stage.server.hellos().at(-1)?.highestRevision).to.equal(5n);
    stage.server.desire(4, 'STOPPED');
    await stage.server.meanwhile();
    expect(stage.server.requests()).to.deep.equal([]);
    stage.expectUntouched();
  });

  it('follows a change of its configuration only after it was permitted twice: granted, and for the use', async () => {
    stage = await Stage.running();
    stage.server.desire(6, 'RUNNING', 'h2');
    const request = await stage.server.until('the asking', () => stage.server.requests().at(-1));
    expect(request.verb).to.equal('VERB_RESTART');
    await stage.server.meanwhile();
    stage.expectUntouched();
    stage.server.decide(stage.server.requests().at(-1)!, { term: 0 });
    const use = await stage.server.until('the use', () => stage.server.uses()[0]);
    await stage.server.meanwhile();
    stage.expectUntouched();
    stage.server.answerUse(use.permitId, true);
    await stage.server.beat('the restart', ({ process }) => {
      return process?.specHash === 'h2' && process.phase === 'PROCESS_PHASE_RUNNING';
    });
    expect(stage.world.database.node(member).life).to.equal(2);
  });
});

describe('a pilot and its permits', function () {
  this.timeout(60_000);
  let stage: Stage;
  afterEach(() => stage.close());

  /** It is to stop, and asks. */
  async function asking(): Promise<void> {
    stage = await Stage.running();
    stage.server.word = { term: 5, yours: false };
    await stage.server.meanwhile();
    stage.server.desire(6, 'STOPPED');
    await stage.server.until('the asking', () => stage.server.requests()[0]);
  }

  it('ignores a decision of an old term', async () => {
    await asking();
    stage.server.decide(stage.server.requests().at(-1)!, { term: 4 });
    await stage.server.meanwhile();
    expect(stage.server.uses()).to.deep.equal([]);
    stage.server.decide(stage.server.requests().at(-1)!, { term: 5 });
    await stage.server.until('the use', () => stage.server.uses()[0]);
    stage.expectUntouched();
  });

  it('ignores a decision about an asking of another life', async () => {
    await asking();
    const before = stage.server.requests().at(-1)!;
    await stage.restart();
    await stage.server.until('another asking', () => stage.server.requests().at(-1)?.id !== before.id);
    stage.server.decide(before, { term: 5 });
    await stage.server.meanwhile();
    expect(stage.server.uses()).to.deep.equal([]);
    stage.expectUntouched();
  });

  it('asks again when the answer to its use is lost, and the late one opens no door', async () => {
    await asking();
    const before = stage.server.requests().at(-1)!;
    stage.server.decide(before, { term: 5 });
    const { permitId } = await stage.server.until('the use', () => stage.server.uses()[0]);
    stage.pilot.clock.push(60_000);
    await stage.server.until('another asking', () => stage.server.requests().at(-1)?.id !== before.id);
    stage.server.answerUse(permitId, true);
    await stage.server.meanwhile();
    stage.expectUntouched();
    const next = stage.server.decide(stage.server.requests().at(-1)!, { term: 5 });
    await stage.server.until('the next use', () => stage.server.uses().some((use) => use.permitId === next));
    stage.server.answerUse(next, true);
    await stage.server.beat('it to be stopped', ({ process }) => process?.phase === 'PROCESS_PHASE_STOPPED');
    expect(stage.world.database.node(member).flushed).to.equal(1);
  });

  it('asks again when its use is refused', async () => {
    await asking();
    const before = stage.server.requests().at(-1)!;
    stage.server.decide(before, { term: 5 });
    const { permitId } = await stage.server.until('the use', () => stage.server.uses()[0]);
    stage.server.answerUse(permitId, false);
    await stage.server.until('another asking', () => stage.server.requests().at(-1)?.id !== before.id);
    stage.expectUntouched();
  });

  it('counts the time of a grant from its asking on, not from when it heard of it', async () => {
    await asking();
    stage.pilot.hold(({ kind }) => kind === 'decision');
    const before = stage.server.requests().at(-1)!;
    stage.server.decide(before, { term: 5, ttlMs: 60_000 });
    await stage.server.until('the decision to wait', () => stage.pilot.holding);
    stage.pilot.clock.push(60_000);
    stage.pilot.release();
    await stage.server.until('another asking', () => stage.server.requests().at(-1)?.id !== before.id);
    expect(stage.server.uses()).to.deep.equal([]);
    stage.expectUntouched();
  });
});

describe('a pilot without its server', function () {
  this.timeout(60_000);
  let stage: Stage;
  afterEach(() => stage.close());

  it('lets its database run for an hour, and comes back in the same life', async () => {
    stage = await Stage.running();
    stage.server.close();
    await stage.server.until('the pilot to notice', () => !stage.pilot.connected);
    for (let minute = 0; minute < 60; minute++) stage.pilot.clock.push(hourMs / 60);
    stage.expectUntouched();
    const [hello] = stage.server.hellos();
    const times = stage.server.hellos().length;
    await stage.server.open();
    stage.pilot.clock.push(hourMs);
    await stage.greeted(times + 1);
    expect(stage.server.hellos().at(-1)?.incarnation).to.equal(hello?.incarnation);
    await stage.serves();
    stage.expectUntouched();
  });

  it('starts a crashed database again by itself', async () => {
    stage = await Stage.running();
    stage.server.close();
    await stage.server.until('the pilot to notice', () => !stage.pilot.connected);
    stage.world.machine.crash(member);
    await stage.server.until('the restart', () => stage.world.machine.runs(member));
    expect(stage.world.machine.count(member, 'stopped')).to.equal(0);
  });

  it('starts, in another life, what it was last told to be', async () => {
    stage = await Stage.running();
    stage.server.close();
    stage.pilot.kill();
    stage.world.machine.crash(member);
    const { place } = stage.pilot;
    stage.pilot = new FakePilot(place, stage.world, log);
    await stage.server.until('the start', () => stage.world.machine.runs(member));
  });

  it('serves on after SIGTERM until the grace is nearly over, then stops cleanly and has not left', async () => {
    stage = await Stage.running();
    stage.server.close();
    await stage.server.until('the pilot to notice', () => !stage.pilot.connected);
    stage.pilot.pilot.terminate(1_000_000);
    stage.pilot.clock.push(900_000);
    await waitFor(() => stage.pilot.pilot.readiness().ready, 'it to serve', 10_000);
    stage.expectUntouched();
    expect(stage.pilot.ended).to.equal(false);
    stage.pilot.clock.push(70_000);
    await stage.pilot.gone;
    expect(stage.world.machine.count(member, 'stopped')).to.equal(1);
    expect(stage.world.database.node(member).flushed).to.equal(1);
    await stage.server.open();
    const times = stage.server.hellos().length;
    const { place } = stage.pilot;
    stage.pilot = new FakePilot(place, stage.world, log);
    await stage.greeted(times + 1);
    await stage.serves();
    expect(stage.world.database.node(member).life).to.equal(2);
  });

  it('asks the server first after SIGTERM, and stops when it may', async () => {
    stage = await Stage.running();
    stage.pilot.pilot.terminate(100_000);
    const request = await stage.server.until('the asking', () => stage.server.requests().at(-1));
    expect(request.verb).to.equal('VERB_STOP');
    stage.server.decide(request, { term: 0, ttlMs: quick.permitTtlMs * 10 });
    const use = await stage.server.until('the use', () => stage.server.uses()[0]);
    stage.expectUntouched();
    stage.server.answerUse(use.permitId, true);
    await stage.pilot.gone;
    expect(stage.world.machine.count(member, 'stopped')).to.equal(1);
  });
});
