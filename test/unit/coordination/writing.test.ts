/** The loop of a cluster while another leadership is being written: nobody is told that it leads. */
import { expect } from 'chai';
import { ClusterLoop, type LoopPorts } from '../../../server/cluster-loop.ts';
import type { Leadership, Ledger } from '../../../server/model/ledger.ts';
import type { Heartbeat, LeadershipWord, PilotLink, ToPilot } from '../../../server/model/messages.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import type { Stored } from '../../../server/store/store.ts';
import { MemoryStore } from '../../../server/store/memory.ts';
import { createLogger } from '../../../shared/log.ts';
import { systemRandom } from '../../../shared/random.ts';
import { MemoryRecorder } from '../../fakes/recorder.ts';
import { clusterSpec, ledgerOf, lifeOf, pool, process, record } from '../../support/model.ts';
import { waitFor } from '../../support/wait.ts';

const [zero, one] = [0, 1].map((ordinal) => record(ordinal).name) as [string, string];

/** A store that writes at once, and says so when a test lets it. */
class SlowStore extends MemoryStore {
  readonly waiting: (() => void)[] = [];
  slow = false;

  override async compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'> {
    const written = await super.compareAndSwap(key, revision, ledger);
    if (this.slow) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return written;
  }

  release(): void {
    this.slow = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

class Link implements PilotLink {
  readonly words: LeadershipWord[] = [];

  say(message: ToPilot): void {
    if (message.kind === 'heartbeat_answer') this.words.push(message.leadership);
  }

  end(): void {}
}

async function scene(leadership: Leadership): Promise<{
  store: SlowStore;
  loop: ClusterLoop;
  beat: (name: string, joined?: boolean) => LeadershipWord | undefined;
  /** The generation of each ledger that a pass went through with. */
  passed: number[];
  pass: (ms: number) => void;
}> {
  const store = new SlowStore();
  const spec = clusterSpec([pool('node', 2)]);
  const start = ledgerOf([record(0), record(1)], { spec, leadership });
  const stored = await store.compareAndSwap('default/demo', 0, start);
  if (stored === 'conflict') throw new Error('there is one already');
  const nothing = async (): Promise<void> => {};
  const runtime: LoopPorts['runtime'] = {
    prepare: nothing,
    observe: async () => [zero, one].map((name) => ({ name, version: '6.8.23', alive: true })),
    addresses: async () => new Map(),
    create: nothing,
    replace: nothing,
    remove: nothing,
    onChange: () => undefined,
    close: nothing,
  };
  let nowMs = 100_000;
  const passed: number[] = [];
  const clock = { monotonicMs: () => nowMs, wallMs: () => 0, after: () => ({ cancel: () => undefined }) };
  const log = createLogger('test', 'silent');
  const loop = new ClusterLoop(
    stored,
    {
      ...{ clock, random: systemRandom, store, runtime, log, timing },
      record: new MemoryRecorder(),
      publish: () => undefined,
      passed: (_, { stored: { ledger } }) => void passed.push(ledger.generation),
    },
    0,
  );
  const links = new Map([zero, one].map((name) => [name, new Link()]));
  for (const [member, link] of links) {
    const hello = { application: '', pilotVersion: '', highestTerm: 0, permits: [] };
    loop.connect({ ...hello, cluster: spec.id, member, incarnation: lifeOf(member) }, link);
  }
  const beat = (name: string, joined = true): LeadershipWord | undefined => {
    const node = { nodeId: name, processId: 'p', joined: true, version: '6.8.23' };
    const phase = joined ? 'running' : 'backoff';
    const word = { sequence: 1n, process: process(phase), leadingTerm: 0, permits: [], asking: '' };
    const heartbeat: Heartbeat = { ...word, ...(joined && { node }) };
    loop.hear(name, links.get(name)!, { kind: 'heartbeat', heartbeat });
    return links.get(name)!.words.at(-1);
  };
  const pass = (ms: number): void => void (nowMs += ms);
  return { store, loop, beat, passed, pass };
}

describe('while a ledger is being written', () => {
  const led: Leadership = { term: 3, leader: zero, incarnation: lifeOf(zero) };

  it('with another leadership, heartbeats are answered that nobody leads, and afterwards who does', async () => {
    const { store, loop, beat } = await scene({ term: 3, leader: '', incarnation: '' });
    store.slow = true;
    for (const name of [zero, one]) expect(beat(name)).to.include({ leader: '', yours: false });
    await waitFor(() => store.waiting.length > 0, 'the write', 5_000);
    for (const name of [zero, one]) expect(beat(name)).to.deep.equal({ term: 3, leader: '', yours: false });
    store.release();
    await waitFor(() => loop.ledger.leadership.leader !== '', 'the leader', 5_000);
    const { leader, term } = loop.ledger.leadership;
    for (const name of [zero, one]) expect(beat(name)).to.deep.equal({ term, leader, yours: leader === name });
    await loop.close();
  });

  it('that takes the leadership away, the last leader is not told that it leads either', async () => {
    const { store, loop, beat } = await scene(led);
    expect(beat(zero)).to.deep.equal({ term: 3, leader: zero, yours: true });
    beat(one);
    await loop.change((ledger) => ({ ...ledger, generation: 2 }));
    store.slow = true;
    beat(zero, false);
    await waitFor(() => store.waiting.length > 0, 'the write', 5_000);
    expect(beat(zero)).to.deep.equal({ term: 3, leader: '', yours: false });
    store.release();
    await waitFor(() => loop.ledger.leadership.leader !== zero, 'the end of it', 5_000);
    await loop.close();
  });

  it('with the same leadership, the leader is told that it leads', async () => {
    const { store, loop, beat } = await scene(led);
    beat(zero);
    await loop.change((ledger) => ({ ...ledger, generation: 2 }));
    store.slow = true;
    const changed = loop.change((ledger) => ({ ...ledger, generation: 3 }));
    await waitFor(() => store.waiting.length > 0, 'the write', 5_000);
    expect(beat(zero)).to.deep.equal({ term: 3, leader: zero, yours: true });
    store.release();
    await changed;
    await loop.close();
  });
});

describe('a ledger that somebody else has written meanwhile', () => {
  const theirs: Leadership = { term: 9, leader: one, incarnation: lifeOf(one) };

  /** The next write comes too late: another server has written its own before. */
  function overtake(store: SlowStore, change: Partial<Ledger>): void {
    const swap = store.compareAndSwap.bind(store);
    store.compareAndSwap = async (key, revision, ledger) => {
      store.compareAndSwap = swap;
      const present = await store.read(key);
      await swap(key, present!.revision, { ...present!.ledger, ...change });
      return swap(key, revision, ledger);
    };
  }

  it('is read again and obeyed, and what was planned before is thrown away', async () => {
    const { store, loop, beat } = await scene({ term: 3, leader: '', incarnation: '' });
    overtake(store, { leadership: theirs });
    const told = [zero, one].map((name) => beat(name));
    expect(told.every((word) => word?.yours === false)).to.equal(true);
    await waitFor(() => loop.ledger.leadership.term >= theirs.term, 'the ledger of the other one', 5_000);
    expect(loop.ledger.leadership).to.deep.equal(theirs);
    expect(beat(zero)).to.include({ term: theirs.term, yours: false });
    expect(beat(one)).to.include({ term: theirs.term, yours: true });
    await loop.close();
  });

  it('is read again where a write took long, before anything is done or told on what was written', async () => {
    const { store, loop, beat, passed, pass } = await scene({ term: 3, leader: '', incarnation: '' });
    Object.assign(store, { shared: true, slow: true });
    for (const name of [zero, one]) beat(name);
    await waitFor(() => store.waiting.length > 0, 'the write', 5_000);
    passed.length = 0;
    store.slow = false;
    const present = await store.read('default/demo');
    await store.compareAndSwap('default/demo', present!.revision, { ...present!.ledger, generation: 7 });
    pass(timing.leaseMs);
    store.release();
    await waitFor(() => passed.length > 0, 'the next pass', 5_000);
    expect(passed).to.not.include(present!.ledger.generation);
    await loop.close();
  });

  it('is what a change of a person is made to', async () => {
    const { store, loop } = await scene({ term: 3, leader: '', incarnation: '' });
    overtake(store, { generation: 10 });
    const changed = await loop.change((ledger) => ({ ...ledger, generation: ledger.generation + 1 }));
    expect(changed.generation).to.equal(11);
    expect((await store.read('default/demo'))?.ledger.generation).to.equal(11);
    await loop.close();
  });
});
