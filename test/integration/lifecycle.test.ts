/** What becomes of a cluster from its first member on, through everything that is asked of it and that befalls it. */
import { expect } from 'chai';
import type { FromServer } from '../../pilot/wire.ts';
import { copiesOn } from '../fakes/engine.ts';
import { broken, demo, quick, Scene } from './scene.ts';

const names = ['demo-node-0', 'demo-node-1', 'demo-node-2'] as const;
const [first, , last] = names;

const isGrant = (message: FromServer): boolean => message.kind === 'decision' && message.decision.state === 'granted';

/** Three members with documents, each with a replica. */
async function withDocuments(): Promise<Scene> {
  const scene = await Scene.ready();
  scene.database.createIndex('songs', 4, 1, 100);
  await scene.until(
    'the leader to see the documents',
    () => scene.cluster.snapshot?.observed.cluster?.documents === 100,
  );
  return scene;
}

/** From here on shards move when a test says so. */
async function beginDrain(scene: Scene): Promise<void> {
  scene.database.eager = false;
  await scene.apply(demo(2));
  await scene.until('the exclusion of the member', () => scene.database.excluded.includes(last));
  scene.database.step();
  expect(copiesOn(scene.database, last)).to.not.be.empty;
}

/** The database puts a copy on the member that it was to leave empty, and leaves it there for now. */
function giveBack(scene: Scene): void {
  scene.database.eager = false;
  scene.database.shards[0]!.copies[1]!.node = last;
  scene.database.changed();
}

function goOn(scene: Scene): void {
  scene.database.eager = true;
  scene.database.changed();
}

/** The scale-down is over, and it has cost nothing but the member. */
async function untilGone(scene: Scene): Promise<void> {
  await scene.until('the member to be forgotten', () => scene.ledger.members[last] === undefined);
  await scene.untilReady();
  expect(scene.database.documents('songs')).to.equal(100);
  expect(scene.database.excluded).to.deep.equal([]);
  expect(scene.machine.runs(last)).to.equal(false);
  expect(scene.machine.count(last, 'stopped')).to.equal(1);
  for (const name of names) expect(scene.machine.count(name, 'crashed'), name).to.equal(0);
}

function expectNoRestart(scene: Scene): void {
  for (const name of names) expect(scene.database.node(name).life, name).to.equal(1);
}

describe('a cluster from its first member on', function () {
  this.timeout(60_000);
  let scene: Scene;
  afterEach(async () => {
    const wrong = broken(scene.store.written);
    await scene.close();
    expect(wrong).to.deep.equal([]);
  });

  it('comes up green with three members and one leader', async () => {
    scene = await Scene.ready();
    expect(scene.database.up().map(({ name }) => name)).to.deep.equal(names);
    expect(scene.ledger.leadership.leader).to.be.oneOf([...names]);
    expect(scene.ledger.leadership.term).to.be.greaterThan(0);
    expect(scene.database.quorum).to.equal(2);
    expectNoRestart(scene);
  });

  it('drains a member before it leaves, and keeps every document', async () => {
    scene = await withDocuments();
    await beginDrain(scene);
    const held = await scene.until('the asking to be held', () =>
      scene.cluster.snapshot?.plan.holds.find(({ name }) => name === 'data_node_still_has_shards'),
    );
    expect(held.member).to.equal(last);
    expect(scene.machine.runs(last)).to.equal(true);
    goOn(scene);
    await untilGone(scene);
    expect(scene.permit(last, 'completed')?.verb).to.equal('leave');
    expectNoRestart(scene);
  });

  it('lifts the exclusion when the scale-down is called off in mid-drain', async () => {
    scene = await withDocuments();
    await beginDrain(scene);
    await scene.apply(demo(3));
    await scene.until('the exclusion to be lifted', () => scene.database.excluded.length === 0);
    goOn(scene);
    await scene.untilReady();
    expect(Object.keys(scene.ledger.members)).to.have.members([...names]);
    expect(scene.machine.count(last, 'stopped')).to.equal(0);
    expectNoRestart(scene);
  });

  it('follows a change of the configuration one member at a time, the leader last', async () => {
    scene = await withDocuments();
    const { leader } = scene.ledger.leadership;
    scene.machine.history.length = 0;
    await scene.apply(demo(3, { config: { 'action.auto_create_index': false } }));
    await scene.until('every member to be restarted', () =>
      names.every((name) => scene.database.node(name).life === 2),
    );
    await scene.untilReady();
    expect(scene.machine.awayMost).to.equal(1);
    expect(scene.database.allocation).to.equal('all');
    expect(scene.database.documents('songs')).to.equal(100);
    const stops = scene.machine.history.filter(({ what }) => what === 'stopped').map(({ member }) => member);
    expect(stops).to.have.members([...names]);
    expect(stops.at(-1)).to.equal(leader);
    for (const name of names) {
      const { spec, flushed } = scene.database.node(name);
      expect(spec?.config).to.deep.equal({ 'action.auto_create_index': false });
      expect(flushed, name).to.equal(1);
    }
  });

  it('upgrades one member at a time, each with the pilot of the new version', async () => {
    scene = await withDocuments();
    await scene.apply(demo(3, { version: '6.8.24' }));
    const versions = (): unknown[] => names.map((name) => scene.database.node(name).spec?.version);
    await scene.until('every member to be upgraded', () => versions().every((version) => version === '6.8.24'));
    await scene.untilReady();
    expect(scene.machine.awayMost).to.equal(1);
    expect(scene.database.documents('songs')).to.equal(100);
    for (const name of names) expect(scene.pilot(name).place.version).to.equal('6.8.24');
  });

  it('goes on with a drain after the server was away, and restarts nothing', async () => {
    scene = await withDocuments();
    await beginDrain(scene);
    const { term } = scene.ledger.leadership;
    const pilots = names.map((name) => scene.pilot(name).incarnation);
    await scene.unserve();
    await scene.until('the pilots to notice', () => names.every((name) => !scene.pilot(name).connected));
    expectNoRestart(scene);
    await scene.serve();
    await scene.until('the pilots to be back', () => names.every((name) => scene.pilot(name).connected));
    goOn(scene);
    await untilGone(scene);
    expect(scene.ledger.leadership.term).to.be.at.least(term);
    expect(pilots).to.include(scene.pilot(first).incarnation);
    expectNoRestart(scene);
  });

  it('honours or forgets no permit of a server that is gone: it is used once or expires', async () => {
    scene = await withDocuments();
    scene.pilot(last).hold(isGrant);
    await scene.apply(demo(2));
    const granted = await scene.until('the grant', () => scene.pilot(last).holding && scene.permit(last, 'granted'));
    await scene.unserve();
    await scene.serve();
    expect(scene.ledger.permits.find(({ id }) => id === granted.id)?.state).to.equal('granted');
    scene.pilot(last).release();
    await untilGone(scene);
    // Where the grant was heard too late the member asked anew, and this one ends by itself, or with the member.
    const ended = await scene.until('the end of the permit', () => {
      const state = scene.ledger.permits.find(({ id }) => id === granted.id)?.state;
      return state !== 'granted' && state !== 'used' && state;
    });
    expect(ended).to.be.oneOf(['completed', 'expired', 'withdrawn']);
  });

  it('has a new leader in the next term when the pilot that leads is killed in mid-drain, and ends the drain', async () => {
    scene = await withDocuments();
    await beginDrain(scene);
    const { term, leader, incarnation } = scene.ledger.leadership;
    scene.pilot(leader).kill();
    const after = await scene.until('a new leader', () => {
      const { leadership } = scene.ledger;
      return leadership.leader !== '' && leadership.incarnation !== incarnation && leadership;
    });
    expect(after.term).to.equal(term + 1);
    goOn(scene);
    await untilGone(scene);
    expect(scene.machine.count(leader, 'adopted')).to.equal(1);
    expectNoRestart(scene);
  });

  it('has another leader when the one that leads is frozen, and takes no order from the old one', async () => {
    scene = await withDocuments();
    await beginDrain(scene);
    const { term, leader } = scene.ledger.leadership;
    const old = scene.pilot(leader);
    old.freeze();
    const after = await scene.until('another leader', () => {
      const { leadership } = scene.ledger;
      return leadership.leader !== '' && leadership.leader !== leader && leadership;
    });
    expect(after.term).to.equal(term + 1);
    old.thaw();
    await scene.until(
      'the old leader to be heard again',
      () => scene.cluster.snapshot?.observed.members.get(leader)?.connected,
    );
    goOn(scene);
    await untilGone(scene);
    expectNoRestart(scene);
  });

  it('does not stop on a grant that a frozen pilot hears too late: it asks again', async () => {
    scene = await withDocuments();
    const pilot = scene.pilot(last);
    pilot.hold(isGrant);
    await scene.apply(demo(2));
    const granted = await scene.until('the grant', () => pilot.holding && scene.permit(last, 'granted'));
    pilot.freeze();
    await scene.until('its expiry', () => scene.permit(last, 'expired')?.id === granted.id);
    giveBack(scene);
    pilot.thaw();
    const again = await scene.until('another asking', () => scene.permit(last, 'queued'));
    expect(again.id).to.not.equal(granted.id);
    expect(again.evidence.shards).to.equal(1);
    expect(scene.machine.runs(last)).to.equal(true);
    goOn(scene);
    await untilGone(scene);
  });

  it('does not stop on an answer to a use that is heard too late', async () => {
    scene = await withDocuments();
    const pilot = scene.pilot(last);
    pilot.hold(({ kind }) => kind === 'use_answer');
    await scene.apply(demo(2));
    const used = await scene.until('the use', () => pilot.holding && scene.permit(last, 'used'));
    pilot.clock.freeze();
    pilot.clock.push(quick.permitTtlMs);
    pilot.release();
    expect(scene.machine.runs(last)).to.equal(true);
    pilot.clock.thaw();
    await scene.until('its end', () =>
      scene.ledger.permits.find(({ id, state }) => id === used.id && state === 'expired'),
    );
    await untilGone(scene);
  });

  it('refuses the use of a permit when the evidence has changed since it was granted', async () => {
    scene = await withDocuments();
    const pilot = scene.pilot(last);
    pilot.hold(isGrant);
    await scene.apply(demo(2));
    const granted = await scene.until('the grant', () => pilot.holding && scene.permit(last, 'granted'));
    giveBack(scene);
    pilot.release();
    const refused = await scene.until('the refusal', () => scene.permit(last, 'expired'));
    expect(refused.id).to.equal(granted.id);
    expect(refused.decision).to.contain('data_node_still_has_shards');
    expect(scene.machine.runs(last)).to.equal(true);
    goOn(scene);
    await untilGone(scene);
  });

  it('starts a crashed database again without asking, and counts it as away meanwhile', async () => {
    scene = await withDocuments();
    scene.machine.crash(last);
    await scene.until('the hold', () =>
      scene.cluster.snapshot?.plan.holds.find(({ name, member }) => name === 'member_is_down' && member === last),
    );
    await scene.until('its return', () => scene.database.node(last).life === 2);
    await scene.untilReady();
    expect(scene.ledger.permits).to.deep.equal([]);
    expect(scene.database.documents('songs')).to.equal(100);
  });
});
