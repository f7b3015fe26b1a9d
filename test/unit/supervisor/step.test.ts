/** What the supervisor does next: a crash is healed alone, a healthy process is stopped only by permit or at the end of grace. */
import { expect } from 'chai';
import type { Event } from '../../../pilot/supervisor/step.ts';
import { desired, memberSpec, Supervised } from '../../support/supervised.ts';

const restart = (): Supervised =>
  new Supervised().run().on({ kind: 'desired', desired: desired(2, { spec: memberSpec({ hash: 'two' }) }) });
const upgrade = (): Supervised =>
  new Supervised().run().on({ kind: 'desired', desired: desired(2, { spec: memberSpec({ version: '6.8.24' }) }) });
const leave = (): Supervised =>
  new Supervised().run().on({ kind: 'desired', desired: desired(2, { phase: 'decommissioned' }) });

describe('a database that is to run', () => {
  it('is prepared, started, and running once it has joined', () => {
    const pilot = new Supervised().on({ kind: 'desired', desired: desired(1) });
    expect(pilot.kinds).to.deep.equal(['prepare']);
    expect(pilot.on({ kind: 'prepared' }).kinds).to.deep.equal(['hook', 'start']);
    expect(pilot.on({ kind: 'joined' }).effects).to.deep.equal([
      { kind: 'hook', hook: 'post_start', ok: true, message: '' },
    ]);
    expect(pilot.state).to.include({ phase: 'running', restarts: 0 });
    expect(pilot.state.asking).to.equal(undefined);
  });

  it('is started again after a crash, with backoff and without asking anybody', () => {
    const pilot = new Supervised().run().exit(5_000);
    expect(pilot.state).to.include({ phase: 'backoff', restarts: 1, failures: 1, trouble: 'it has ended' });
    expect(pilot.effects).to.deep.equal([{ kind: 'hook', hook: 'post_stop', ok: false, message: 'it has ended' }]);
    expect(pilot.wait(4_999).on({ kind: 'tick' }).effects).to.deep.equal([]);
    expect(pilot.wait(1).on({ kind: 'tick' }).kinds).to.deep.equal(['prepare']);
    expect(pilot.state.asking).to.equal(undefined);
    expect(pilot.on({ kind: 'prepared' }).on({ kind: 'joined' }).state).to.include({ phase: 'running', trouble: '' });
  });

  it('has its crashes in a row forgotten after a minute of running, not before', () => {
    const pilot = new Supervised()
      .run()
      .exit()
      .wait(1_000)
      .on({ kind: 'tick' })
      .on({ kind: 'prepared' })
      .on({ kind: 'joined' });
    expect(pilot.wait(59_999).on({ kind: 'tick' }).state.failures).to.equal(1);
    expect(pilot.wait(1).on({ kind: 'tick' }).state).to.include({ failures: 0, restarts: 1 });
  });

  it('backs off when it cannot be prepared, and tries again', () => {
    const pilot = new Supervised().on({ kind: 'desired', desired: desired(1) });
    pilot.on({ kind: 'failed', what: 'prepare', message: 'no disk', retryInMs: 10 });
    expect(pilot.state).to.include({ phase: 'backoff', trouble: 'no disk' });
    expect(pilot.wait(10).on({ kind: 'tick' }).kinds).to.deep.equal(['prepare']);
  });

  it('is taken up as it runs by a new pilot, and asks for nothing where it is what is wanted', () => {
    const pilot = new Supervised()
      .on({ kind: 'adopted', spec: memberSpec() })
      .on({ kind: 'desired', desired: desired(1) });
    expect(pilot.on({ kind: 'joined' }).state.phase).to.equal('running');
    expect(pilot.state.asking).to.equal(undefined);
    expect(pilot.all.map((effect) => effect.kind)).to.deep.equal(['hook']);
  });

  it('asks to restart where a pilot of the new version has taken up a database of the old one', () => {
    const pilot = new Supervised()
      .on({ kind: 'adopted', spec: memberSpec({ version: '6.8.22' }) })
      .on({ kind: 'desired', desired: desired(1) })
      .on({ kind: 'joined' });
    expect(pilot.state.asking).to.include({ verb: 'restart', reason: 'to run version 6.8.23' });
  });

  it('is not changed by a desired state of a lower revision', () => {
    const pilot = new Supervised()
      .run(desired(5))
      .on({ kind: 'desired', desired: desired(4, { phase: 'decommissioned' }) });
    expect(pilot.state.desired).to.deep.equal(desired(5));
    expect(pilot.state.asking).to.equal(undefined);
  });

  it('has no event for the loss of the server: days of ticks change nothing', () => {
    const pilot = new Supervised().run();
    const { state } = pilot;
    for (let hour = 0; hour < 48; hour++) pilot.wait(3_600_000).on({ kind: 'tick' });
    expect(pilot.state, 'the very same, or every tick would be recorded').to.equal(state);
    expect(pilot.stops).to.equal(0);
  });
});

describe('a step is asked for', () => {
  const rows: readonly (readonly [string, () => Supervised, string])[] = [
    ['another configuration', restart, 'restart'],
    ['another version', upgrade, 'upgrade'],
    ['a member that is not wanted', leave, 'leave'],
    [
      'a cluster that is stopped',
      () => new Supervised().run().on({ kind: 'desired', desired: desired(2, { phase: 'stopped' }) }),
      'stop',
    ],
    ['a SIGTERM', () => new Supervised().run().on({ kind: 'terminate', graceMs: 100_000 }), 'stop'],
  ];
  for (const [why, make, verb] of rows) {
    it(`${verb} for ${why}; it keeps running while it waits, and stops once its use is answered`, () => {
      const pilot = make();
      expect(pilot.state.asking).to.include({ verb, id: '01234567-1' });
      expect(pilot.decide('waiting').effects).to.deep.equal([]);
      expect(pilot.state.phase).to.equal('running');
      expect(pilot.decide('granted').effects).to.deep.equal([{ kind: 'use', permitId: 'permit-of-01234567-1' }]);
      expect(pilot.decide('granted').effects, 'said again').to.deep.equal([]);
      expect(pilot.stops).to.equal(0);
      expect(pilot.answer(true).kinds).to.deep.equal(['stop']);
      expect(pilot.state).to.include({ phase: 'stopping' });
      expect(pilot.state.grant).to.include({ verb, used: true });
    });
  }

  const refused: readonly (readonly [string, (pilot: Supervised) => unknown])[] = [
    ['the use is refused', (p) => p.decide('granted').answer(false)],
    ['the evidence of the use is older than 5 s', (p) => p.decide('granted').wait(5_000).answer(true)],
    ['the answer to the use comes too late', (p) => p.decide('granted').wait(30_000).answer(true)],
    ['the grant runs out before an answer', (p) => p.decide('granted').wait(30_000).on({ kind: 'tick' })],
    ['the grant is taken back', (p) => p.decide('granted').decide('ended')],
    ['the asking is ended', (p) => p.decide('ended')],
    ['the grant is over when it arrives', (p) => p.decide('granted', 0)],
    ['the asking whose send time is forgotten is granted', (p) => p.decide('granted', -p.nowMs)],
  ];
  for (const [when, happen] of refused) {
    it(`is asked again, with a new id and without stopping, where ${when}`, () => {
      const pilot = restart();
      happen(pilot);
      expect(pilot.stops).to.equal(0);
      expect(pilot.state.phase).to.equal('running');
      expect(pilot.state.grant).to.equal(undefined);
      expect(pilot.state.asking).to.include({ verb: 'restart', id: '01234567-2' });
    });
  }

  const ignored: readonly (readonly [string, (pilot: Supervised) => unknown])[] = [
    ['a decision on an old asking', (p) => p.decide('granted', 30_000, 'an-old-one')],
    ['the end of an old asking', (p) => p.decide('ended', 30_000, 'an-old-one')],
    ['an answer to a use that there was not', (p) => p.answer(true, 'a-permit')],
    ['an answer to the use of another permit', (p) => p.decide('granted').answer(true, 'another')],
    ['a second SIGTERM', (p) => p.on({ kind: 'terminate', graceMs: 1 }).on({ kind: 'terminate', graceMs: 1 })],
  ];
  for (const [what, happen] of ignored) {
    it(`${what} stops nothing`, () => {
      const pilot = new Supervised().run().on({ kind: 'terminate', graceMs: 100_000 });
      happen(pilot);
      expect(pilot.stops).to.equal(0);
      expect(pilot.state.termination).to.deep.equal({ deadlineMs: 1_000 + 70_000 });
      expect(pilot.state.asking?.id).to.equal('01234567-1');
    });
  }

  it('an answer for a wish that is over is worth nothing', () => {
    const pilot = restart()
      .decide('granted')
      .on({ kind: 'desired', desired: desired(3) });
    expect(pilot.answer(true).stops).to.equal(0);
    expect(pilot.state.asking).to.equal(undefined);
  });

  it('a crash while it waits is healed; it does not use what it was granted as if it still ran', () => {
    const pilot = restart().decide('granted').exit(5_000).answer(true);
    expect(pilot.stops).to.equal(0);
    expect(pilot.state).to.include({ phase: 'backoff' });
    expect(pilot.state.grant).to.equal(undefined);
  });
});

describe('a step that was permitted', () => {
  it('restart: stops, starts with the new spec, and is completed once it has joined', () => {
    const pilot = restart().decide('granted').answer(true).exit();
    expect(pilot.kinds).to.deep.equal(['hook', 'prepare']);
    expect(pilot.state.spec?.hash).to.equal('two');
    pilot.on({ kind: 'prepared' });
    expect(pilot.state.grant?.used, 'held until it is back').to.equal(true);
    const permitId = 'permit-of-01234567-1';
    expect(pilot.on({ kind: 'joined' }).effects.at(-1)).to.deep.equal({
      kind: 'complete',
      permitId,
      ok: true,
      message: 'it is back',
    });
    expect(pilot.state.grant).to.equal(undefined);
  });

  it('restart: is held through a crash on the way up, and completed afterwards', () => {
    const pilot = restart().decide('granted').answer(true).exit().on({ kind: 'prepared' }).exit(10);
    expect(pilot.state.grant?.used).to.equal(true);
    pilot.wait(10).on({ kind: 'tick' }).on({ kind: 'prepared' }).on({ kind: 'joined' });
    expect(pilot.kinds).to.deep.equal(['hook', 'complete']);
  });

  const overtaking: readonly (readonly [string, Event])[] = [
    ['stop', { kind: 'desired', desired: desired(3, { phase: 'stopped' }) }],
    ['leave', { kind: 'desired', desired: desired(3, { phase: 'decommissioned' }) }],
    ['upgrade', { kind: 'desired', desired: desired(3, { spec: memberSpec({ version: '6.8.24' }) }) }],
    ['stop', { kind: 'terminate', graceMs: 60_000 }],
  ];
  for (const [verb, event] of overtaking) {
    it(`restart: is given up for a ${verb} where it has not joined again`, () => {
      const pilot = restart().decide('granted').answer(true).exit().on({ kind: 'tick' }).on({ kind: 'prepared' });
      expect(pilot.state).to.include({ phase: 'starting' });
      expect(pilot.state.grant).to.include({ verb: 'restart', used: true });
      expect(pilot.on(event).on({ kind: 'tick' }).state.asking).to.include({ verb });
      expect(pilot.state.grant).to.equal(undefined);
    });
  }

  it('upgrade: ends stopped and replaced, and starts nothing', () => {
    const pilot = upgrade().decide('granted').answer(true).exit();
    expect(pilot.state).to.include({ phase: 'stopped', replaced: true });
    for (const event of [{ kind: 'tick' }, { kind: 'desired', desired: desired(9) }] as const)
      pilot.wait(100_000).on(event);
    expect(pilot.all.filter((effect) => effect.kind === 'start')).to.have.length(1);
    expect(pilot.on({ kind: 'terminate', graceMs: 1_000 }).kinds).to.deep.equal(['exit']);
  });

  it('upgrade: until then it starts, after a crash, with what it ran with last', () => {
    const pilot = upgrade().exit(0).wait(1).on({ kind: 'tick' });
    const prepared = pilot.all.findLast((effect) => effect.kind === 'prepare');
    expect(prepared?.kind === 'prepare' && prepared.spec.version).to.equal('6.8.23');
  });

  it('leave: ends left, and never starts again', () => {
    const pilot = leave().decide('granted').answer(true).exit();
    expect(pilot.kinds).to.deep.equal(['hook', 'complete']);
    expect(pilot.state).to.include({ phase: 'stopped', left: true });
    for (const phase of ['decommissioned', 'running'] as const) {
      pilot
        .wait(100_000)
        .on({ kind: 'desired', desired: desired(pilot.nowMs, { phase }) })
        .on({ kind: 'tick' });
      expect(pilot.state).to.include({ phase: 'stopped', left: true });
    }
    expect(pilot.all.filter((effect) => effect.kind === 'start')).to.have.length(1);
  });

  it('leave: is asked for by one whose database is down, too, and needs nothing to be stopped', () => {
    const pilot = leave().exit(1_000_000);
    expect(pilot.state.asking).to.include({ verb: 'leave' });
    expect(pilot.decide('granted').answer(true).state).to.include({ phase: 'stopped', left: true });
    expect(pilot.kinds).to.deep.equal(['hook', 'complete']);
  });
});

describe('a stop that is called off', () => {
  const calledOff: Event = { kind: 'called_off', message: 'the others need it' };

  for (const [verb, asked] of [
    ['restart', restart],
    ['upgrade', upgrade],
  ] as const) {
    it(`leaves the process as it is, ends the permit, and asks anew (${verb})`, () => {
      const pilot = asked().decide('granted').answer(true);
      const { askings, grant } = pilot.state;
      expect(pilot.on(calledOff).effects).to.deep.equal([
        { kind: 'complete', permitId: grant?.permitId, ok: false, message: 'the others need it' },
      ]);
      expect(pilot.state).to.include({ phase: 'starting', askings: askings + 1 });
      expect(pilot.state.grant).to.equal(undefined);
      expect(pilot.state.asking).to.include({ verb });
      pilot.on({ kind: 'joined' }).decide('granted').answer(true);
      expect(pilot.state.phase).to.equal('stopping');
      expect(pilot.stops).to.equal(2);
    });
  }

  it('comes too late for a process that has ended, and for one that has no choice', () => {
    expect(restart().decide('granted').answer(true).exit().on(calledOff).effects).to.deep.equal([]);
    const forced = new Supervised().run().on({ kind: 'terminate', graceMs: 4_000 }).wait(2_000).on({ kind: 'tick' });
    expect(forced.on(calledOff).state.phase).to.equal('stopping');
  });

  it('is not waited for once the grace period of a SIGTERM is over', () => {
    const pilot = restart().decide('granted').answer(true).on({ kind: 'terminate', graceMs: 4_000 });
    expect(pilot.wait(1_999).on({ kind: 'tick' }).effects).to.deep.equal([]);
    expect(pilot.wait(1).on({ kind: 'tick' }).kinds).to.deep.equal(['stop']);
    expect(pilot.on({ kind: 'tick' }).effects).to.deep.equal([]);
    expect(pilot.on(calledOff).state.phase).to.equal('stopping');
    expect(pilot.exit().kinds).to.include('exit');
  });
});

describe('a node that was taken out while it was away', () => {
  const stale = (phase: 'running' | 'decommissioned' = 'running') => {
    const couchbase = { founds: false, memoryQuotas: {}, stale: true };
    return new Supervised()
      .run()
      .on({ kind: 'desired', desired: desired(2, { phase, spec: memberSpec({ couchbase }) }) });
  };

  it('asks to be reset, also before it leaves, and its process runs on', () => {
    for (const phase of ['running', 'decommissioned'] as const) {
      const pilot = stale(phase);
      expect(pilot.state.asking).to.include({ verb: 'wipe' });
      expect(pilot.decide('granted').answer(true).kinds).to.deep.equal(['wipe']);
      expect(pilot.state.phase).to.equal('running');
    }
  });

  it('is not reset before the server has said yes, and asks anew where it went wrong', () => {
    const pilot = stale().decide('granted').answer(false);
    expect(pilot.all.some(({ kind }) => kind === 'wipe')).to.equal(false);
    pilot.decide('granted').answer(true).on({ kind: 'wiped', ok: false, message: 'no' });
    expect(pilot.kinds).to.deep.equal(['complete']);
    expect(pilot.state.asking).to.include({ verb: 'wipe' });
    expect(stale().on({ kind: 'wiped', ok: true, message: '' }).effects).to.deep.equal([]);
  });
});

describe('SIGTERM', () => {
  const graces: readonly (readonly [number, number])[] = [
    [100_000, 70_000],
    [30_000, 18_000],
    [4_000, 2_000],
    [1_000, 0],
  ];
  for (const [graceMs, waitsMs] of graces) {
    it(`with ${graceMs} ms of grace: waits ${waitsMs} ms for a permit, then stops without one, and has not left`, () => {
      const pilot = new Supervised().run().on({ kind: 'terminate', graceMs });
      if (waitsMs > 0) {
        expect(
          pilot
            .decide('waiting')
            .wait(waitsMs - 1)
            .on({ kind: 'tick' }).stops,
        ).to.equal(0);
        pilot.wait(1).on({ kind: 'tick' });
      }
      expect(pilot.stops).to.equal(1);
      expect(pilot.state.grant).to.equal(undefined);
      pilot.exit();
      expect(pilot.kinds).to.deep.equal(['hook', 'exit']);
      expect(pilot.state).to.include({ phase: 'stopped', left: false });
      expect(pilot.all.some((effect) => effect.kind === 'complete')).to.equal(false);
    });
  }

  it('at the deadline drops a grant that was not used, and does not pretend to have left', () => {
    const pilot = leave()
      .on({ kind: 'terminate', graceMs: 30_000 })
      .decide('granted')
      .wait(18_000)
      .on({ kind: 'tick' })
      .exit();
    expect(pilot.state).to.include({ left: false });
    expect(pilot.all.some((effect) => effect.kind === 'complete')).to.equal(false);
  });

  it('exits at once where nothing runs', () => {
    for (const pilot of [new Supervised(), new Supervised().run().exit()]) {
      expect(pilot.on({ kind: 'terminate', graceMs: 30_000 }).kinds).to.include('exit');
    }
  });

  it('while it is being prepared: nothing is started any more, and the pilot exits', () => {
    const pilot = new Supervised()
      .on({ kind: 'desired', desired: desired(1) })
      .on({ kind: 'terminate', graceMs: 1_000 });
    pilot.on({ kind: 'prepared' });
    expect(pilot.kinds).to.include('exit').and.not.include('start');
    expect(pilot.state.phase).to.equal('stopped');
  });

  it('while it is being prepared to be stopped: ends stopped, asks for nothing, and starts when it is wanted again', () => {
    const pilot = new Supervised()
      .on({ kind: 'desired', desired: desired(1) })
      .on({ kind: 'desired', desired: desired(2, { phase: 'stopped' }) });
    expect(pilot.on({ kind: 'prepared' }).effects).to.deep.equal([]);
    expect(pilot.state.phase).to.equal('stopped');
    expect(pilot.state.asking).to.equal(undefined);
    expect(pilot.on({ kind: 'desired', desired: desired(3) }).kinds).to.deep.equal(['prepare']);
    expect(pilot.on({ kind: 'prepared' }).kinds).to.include('start');
  });

  it('once permitted: stops, completes, exits', () => {
    const pilot = new Supervised().run().on({ kind: 'terminate', graceMs: 30_000 }).decide('granted').answer(true);
    expect(pilot.exit().kinds).to.deep.equal(['hook', 'complete', 'exit']);
  });

  it('does not stop a process twice', () => {
    const pilot = new Supervised().run().on({ kind: 'terminate', graceMs: 4_000 }).wait(9_000);
    const events: readonly Event[] = [
      { kind: 'tick' },
      { kind: 'tick' },
      { kind: 'joined' },
      { kind: 'terminate', graceMs: 0 },
    ];
    for (const event of events) pilot.on(event);
    expect(pilot.stops).to.equal(1);
  });
});
