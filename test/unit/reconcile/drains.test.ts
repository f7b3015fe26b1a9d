/** Last copies are moved away before a restart, of one member at a time, and only where a peer can take them. */
import { expect } from 'chai';
import { deny } from '../../../server/coordination/rulings.ts';
import { clusterSpec, pool } from '../../support/model.ts';
import { World } from '../../support/world.ts';

const person = { who: 'ada', why: 'a test', wallMs: 0 };

describe('last copies', () => {
  function lastCopies(): World {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 3, ['data'])]));
    Object.assign(world.truth('demo-d-2'), { shards: 3, lastCopies: 2 });
    return world.ask('demo-d-2', 'restart').run(1);
  }

  it('are moved away before the restart', () => {
    const world = lastCopies();
    expect(world.permit('demo-d-2')?.state).to.equal('queued');
    expect(world.holds('demo-d-2')).to.include('last_copy_of_a_shard');
    expect(world.settings.excluded).to.deep.equal(['demo-d-2']);
  });

  it('stay away until the permit has ended: the exclusion is kept through moving, grant and use', () => {
    const world = lastCopies();
    world.moving = 1;
    expect(world.run().settings.excluded).to.deep.equal(['demo-d-2']);
    world.moving = 0;
    Object.assign(world.truth('demo-d-2'), { shards: 0, lastCopies: 0 });
    world.run();
    expect(world.permit('demo-d-2')?.state).to.equal('granted');
    expect(world.settings.excluded).to.deep.equal(['demo-d-2']);
    world.use('demo-d-2').pass();
    delete world.truth('demo-d-2').asks;
    expect(world.down('demo-d-2').run().settings.excluded).to.deep.equal(['demo-d-2']);
    expect(world.up('demo-d-2').completed('demo-d-2').run().settings.excluded).to.deep.equal([]);
  });

  it('of one member are moved at a time, though another waits for the same', () => {
    const world = lastCopies();
    Object.assign(world.truth('demo-d-1'), { shards: 3, lastCopies: 2 });
    expect(world.ask('demo-d-1', 'restart').run().settings.excluded).to.deep.equal(['demo-d-2']);
  });

  it('of two members are never moved at once, whatever the budget: neither could take what the other one has', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 3, ['data'])], { maxUnavailable: 2 }));
    for (const name of ['demo-d-1', 'demo-d-2']) {
      Object.assign(world.truth(name), { shards: 3, lastCopies: 2 });
      world.ask(name, 'restart');
    }
    expect(world.run().settings.excluded).to.deep.equal(['demo-d-2']);
  });

  it('are not moved while all peers are older and could not take them: the older go first', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 3, ['data'])], { version: '6.8.9' }));
    world.begin('demo-d-2', 'restart').completed('demo-d-2').run();
    world.spec({ version: '6.8.10' });
    world.versioned('demo-d-2', '6.8.10');
    Object.assign(world.truth('demo-d-2'), { shards: 3, lastCopies: 3 });
    world.ask('demo-d-2', 'restart').ask('demo-d-1', 'upgrade').run();
    expect(world.settings.excluded).to.deep.equal([]);
    expect(world.permit('demo-d-1')?.state).to.equal('granted');
  });

  it('are not moved any more where copies wait for the very member that is excluded: the exclusion is lifted', () => {
    const world = lastCopies();
    expect(world.settings.excluded).to.deep.equal(['demo-d-2']);
    world.unassigned = 1;
    expect(world.run().holds('demo-d-2')).to.include('health_is_yellow');
    expect(world.settings.excluded).to.deep.equal([]);
  });

  it('are not moved any more once a person has denied the restart, and others go on', () => {
    const world = lastCopies().ask('demo-d-1', 'restart').run();
    expect(world.permit('demo-d-1')?.state).to.equal('queued');
    world.change(deny(world.ledger, world.permit('demo-d-2')!.id, person)).run();
    expect(world.settings.excluded).to.deep.equal([]);
    expect(world.permit('demo-d-1')?.state).to.equal('granted');
  });

  it('are moved on while versions are mixed, though copies wait that may find no node', () => {
    const world = lastCopies();
    world.versioned('demo-d-0', '6.8.22');
    world.unassigned = 1;
    expect(world.run().holds('demo-d-2')).to.include('last_copy_of_a_shard');
    expect(world.settings.excluded).to.deep.equal(['demo-d-2']);
  });

  it('of the only data member stay on its disk: nobody could take them, so it is let go', () => {
    const world = new World(clusterSpec([pool('m', 3, ['master']), pool('d', 1, ['data'])]));
    Object.assign(world.truth('demo-d-0'), { shards: 3, lastCopies: 3 });
    expect(world.ask('demo-d-0', 'restart').run().wait(6_000).run().permit('demo-d-0')?.state).to.equal('granted');
  });
});
