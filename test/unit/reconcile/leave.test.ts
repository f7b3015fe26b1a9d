/** A smaller number of replicas: excluded first, emptied, permitted, gone, and only then forgotten. */
import { expect } from 'chai';
import { approve, deny, revoke } from '../../../server/coordination/rulings.ts';
import { clusterSpec, pool } from '../../support/model.ts';
import { World } from '../../support/world.ts';

const person = { who: 'ada', why: 'a test', wallMs: 0 };

/** Four data members beside three masters, of which the spec keeps `data`. */
function shrinking(data = 3, change: Parameters<typeof clusterSpec>[1] = {}): World {
  const masters = pool('m', 3, ['master']);
  const world = new World(clusterSpec([masters, pool('d', 4, ['data'])], change));
  for (const [name, truth] of world.members) if (name.startsWith('demo-d')) truth.shards = 5;
  return world.spec({ nodePools: [masters, pool('d', data, ['data'])] });
}

/** The last data member has nothing left. */
function drained(world: World, member = 'demo-d-3'): World {
  world.run(1);
  world.truth(member).shards = 0;
  return world;
}

describe('a member that is to leave', () => {
  it('is excluded before anything else, and told that it is decommissioned', () => {
    const world = shrinking().pass();
    expect(world.order()?.excluded).to.deep.equal(['demo-d-3']);
    const said = world.last.actions.find((action) => action.kind === 'say_desired' && action.member === 'demo-d-3');
    expect(said).to.have.nested.property('desired.phase', 'decommissioned');
  });

  const held: readonly (readonly [string, string, (world: World) => unknown])[] = [
    ['while it holds shards', 'data_node_still_has_shards', (w) => (w.run(1).truth('demo-d-3').shards = 1)],
    ['while it is not excluded', 'drain_is_not_in_force', (w) => (w.truth('demo-d-3').shards = 0)],
    ['while another member is down', 'budget_is_spent', (w) => drained(w).down('demo-d-0')],
    ['while another member is cut off', 'budget_is_spent', (w) => drained(w).disconnect('demo-d-0')],
    ['while the cluster is paused by hand', 'cluster_is_paused', (w) => drained(w).change({ paused: true })],
    ['while the cluster is paused by its spec', 'cluster_is_paused', (w) => drained(w).spec({ paused: true })],
    ['while its own database is down', 'member_is_down', (w) => drained(w).down('demo-d-3')],
    ['while nobody leads', 'no_leader', (w) => drained(w).disconnect(w.ledger.leadership.leader)],
    [
      'once the spec wants it again',
      'member_is_wanted',
      (w) => drained(w).spec({ nodePools: [pool('m', 3, ['master']), pool('d', 4, ['data'])] }),
    ],
  ];
  for (const [when, hold, change] of held) {
    it(`is not permitted ${when}`, () => {
      const world = shrinking();
      change(world);
      world.ask('demo-d-3', 'leave').pass();
      expect(world.permit('demo-d-3')?.state).to.equal('queued');
      expect(world.holds('demo-d-3')).to.include(hold);
      expect(world.last.holds.map((one) => one.name)).to.include(hold);
    });
  }

  it('is not permitted on evidence of an earlier life of its database', () => {
    const world = drained(shrinking()).ask('demo-d-3', 'leave');
    const observed = world.observed();
    const members = new Map(observed.members);
    const own = members.get('demo-d-3')!;
    members.set('demo-d-3', { ...own, node: { ...own.node!, processId: 'another' } });
    world.observed = () => ({ ...observed, members });
    expect(world.pass().holds('demo-d-3')).to.deep.equal(['evidence_is_of_another_life']);
  });

  it('is granted, used, completed, removed, and forgotten once the exclusion is gone, in this order', () => {
    const world = drained(shrinking()).ask('demo-d-3', 'leave').pass();
    expect(world.permit('demo-d-3')).to.include({ state: 'granted', decidedBy: 'server' });
    world.use('demo-d-3').pass();
    expect(world.answer('demo-d-3')).to.deep.include({ ok: true });
    expect(world.permit('demo-d-3')?.state).to.equal('used');
    expect(world.order()?.excluded, 'it stays excluded while it goes').to.deep.equal(['demo-d-3']);
    world.down('demo-d-3', 'stopping').pass();
    expect(world.record('demo-d-3')?.left, 'it has not left while it is stopping').to.equal(false);
    world.down('demo-d-3', 'stopped').completed('demo-d-3').pass();
    expect(world.permit('demo-d-3')?.state).to.equal('completed');
    expect(world.record('demo-d-3')?.left).to.equal(true);
    expect(world.actions('remove_member')).to.deep.equal(['demo-d-3']);
    world.pass();
    expect(world.record('demo-d-3'), 'the exclusion is still there').to.not.equal(undefined);
    expect(world.order()?.excluded).to.deep.equal([]);
    expect(world.order()?.owned).to.include('demo-d-3');
    world.obey().pass();
    expect(world.record('demo-d-3')).to.equal(undefined);
    expect(world.actions('create_member')).to.deep.equal([]);
  });

  it('is not forgotten before the leader has applied exactly the order that it is no longer excluded by', () => {
    const world = drained(shrinking()).begin('demo-d-3', 'leave');
    world.down('demo-d-3', 'stopped').completed('demo-d-3').pass().pass();
    expect(world.order()?.excluded).to.deep.equal([]);
    expect(world.last.settled).to.equal(false);
    for (const applied of ['', 'an-earlier-one']) {
      world.settings.excluded = [];
      world.settings.appliedOrder = applied;
      expect(world.pass().record('demo-d-3'), `the leader has applied "${applied}"`).to.not.equal(undefined);
    }
    world.obey().pass();
    expect(world.last.settled).to.equal(true);
    expect(world.record('demo-d-3')).to.equal(undefined);
    expect(world.pass().order()?.owned, 'what is ordered from now on').to.not.include('demo-d-3');
  });

  it('is not taken for gone because its pilot is silent after the use', () => {
    const world = drained(shrinking())
      .begin('demo-d-3', 'leave')
      .down('demo-d-3', 'stopped')
      .disconnect('demo-d-3')
      .run();
    expect(world.permit('demo-d-3')?.state).to.equal('used');
    expect(world.record('demo-d-3')?.left).to.equal(false);
  });

  it('has its permit ended when it is found up in another life', () => {
    const world = drained(shrinking()).begin('demo-d-3', 'leave').newLife('demo-d-3').run();
    expect(world.permit('demo-d-3')?.state, 'it may have been told to stop').to.equal('used');
    expect(world.wait(60_000).run().permit('demo-d-3')?.state).to.equal('expired');
    expect(world.record('demo-d-3')?.left).to.equal(false);
  });

  it('stays excluded as long as its permit is open, though the spec wants it again: it may go at any moment', () => {
    for (const use of [false, true]) {
      const world = drained(shrinking()).ask('demo-d-3', 'leave').run();
      if (use) world.use('demo-d-3').pass();
      const back = { nodePools: [pool('m', 3, ['master']), pool('d', 4, ['data'])] };
      expect(world.spec(back).run().settings.excluded).to.deep.equal(['demo-d-3']);
      expect(world.newLife('demo-d-3').wait(60_000).run().settings.excluded).to.deep.equal([]);
    }
  });

  it('is not excluded once it has left, though a permit of an earlier life of its pilot has not expired yet', () => {
    const world = drained(shrinking()).ask('demo-d-3', 'leave').run();
    world.newLife('demo-d-3').begin('demo-d-3', 'leave');
    world.down('demo-d-3', 'stopped').completed('demo-d-3').pass();
    expect(world.ledger.permits.map((one) => one.state)).to.deep.equal(['granted', 'completed']);
    expect(world.obey().run().settings.excluded).to.deep.equal([]);
    expect(world.record('demo-d-3')).to.equal(undefined);
    expect(world.pass().ledger.permits.map((one) => one.state)).to.deep.equal(['completed', 'withdrawn']);
  });

  it('keeps its data where the pool says so, and not otherwise', () => {
    for (const onScaleDown of ['Retain', 'Delete'] as const) {
      const kept = {
        ...pool('d', 2, ['data']),
        persistence: { sizeBytes: 1, onDelete: 'Delete' as const, onScaleDown },
      };
      const world = new World(clusterSpec([pool('m', 3, ['master']), kept]));
      world
        .spec({ nodePools: [pool('m', 3, ['master']), { ...kept, replicas: 1 }] })
        .run(1)
        .begin('demo-d-1', 'leave');
      world.down('demo-d-1', 'stopped').completed('demo-d-1').pass();
      const removed = world.last.actions.find((action) => action.kind === 'remove_member');
      expect(removed).to.deep.include({ keepData: onScaleDown === 'Retain' });
    }
  });
});

describe('two members that are to leave at once', () => {
  it('are excluded together, as one union', () => {
    expect(shrinking(2).pass().order()?.excluded).to.deep.equal(['demo-d-2', 'demo-d-3']);
  });

  for (const maxUnavailable of [1, 2]) {
    it(`go ${maxUnavailable} at a time where the budget is ${maxUnavailable}`, () => {
      const world = drained(drained(shrinking(2, { maxUnavailable }), 'demo-d-2'));
      world.ask('demo-d-2', 'leave').ask('demo-d-3', 'leave').run();
      const granted = world.ledger.permits.filter((permit) => permit.state === 'granted');
      expect(granted).to.have.length(maxUnavailable);
      expect(granted.map((permit) => permit.member)).to.include('demo-d-3');
      if (maxUnavailable === 1) expect(world.holds('demo-d-2')).to.deep.equal(['budget_is_spent']);
    });
  }
});

describe('a scale-down that is called off', () => {
  const back = { nodePools: [pool('m', 3, ['master']), pool('d', 4, ['data'])] };

  it('lifts the exclusion', () => {
    expect(shrinking().run(2).spec(back).pass().order()?.excluded).to.deep.equal([]);
  });

  it('refuses the use of a permit that was granted before', () => {
    const world = drained(shrinking()).ask('demo-d-3', 'leave').pass();
    expect(world.permit('demo-d-3')?.state).to.equal('granted');
    world.spec(back).use('demo-d-3').pass();
    expect(world.answer('demo-d-3')?.ok).to.equal(false);
    expect(world.answer('demo-d-3')?.message).to.match(/^member_is_wanted/);
    expect(world.permit('demo-d-3')?.state).to.equal('expired');
    expect(world.pass().order()?.excluded).to.deep.equal([]);
  });
});

describe('a granted permit is judged again at its use', () => {
  const late: readonly (readonly [string, RegExp, (world: World) => unknown])[] = [
    ['shards have come back', /data_node_still_has_shards/, (w) => (w.truth('demo-d-3').shards = 1)],
    ['another member has crashed', /budget_is_spent/, (w) => w.down('demo-d-0')],
    ['the exclusion has been lifted', /drain_is_not_in_force/, (w) => (w.settings.excluded = [])],
    ['the cluster has been paused', /cluster_is_paused/, (w) => w.change({ paused: true })],
    ['its time is over', /expired/, (w) => w.wait(30_000)],
    ['a person has taken it back', /revoked/, (w) => w.change(revoke(w.ledger, w.permit('demo-d-3')!.id, person))],
  ];
  for (const [what, reason, change] of late) {
    it(`is refused where ${what}`, () => {
      const world = drained(shrinking()).ask('demo-d-3', 'leave').pass();
      expect(world.permit('demo-d-3')?.state).to.equal('granted');
      change(world);
      world.use('demo-d-3').pass();
      expect(world.answer('demo-d-3')?.ok).to.equal(false);
      expect(world.answer('demo-d-3')?.message).to.match(reason);
      expect(world.permit('demo-d-3')?.state).to.be.oneOf(['expired', 'revoked']);
    });
  }

  it('is allowed to the last moment before its time is over', () => {
    const world = drained(shrinking()).ask('demo-d-3', 'leave').pass().wait(29_999).use('demo-d-3').pass();
    expect(world.answer('demo-d-3')?.ok).to.equal(true);
  });

  it('is refused to another member and to another life', () => {
    const world = drained(shrinking()).ask('demo-d-3', 'leave').pass();
    const { id } = world.permit('demo-d-3')!;
    world.truth('demo-d-2').uses = id;
    expect(world.pass().answer('demo-d-2')).to.deep.include({ ok: false, message: 'there is no such permit' });
    world.newLife('demo-d-3').truth('demo-d-3').uses = id;
    expect(world.pass().answer('demo-d-3')?.message).to.match(/another life/);
  });
});

describe('a plan is settled', () => {
  it('once the leader has applied the order that the plan calls for, and not before', () => {
    const world = shrinking().pass();
    expect(world.last.settled).to.equal(false);
    expect(world.obey().pass().last.settled).to.equal(true);
  });

  it('not by what was applied for an earlier wish, though the settings are the same', () => {
    const world = shrinking().run(2);
    expect(world.last.settled).to.equal(true);
    const { id, content: _content, ...settings } = world.order()!;
    world.change({ generation: world.ledger.generation + 1 }).pass();
    expect(world.last.settled).to.equal(false);
    expect(world.order()).to.deep.include(settings);
    expect(world.order()?.id).to.not.equal(id);
    expect(world.obey().pass().last.settled).to.equal(true);
  });

  it('not while nobody leads', () => {
    const world = shrinking().run(2);
    expect(world.disconnect(world.ledger.leadership.leader).pass().last.settled).to.equal(false);
  });
});

describe('a person rules', () => {
  it('what is denied stays denied, also under another id, until it is approved', () => {
    const world = drained(shrinking(3)).change({ paused: true }).ask('demo-d-3', 'leave').pass();
    const { id } = world.permit('demo-d-3')!;
    world.change({ ...deny(world.ledger, id, person), paused: false }).run();
    expect(world.permit('demo-d-3')?.state).to.equal('denied');
    expect(world.last.holds.find((hold) => hold.name === 'denied_by_a_person')?.message)
      .to.include('ada')
      .and.include(id);
    world.ask('demo-d-3', 'leave').run();
    expect(world.permit('demo-d-3')?.state, 'asked again under another id').to.equal('queued');
    expect(world.holds('demo-d-3')).to.include('denied_by_a_person');
    world.change(approve(world.ledger, id, person, world.shown('demo-d-3'))).run();
    expect(world.permit('demo-d-3')?.state).to.equal('granted');
  });

  it('an approval does not pass the holds that nobody may take upon themselves', () => {
    const world = shrinking().run(1).ask('demo-d-3', 'leave').pass();
    world.change(approve(world.ledger, world.permit('demo-d-3')!.id, person, world.shown('demo-d-3'))).run();
    expect(world.permit('demo-d-3')?.approvedHolds).to.deep.equal([]);
    expect(world.holds('demo-d-3')).to.deep.equal(['data_node_still_has_shards']);
  });
});
