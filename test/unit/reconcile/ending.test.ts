/** An orderly stop of everything, and a cluster that is deleted: masters last, nothing left over. */
import { expect } from 'chai';
import { deny } from '../../../server/coordination/rulings.ts';
import { clusterSpec, pool } from '../../support/model.ts';
import { World } from '../../support/world.ts';

const person = { who: 'ada', why: 'a test', wallMs: 0 };

const kept = { sizeBytes: 1, onDelete: 'Retain', onScaleDown: 'Retain' } as const;

function cluster(): World {
  return new World(clusterSpec([pool('m', 1, ['master']), pool('d', 2, ['data'])]));
}

function askAll(world: World): World {
  for (const name of world.members.keys()) world.ask(name, 'stop');
  return world;
}

/** Uses what was granted and stops. */
function goDown(world: World, member: string): World {
  world.use(member).pass();
  expect(world.answer(member)?.ok).to.equal(true);
  delete world.truth(member).asks;
  return world.down(member, 'stopped').completed(member).pass();
}

describe('everything is stopped', () => {
  const ended = { stopping: person };

  it('members without a vote go first, whatever the budget; the voters go when they are down', () => {
    const world = askAll(cluster()).change(ended).run();
    expect(world.permit('demo-d-0')?.state).to.equal('granted');
    expect(world.permit('demo-d-1')?.state).to.equal('granted');
    expect(world.holds('demo-m-0')).to.deep.equal(['not_its_turn']);
    goDown(world, 'demo-d-0');
    expect(world.permit('demo-m-0')?.state).to.equal('queued');
    goDown(world, 'demo-d-1');
    expect(world.permit('demo-m-0')?.state).to.equal('granted');
    goDown(world, 'demo-m-0');
    expect(world.actions('remove_member')).to.deep.equal([]);
    expect(Object.values(world.ledger.members).some((record) => record.left)).to.equal(false);
  });

  it('nothing that is stopped is started while it stops, and everything again when it goes on', () => {
    const world = cluster().change(ended).down('demo-d-0', 'stopped').disconnect('demo-d-0');
    world.runtime.delete('demo-d-0');
    expect(world.pass().actions('create_member')).to.deep.equal([]);
    const { stopping: _stopping, ...going } = world.ledger;
    world.ledger = going;
    expect(world.pass().actions('create_member')).to.deep.equal(['demo-d-0']);
  });

  it('tells every member to stop', () => {
    const world = cluster().change(ended).pass();
    const phases = world.last.actions.flatMap((one) => (one.kind === 'say_desired' ? [one.desired.phase] : []));
    expect(phases).to.deep.equal(['stopped', 'stopped', 'stopped']);
  });

  it('who goes first is named whatever the order of the members', () => {
    const [one, other] = [0, 1].map((turn) => {
      const world = cluster().ask('demo-m-0', 'stop').change(ended);
      const members = Object.entries(world.ledger.members);
      if (turn === 1) world.change({ members: Object.fromEntries(members.reverse()) });
      return world.pass().decision('demo-m-0')?.holds;
    });
    expect(one).to.deep.equal(other);
  });

  for (const phase of ['running', 'backoff', 'unknown'] as const) {
    it(`a member whose pilot is gone is given one to be stopped in order, where its database was last seen ${phase}`, () => {
      const world = cluster().change(ended);
      if (phase !== 'running') world.down('demo-d-0', phase);
      world.disconnect('demo-d-0').runtime.delete('demo-d-0');
      expect(world.pass().actions('create_member')).to.deep.equal(['demo-d-0']);
    });
  }

  it('a member that was never heard of is given a pilot, too: nobody knows that its database is stopped', () => {
    const world = cluster().change(ended);
    world.members.delete('demo-d-0');
    world.runtime.set('demo-d-0', { version: '6.8.23', alive: false });
    expect(world.pass().actions('create_member')).to.deep.equal(['demo-d-0']);
  });

  for (const pause of ['by hand', 'by its spec'] as const) {
    it(`a cluster that is paused ${pause} is stopped all the same: that is what a person means who stops everything`, () => {
      const world = askAll(cluster()).change(ended);
      if (pause === 'by hand') world.change({ paused: true });
      else world.spec({ paused: true });
      world.run();
      expect(world.last.actions.some((one) => one.kind === 'say_desired' && one.desired.phase === 'stopped')).to.equal(
        true,
      );
      expect(world.last.holds.map((hold) => hold.name)).to.not.include('cluster_is_paused');
      for (const member of ['demo-d-0', 'demo-d-1', 'demo-m-0']) {
        expect(world.permit(member)?.state).to.equal('granted');
        goDown(world, member);
      }
    });
  }

  it('a stop that a person has denied stays denied', () => {
    const world = cluster().change({ paused: true }).ask('demo-d-0', 'stop').pass();
    world.change({ ...deny(world.ledger, world.permit('demo-d-0')!.id, person), ...ended, paused: false }).run();
    expect(world.permit('demo-d-0')?.state).to.equal('denied');
  });

  it('evidence of another life of the pilot permits nothing', () => {
    const world = cluster().change(ended).ask('demo-d-0', 'stop');
    world.evidence = () => ({ incarnation: 'another', nodeId: '', processId: '', stateVersion: 0 });
    expect(world.pass().permit('demo-d-0')?.state).to.equal('queued');
  });
});

describe('a cluster is deleted', () => {
  it('nothing of a paused one is stopped or removed, until it goes on', () => {
    const world = askAll(cluster()).change({ deleting: true, paused: true }).run();
    expect(world.ledger.permits.map((permit) => permit.state)).to.not.include('granted');
    expect(world.holds('demo-d-0')).to.deep.equal(['cluster_is_paused']);
    world.down('demo-d-1', 'stopped').run();
    expect(world.actions('remove_member')).to.deep.equal([]);
    world.change({ paused: false }).run(1);
    expect(world.permit('demo-d-0')?.state).to.equal('granted');
    expect(world.actions('remove_member')).to.deep.equal(['demo-d-1']);
  });

  it('a stop that a person has denied stays denied, also under another id', () => {
    const world = cluster().change({ paused: true }).ask('demo-d-0', 'stop').pass();
    const ledger = deny(world.ledger, world.permit('demo-d-0')!.id, person);
    world.change({ ...ledger, deleting: true, paused: false }).run();
    expect(world.permit('demo-d-0')?.state).to.equal('denied');
    expect(world.ask('demo-d-0', 'stop').run().holds('demo-d-0')).to.deep.equal(['denied_by_a_person']);
  });

  it('evidence of another life of the pilot permits nothing', () => {
    const world = cluster().change({ deleting: true }).ask('demo-d-0', 'stop');
    world.evidence = () => ({ incarnation: 'another', nodeId: '', processId: '', stateVersion: 0 });
    expect(world.pass().permit('demo-d-0')?.state).to.equal('queued');
  });

  it('a member counts as left once it is stopped and heard, not while its pilot is silent', () => {
    const world = cluster().change({ deleting: true }).down('demo-d-0', 'stopped').disconnect('demo-d-0').run();
    expect(world.record('demo-d-0')?.left).to.equal(false);
    expect(world.actions('remove_member')).to.deep.equal([]);
    world.truth('demo-d-0').connected = true;
    expect(world.pass().record('demo-d-0')?.left).to.equal(true);
    expect(world.actions('remove_member')).to.deep.equal(['demo-d-0']);
  });

  it('each member stops by permit and is removed; the cluster is forgotten when none is left', () => {
    const world = askAll(cluster()).change({ deleting: true }).run();
    for (const member of ['demo-d-0', 'demo-d-1', 'demo-m-0']) {
      expect(world.actions('forget_cluster')).to.deep.equal([]);
      goDown(world, member);
      expect(world.actions('remove_member')).to.deep.equal([member]);
      world.pass();
      expect(world.record(member)).to.equal(undefined);
    }
    expect(world.actions('forget_cluster')).to.deep.equal(['']);
    expect(world.actions('create_member')).to.deep.equal([]);
  });

  it('what the runtime holds of no member is removed before the cluster is forgotten, with its data where its pool says so', () => {
    const world = new World(clusterSpec([{ ...pool('d', 1), persistence: { ...kept, onDelete: 'Delete' } }]));
    world.ask('demo-d-0', 'stop').change({ deleting: true }).run();
    goDown(world, 'demo-d-0').pass();
    const late = ['demo-d-0', 'demo-gone-12'];
    for (const name of late) world.runtime.set(name, { version: '6.8.23', alive: true });
    const last = world.think().actions.filter(({ kind }) => kind === 'remove_member' || kind === 'forget_cluster');
    expect(last.map((one) => one.kind === 'remove_member' && [one.record.name, one.keepData])).to.deep.equal([
      ['demo-d-0', false],
      ['demo-gone-12', true],
    ]);
    for (const name of late) world.runtime.delete(name);
    expect(world.pass().actions('forget_cluster')).to.deep.equal(['']);
  });

  for (const phase of ['stopped', 'backoff'] as const) {
    it(`a member whose database is ${phase} already is removed, too: its pilot has nothing to ask for`, () => {
      const world = cluster();
      if (phase === 'stopped') for (const name of world.members.keys()) world.down(name, phase);
      else world.down('demo-d-0', phase);
      world.change({ deleting: true }).run();
      // This is what a pilot does that is told to stop while its database is down: see pilot/supervisor/step.ts.
      for (const [name, truth] of world.members) if (!truth.joined) world.down(name, 'stopped');
      for (const [name, truth] of world.members) if (truth.joined) world.ask(name, 'stop');
      for (let round = 0; round < 5; round++) {
        world.run(2);
        for (const { state, member } of world.ledger.permits) if (state === 'granted') goDown(world, member);
      }
      expect(Object.keys(world.ledger.members)).to.deep.equal([]);
      expect(world.actions('forget_cluster')).to.deep.equal(['']);
    });
  }
});
