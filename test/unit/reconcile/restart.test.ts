/** A rolling restart and an upgrade: a few at a time, the ones that hand over last, and no setting leaked. */
import { expect } from 'chai';
import { approve } from '../../../server/coordination/rulings.ts';
import { clusterSpec, pool } from '../../support/model.ts';
import { World } from '../../support/world.ts';

const person = { who: 'ada', why: 'a test', wallMs: 0 };

function rolling(replicas = 4, change: Parameters<typeof clusterSpec>[1] = {}, roles?: readonly string[]): World {
  const world = new World(clusterSpec([pool('node', replicas, roles)], change));
  for (const [name, truth] of world.members) {
    truth.shards = 3;
    world.ask(name, 'restart');
  }
  return world;
}

function inState(world: World, state: string): readonly string[] {
  return world.ledger.permits.filter((permit) => permit.state === state).map((permit) => permit.member);
}

/** Restarts every member that is permitted to, until none asks any more. Who went when, and how many at once at most. */
function rollToTheEnd(world: World): { order: readonly string[]; widest: number } {
  const order: string[] = [];
  let widest = 0;
  for (let round = 0; round < 40 && order.length < world.members.size; round++) {
    world.wait(7_000).run();
    const going = inState(world, 'granted');
    for (const member of going) world.use(member);
    world.pass();
    for (const member of going) {
      expect(world.answer(member)?.ok).to.equal(true);
      delete world.truth(member).asks;
      world.down(member);
    }
    widest = Math.max(widest, [...world.members.values()].filter((truth) => !truth.joined).length);
    world.run();
    for (const member of going) world.up(member).completed(member);
    order.push(...going);
    world.run();
  }
  return { order, widest };
}

describe('a rolling restart', () => {
  const widths: readonly (readonly [readonly string[], number, number])[] = [
    [['master', 'data'], 1, 1],
    [['master', 'data'], 2, 1],
    [['master'], 1, 1],
    [['master'], 2, 2],
  ];
  for (const [roles, maxUnavailable, together] of widths) {
    it(`takes ${together} of ${roles.join(' and ')} at a time where the budget is ${maxUnavailable}, to the end, leader and elected master last`, () => {
      const world = rolling(6, { maxUnavailable }, roles);
      const { order, widest } = rollToTheEnd(world);
      expect(order).to.have.members([...world.members.keys()]);
      expect(order.slice(-together)).to.include('demo-node-0');
      expect(widest).to.equal(together);
      expect(world.settings.allocation).to.equal('all');
    });
  }

  it('has the allocation restricted before the grant', () => {
    const world = rolling().pass();
    expect(inState(world, 'granted')).to.deep.equal([]);
    expect(world.holds('demo-node-3')).to.deep.equal(['allocation_is_not_restricted']);
    expect(world.order()?.allocation).to.equal('primaries');
    expect(inState(world.obey().pass(), 'granted')).to.deep.equal(['demo-node-3']);
  });

  it('says to the others who goes first', () => {
    const world = rolling(7, { maxUnavailable: 2 }, ['master']).pass();
    expect(inState(world, 'granted')).to.have.members(['demo-node-6', 'demo-node-5']);
    expect(world.holds('demo-node-4')).to.deep.equal(['budget_is_spent']);
  });

  it('never takes both copies of a shard: one data member at a time, whatever the budget and in whatever state the permit is', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 4, ['data'])], { maxUnavailable: 4 }));
    world.ask('demo-d-2', 'restart').ask('demo-d-3', 'restart').run();
    expect(inState(world, 'granted')).to.deep.equal(['demo-d-3']);
    expect(world.holds('demo-d-2')).to.deep.equal(['other_copies_may_go']);
    world.use('demo-d-3').pass();
    delete world.truth('demo-d-3').asks;
    world.down('demo-d-3', 'stopping').run();
    expect(inState(world, 'used')).to.deep.equal(['demo-d-3']);
    expect(world.holds('demo-d-2')).to.deep.equal(['other_copies_may_go']);
    world.up('demo-d-3').completed('demo-d-3').run();
    expect(inState(world, 'granted')).to.deep.equal(['demo-d-2']);
  });

  it('does not take a data member while another one is about to leave', () => {
    const masters = pool('m', 3, ['master']);
    const world = new World(clusterSpec([masters, pool('d', 4, ['data'])], { maxUnavailable: 4 }));
    world.spec({ nodePools: [masters, pool('d', 3, ['data'])] }).run(1);
    world.ask('demo-d-3', 'leave').ask('demo-d-2', 'restart').run();
    expect(inState(world, 'granted')).to.deep.equal(['demo-d-3']);
    expect(world.holds('demo-d-2')).to.include('other_copies_may_go');
  });

  it('is not granted while the leader may still be at an earlier order, and no drain is begun before it is over', () => {
    const world = rolling(5).run();
    expect(inState(world, 'granted')).to.deep.equal(['demo-node-4']);
    world.spec({ nodePools: [pool('node', 4)] }).run();
    expect(world.settings.excluded, 'a permit is open').to.deep.equal([]);
    world.wait(30_000).pass();
    expect(world.order()?.excluded).to.deep.equal(['demo-node-4']);
    expect(world.holds('demo-node-3'), 'not confirmed').to.deep.equal(['allocation_is_not_restricted']);
    expect(inState(world.obey().pass(), 'granted')).to.deep.equal(['demo-node-3']);
  });

  const ends: readonly (readonly [string, (world: World) => unknown])[] = [
    [
      'the member is back',
      (w) => w.use('demo-node-3').pass().down('demo-node-3').pass().completed('demo-node-3').up('demo-node-3'),
    ],
    ['the permit expires', (w) => w.wait(30_000)],
    ['its holder begins another life before the use', (w) => w.newLife('demo-node-3').wait(30_000)],
    [
      'its holder is up again in another life after the use',
      (w) => w.use('demo-node-3').pass().newLife('demo-node-3').down('demo-node-3').up('demo-node-3'),
    ],
    [
      'its holder runs on in another life of its pilot, and does not stop',
      (w) => w.use('demo-node-3').pass().newLife('demo-node-3').wait(60_000),
    ],
    [
      'its holder has been lost for too long after the use',
      (w) => w.use('demo-node-3').pass().disconnect('demo-node-3').wait(600_000),
    ],
  ];
  for (const [when, end] of ends) {
    it(`has the allocation restored once ${when}`, () => {
      const world = new World(clusterSpec([pool('node', 4)])).ask('demo-node-3', 'restart').run();
      expect(world.permit('demo-node-3')?.state).to.equal('granted');
      expect(world.settings.allocation).to.equal('primaries');
      end(world);
      delete world.truth('demo-node-3').asks;
      expect(world.run().settings.allocation).to.equal('all');
    });
  }

  it('counts a crashed member in the budget', () => {
    const world = rolling().down('demo-node-1').run();
    expect(inState(world, 'granted')).to.deep.equal([]);
    expect(world.holds('demo-node-3')).to.include('budget_is_spent');
    const hold = world.last.holds.find((one) => one.name === 'budget_is_spent' && one.member === 'demo-node-3');
    expect(hold?.message).to.include('demo-node-1');
  });

  it('waits while the cluster is paused, says nothing to do to anybody, and goes on afterwards', () => {
    const world = rolling().change({ paused: true }).run();
    expect(inState(world, 'granted')).to.deep.equal([]);
    const kinds = new Set(world.last.actions.map((action) => action.kind));
    expect([...kinds]).to.deep.equal(['say_decision']);
    expect(world.last.holds.map((hold) => hold.name)).to.include('cluster_is_paused');
    expect(inState(world.change({ paused: false }).run(), 'granted')).to.have.length(1);
  });

  it('ends a used permit as expired where its member is up in the same life and asks again: nothing was begun', () => {
    const world = new World(clusterSpec([pool('node', 4)])).begin('demo-node-3', 'restart');
    const { id } = world.permit('demo-node-3')!;
    world.completed('demo-node-3').ask('demo-node-3', 'restart').pass();
    expect(world.ledger.permits.find((one) => one.id === id)?.state).to.equal('expired');
  });

  it('goes on after a restart of the server: what was granted is neither lost nor granted twice', () => {
    const world = rolling().run();
    const [granted] = inState(world, 'granted');
    world.wait(10_000).restartServer().run();
    expect(inState(world, 'granted')).to.deep.equal([granted]);
    world.use(granted!).pass();
    expect(world.answer(granted!)?.ok).to.equal(true);
    world.restartServer().run();
    expect(inState(world, 'used')).to.deep.equal([granted]);
    expect(inState(world, 'granted')).to.deep.equal([]);
  });

  it('lets a grant expire by the clock of a restarted server, not at once and not never', () => {
    const world = rolling().run().wait(29_000).restartServer();
    expect(inState(world.wait(29_999).run(), 'granted')).to.have.length(1);
    const [first] = inState(world, 'granted');
    delete world.truth(first!).asks;
    expect(inState(world.wait(1).run(), 'expired')).to.deep.equal([first]);
  });
});

describe('an upgrade', () => {
  function upgrading(): World {
    const world = new World(clusterSpec([pool('node', 4)], { version: '6.8.22' }));
    return world.spec({ version: '6.8.23' }).ask('demo-node-3', 'upgrade').run();
  }

  it('changes the version of the record at its use, not before', () => {
    const world = upgrading();
    expect(world.permit('demo-node-3')?.state).to.equal('granted');
    expect(world.record('demo-node-3')?.version).to.equal('6.8.22');
    expect(world.use('demo-node-3').pass().record('demo-node-3')?.version).to.equal('6.8.23');
    expect(world.record('demo-node-2')?.version).to.equal('6.8.22');
  });

  it('does not change the version where its use is refused', () => {
    const world = upgrading().down('demo-node-0').use('demo-node-3').pass();
    expect(world.answer('demo-node-3')?.ok).to.equal(false);
    expect(world.record('demo-node-3')?.version).to.equal('6.8.22');
  });

  it('is not completed in the life that used it, though its member is up without it: that one is lost', () => {
    const world = upgrading().use('demo-node-3').pass();
    delete world.truth('demo-node-3').asks;
    world.completed('demo-node-3').run();
    expect(world.permit('demo-node-3')?.state).to.equal('expired');
    expect(world.record('demo-node-3')?.version, 'what it runs').to.equal('6.8.22');
  });

  it('is lost where its member is up in another life and asks for the same again', () => {
    const world = upgrading().use('demo-node-3').pass();
    const { id } = world.permit('demo-node-3')!;
    world.newLife('demo-node-3').down('demo-node-3').up('demo-node-3').ask('demo-node-3', 'upgrade').pass();
    expect(world.ledger.permits.find((one) => one.id === id)?.state).to.equal('expired');
  });

  it('replaces the member once its database is stopped, and ends once it is joined in its new life', () => {
    const world = upgrading().use('demo-node-3').pass();
    delete world.truth('demo-node-3').asks;
    expect(world.actions('replace_member')).to.deep.equal([]);
    expect(world.down('demo-node-3', 'stopped').pass().actions('replace_member')).to.deep.equal(['demo-node-3']);
    world.newLife('demo-node-3').down('demo-node-3', 'starting').run();
    expect(world.permit('demo-node-3')?.state).to.equal('used');
    expect(world.up('demo-node-3').pass().permit('demo-node-3')?.state).to.equal('completed');
    expect(world.run().settings.allocation).to.equal('all');
  });

  it('waits in vain for copies while versions are mixed only where it holds last ones', () => {
    const world = upgrading().use('demo-node-3').pass();
    world.unassigned = 2;
    world.down('demo-node-3').newLife('demo-node-3').up('demo-node-3').pass().ask('demo-node-2', 'upgrade').run();
    expect(world.permit('demo-node-2')?.state).to.equal('granted');
  });
});

describe('a roll of two at once', () => {
  it('does not have the leader hand over as long as another one is next beside it: that one goes first', () => {
    const world = new World(clusterSpec([pool('node', 3)], { maxUnavailable: 2 }));
    world.electedMaster = 'demo-node-2';
    for (const name of ['demo-node-0', 'demo-node-1', 'demo-node-2']) world.ask(name, 'restart');
    world.run();
    expect(world.ledger.leadership.leader).to.equal('demo-node-0');
    expect(world.permit('demo-node-1')?.state).to.equal('granted');
    expect(world.permit('demo-node-0')?.state).to.equal('queued');
  });
});

describe('an upgrade together with a scale-down', () => {
  it('of the leader goes on though all others are to leave and are held: one of them leads meanwhile, and gives it back', () => {
    const world = new World(clusterSpec([pool('node', 3)], { version: '6.8.22' }));
    for (const name of ['demo-node-1', 'demo-node-2']) world.truth(name).shards = 2;
    world.spec({ nodePools: [pool('node', 1)], version: '6.8.23' });
    world.ask('demo-node-0', 'upgrade').ask('demo-node-1', 'leave').ask('demo-node-2', 'leave').run();
    expect(world.ledger.leadership.leader, 'it has handed over').to.equal('');
    expect(world.wait(7_000).run().ledger.leadership.leader).to.equal('demo-node-1');
    expect(world.run().permit('demo-node-0')?.state).to.equal('granted');
    world.use('demo-node-0').pass().newLife('demo-node-0').down('demo-node-0').up('demo-node-0').run();
    expect(world.wait(7_000).run().ledger.leadership.leader).to.equal('demo-node-0');
  });

  it('of two goes on under one that is leaving: it does not hand over to one that waits, while the other is about to begin', () => {
    const world = new World(clusterSpec([pool('node', 3)], { version: '6.8.22' }));
    world.truth('demo-node-2').shards = 2;
    world.electedMaster = 'demo-node-1';
    world.spec({ nodePools: [pool('node', 2)], version: '6.8.23' });
    for (const name of ['demo-node-0', 'demo-node-1']) world.ask(name, 'upgrade');
    world.ask('demo-node-2', 'leave').run().wait(7_000).run();
    expect(world.ledger.leadership.leader).to.equal('demo-node-2');
    expect(world.permit('demo-node-0')?.state).to.equal('granted');
    expect(world.use('demo-node-0').pass().answer('demo-node-0')?.ok).to.equal(true);
    world.newLife('demo-node-0').down('demo-node-0').up('demo-node-0').run();
    expect(world.permit('demo-node-1')?.state).to.equal('granted');
    expect(world.ledger.leadership.leader, 'until it begins').to.equal('demo-node-2');
    world.use('demo-node-1').pass();
    expect(world.wait(7_000).run().ledger.leadership.leader).to.equal('demo-node-0');
  });
});

describe('the voting quorum', () => {
  it('is lowered in the database before a voter leaves, from three to two to one', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 2, ['data'])]));
    expect(world.settings.quorum).to.equal(2);
    world.spec({ nodePools: [pool('m', 2, ['master']), pool('d', 2, ['data'])] }).begin('demo-m-2', 'leave');
    expect(world.settings.quorum, 'two of two must still agree').to.equal(2);
    world.down('demo-m-2', 'stopped').completed('demo-m-2').run();
    world
      .spec({ nodePools: [pool('m', 1, ['master']), pool('d', 2, ['data'])] })
      .ask('demo-m-1', 'leave')
      .pass();
    expect(world.holds('demo-m-1')).to.deep.equal(['quorum_setting_is_not_lowered']);
    expect(world.order()?.quorum).to.equal(1);
    expect(world.obey().pass().permit('demo-m-1')?.state).to.equal('granted');
  });

  it('is not lowered because voters are away', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 2, ['data'])]))
      .down('demo-m-2')
      .down('demo-m-1');
    expect(world.run().settings.quorum).to.equal(2);
  });

  it('holds the restart of one of two masters, until a person approves the outage', () => {
    const world = new World(clusterSpec([pool('m', 2, ['master']), pool('d', 2, ['data'])]))
      .ask('demo-m-1', 'restart')
      .run();
    expect(world.holds('demo-m-1')).to.deep.equal(['quorum_would_be_lost']);
    world.change(approve(world.ledger, world.permit('demo-m-1')!.id, person, world.shown('demo-m-1'))).run();
    expect(world.permit('demo-m-1')).to.include({ state: 'granted', decidedBy: 'ada', approvedBy: 'ada' });
    expect(world.use('demo-m-1').pass().answer('demo-m-1')?.ok).to.equal(true);
  });

  it('holds a step of a voter while another is away, though the budget would bear it', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master'])], { maxUnavailable: 3 })).down('demo-m-1');
    expect(world.ask('demo-m-2', 'restart').run().holds('demo-m-2')).to.deep.equal(['quorum_would_be_lost']);
  });

  it('is not lost to two restarts at once, though the budget would bear both', () => {
    const world = new World(clusterSpec([pool('node', 3)], { maxUnavailable: 2 }));
    world.ask('demo-node-1', 'restart').ask('demo-node-2', 'restart').run();
    expect(inState(world, 'granted')).to.have.length(1);
  });

  for (const [what, state] of [
    ['whose pilot is cut off', (w: World) => w.disconnect('demo-m-2')],
    ['that is stopping', (w: World) => (w.truth('demo-m-2').phase = 'stopping')],
  ] as const) {
    it(`counts a voter that goes by permit as gone while the database still counts it: one ${what}`, () => {
      const world = new World(clusterSpec([pool('m', 3, ['master'])], { maxUnavailable: 3 }));
      world.begin('demo-m-2', 'restart');
      state(world);
      world.ask('demo-m-1', 'restart').run();
      expect(world.evidence('demo-m-1').liveVoters, 'its node has not gone yet').to.equal(3);
      expect(world.permit('demo-m-1')?.state).to.equal('queued');
      expect(world.holds('demo-m-1')).to.include('quorum_would_be_lost');
    });
  }

  it('does not count a voter twice that has gone by permit', () => {
    const world = new World(clusterSpec([pool('m', 5, ['master'])], { maxUnavailable: 3 }));
    world.begin('demo-m-4', 'restart').down('demo-m-4', 'starting').ask('demo-m-3', 'restart').run();
    expect(world.permit('demo-m-3')?.state).to.equal('granted');
  });

  it('an approval covers the holds that were shown, and not the ones that come later', () => {
    const world = new World(clusterSpec([pool('m', 2, ['master']), pool('d', 2, ['data'])]))
      .ask('demo-m-1', 'restart')
      .run();
    world.change(approve(world.ledger, world.permit('demo-m-1')!.id, person, world.shown('demo-m-1')));
    expect(world.permit('demo-m-1')?.approvedHolds).to.deep.equal(['quorum_would_be_lost']);
    const read = world.evidence.bind(world);
    world.evidence = (member) => ({ ...read(member), unassignedPrimaries: 1 });
    expect(world.run().holds('demo-m-1')).to.deep.equal(['health_is_red']);
    world.change(approve(world.ledger, world.permit('demo-m-1')!.id, person, world.shown('demo-m-1'))).run();
    const both = ['quorum_would_be_lost', 'health_is_red'];
    expect(world.permit('demo-m-1')?.approvedHolds, 'what was approved before stays').to.deep.equal(both);
    expect(world.holds('demo-m-1')).to.not.include.members(both);
  });

  it('an approval holds at the use for what it covers, and for nothing else', () => {
    for (const red of [false, true]) {
      const world = new World(clusterSpec([pool('m', 2, ['master']), pool('d', 2, ['data'])]));
      world.ask('demo-m-1', 'restart').run();
      world.change(approve(world.ledger, world.permit('demo-m-1')!.id, person, world.shown('demo-m-1'))).run();
      const read = world.evidence.bind(world);
      if (red) world.evidence = (member) => ({ ...read(member), unassignedPrimaries: 1 });
      expect(world.use('demo-m-1').pass().answer('demo-m-1')?.ok).to.equal(!red);
    }
  });

  it('has voters leave one at a time, though the budget would bear two: until they are gone, two of three must agree', () => {
    const data = pool('d', 2, ['data']);
    const world = new World(clusterSpec([pool('m', 3, ['master']), data], { maxUnavailable: 2 }));
    world
      .spec({ nodePools: [pool('m', 1, ['master']), data] })
      .ask('demo-m-1', 'leave')
      .ask('demo-m-2', 'leave')
      .run();
    expect(inState(world, 'granted')).to.have.length(1);
    expect(world.settings.quorum).to.equal(2);
  });
});
