/** What a message changes: a heartbeat all that is known of its member, at one moment; the others little, or nothing. */
import { expect } from 'chai';
import { enqueue, settle } from '../../../server/coordination/permits.ts';
import { Sessions, type Heard } from '../../../server/coordination/sessions.ts';
import type { Leadership, Ledger } from '../../../server/model/ledger.ts';
import type { FromPilot, Heartbeat } from '../../../server/model/messages.ts';
import { serves, type MemberObservation, type Observation } from '../../../server/model/observation.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { clusterSeen, evidence, ledgerOf, permit, process, record } from '../../support/model.ts';

const member = 'demo-node-0';
const now = { monotonicMs: 10, wallMs: 0 };
const { leadership } = ledgerOf([]);
const node = { nodeId: 'n', processId: 'p', joined: true, version: '' };

class Stream {
  readonly sessions = new Sessions(0, 'server-life');

  connect(incarnation = 'life'): this {
    const cluster = { namespace: 'default', name: 'demo' };
    const hello = { cluster, member, incarnation, application: '', pilotVersion: '', highestTerm: 0, permits: [] };
    this.sessions.connect(hello, now);
    return this;
  }

  hear(message: FromPilot): Heard {
    return this.sessions.hear(member, message, now, leadership);
  }

  beat(change: Partial<Heartbeat> = {}): this {
    const beat = { sequence: 1n, process: process(), node, leadingTerm: 0, permits: [], asking: '', ...change };
    this.hear({ kind: 'heartbeat', heartbeat: beat });
    return this;
  }

  ask(id: string): this {
    const read = evidence(member, { incarnation: 'life' });
    this.hear({ kind: 'request', id, verb: 'restart', evidence: read, reason: '', sequence: 1 });
    return this;
  }

  get all(): Observation {
    return this.sessions.observe(leadership, { runtime: [], addresses: new Map() }, 0);
  }

  get seen(): MemberObservation {
    return this.all.members.get(member)!;
  }
}

describe('a session', () => {
  it('has nothing asked and nothing withdrawn before the first heartbeat of a stream', () => {
    const stream = new Stream().connect();
    expect(stream.seen.asking).to.equal(undefined);
    expect(stream.beat({ asking: 'ask-1' }).seen.asking).to.equal('ask-1');
    expect(stream.beat().seen.asking).to.equal('');
    expect(stream.connect().seen.asking, 'a new stream').to.equal(undefined);
  });

  it('keeps what the process and the node were where the same life connects again, and not for another life', () => {
    const stream = new Stream().connect().beat().connect();
    expect(stream.seen).to.deep.include({ node, process: process('unknown') });
    expect(serves(stream.seen), 'before its first heartbeat').to.equal(false);
    expect(serves(stream.beat().seen)).to.equal(true);
    stream.connect('another');
    expect(stream.seen.node).to.equal(undefined);
    expect(stream.seen.process.phase).to.equal('unknown');
  });

  it('knows since when its node has said the same of its place in the cluster', () => {
    const stream = new Stream().connect();
    const since = (atMs: number, standing: 'added' | 'active' | undefined, nodeId = 'n'): number | undefined => {
      const seenNode = standing && { ...node, nodeId, standing };
      const { node: _node, ...rest } = {
        sequence: 1n,
        process: process(),
        node,
        leadingTerm: 0,
        permits: [],
        asking: '',
      };
      const heartbeat = { ...rest, ...(seenNode && { node: seenNode }) };
      stream.sessions.hear(member, { kind: 'heartbeat', heartbeat }, { ...now, monotonicMs: atMs }, leadership);
      return stream.seen.standsSinceMs;
    };
    expect([since(20, 'added'), since(30, 'added'), since(40, 'active'), since(50, 'active')]).to.deep.equal([
      20, 20, 40, 40,
    ]);
    expect(since(60, undefined)).to.equal(undefined);
    expect([since(70, 'active'), since(80, 'active', 'another')]).to.deep.equal([70, 80]);
  });

  it('counts a permit among those that its member holds from the moment it is used, until a heartbeat says otherwise', () => {
    const stream = new Stream().connect().beat();
    const use: FromPilot = { kind: 'use', permitId: 'a-permit', evidence: evidence(member) };
    expect(stream.hear(use).changed).to.equal(true);
    expect(stream.seen.permits).to.deep.equal(['a-permit']);
    stream.hear(use);
    expect(stream.seen.permits, 'said twice').to.deep.equal(['a-permit']);
    expect(stream.beat().seen.permits).to.deep.equal([]);
  });

  it('keeps a used permit open while the last heartbeat is older than the use', () => {
    const used = permit(member, 'restart', { state: 'used', incarnation: 'life' });
    const ledger = ledgerOf([record(0)], { permits: [used] });
    const stream = new Stream().connect().beat({ asking: 'ask-1' }).ask('ask-1');
    stream.hear({ kind: 'use', permitId: used.id, evidence: evidence(member) });
    stream.sessions.answered(member, used.id);
    expect(settle(ledger, stream.all, now)).to.equal(ledger);
  });

  it('is not changed by a completion or an order result: the heartbeat decides', () => {
    const stream = new Stream().connect().beat({ permits: ['a-permit'] });
    const before = stream.seen;
    for (const kind of ['completion', 'order_result'] as const) {
      const message = { ok: true, message: 'it is back', permitId: 'a-permit', id: 'an-order' };
      expect(stream.hear({ kind, ...message })).to.deep.equal({ changed: false, answers: [] });
      expect(stream.seen).to.deep.equal(before);
    }
    expect(stream.beat().seen.permits).to.deep.equal([]);
  });

  it('knows since when the leader has not said that it leads, from the first heartbeat of its term on', () => {
    const sessions = new Stream().connect().sessions;
    const led: Leadership = { term: 3, leader: member, incarnation: 'life' };
    const beat = (atMs: number, leadingTerm: number, leadership = led): number | undefined => {
      const heartbeat = { sequence: 1n, process: process(), node, leadingTerm, permits: [], asking: '' };
      sessions.hear(member, { kind: 'heartbeat', heartbeat }, { monotonicMs: atMs, wallMs: 0 }, leadership);
      return sessions.observe(leadership, { runtime: [], addresses: new Map() }, 0).ledAtMs;
    };
    expect(beat(10, 0)).to.equal(10);
    expect(beat(20, 0)).to.equal(10);
    expect(beat(30, 3)).to.equal(30);
    expect(beat(40, 2)).to.equal(30);
    expect(beat(50, 3, { ...led, term: 4 })).to.equal(50);
    expect(sessions.observe(led, { runtime: [], addresses: new Map() }, 0).ledAtMs).to.equal(undefined);
  });

  it('takes what a leader has read of the cluster in the present term alone, and nothing from anybody else', () => {
    const sessions = new Stream().connect().sessions;
    const led: Leadership = { term: 3, leader: member, incarnation: 'life' };
    const seen = (leadingTerm: number, leadership: Leadership): boolean => {
      const beat = {
        sequence: 1n,
        process: process(),
        node,
        leadingTerm,
        permits: [],
        asking: '',
        cluster: clusterSeen(),
      };
      sessions.hear(member, { kind: 'heartbeat', heartbeat: beat }, now, leadership);
      return sessions.observe(leadership, { runtime: [], addresses: new Map() }, 0).cluster !== undefined;
    };
    expect(seen(2, led), 'of the term before').to.equal(false);
    expect(seen(3, { ...led, leader: 'demo-node-1' }), 'of one that does not lead').to.equal(false);
    expect(seen(3, { ...led, incarnation: 'another' }), 'of an earlier life').to.equal(false);
    expect(seen(3, led)).to.equal(true);
    expect(seen(3, { ...led, term: 4 }), 'of the present term, before it has heard of it').to.equal(false);
  });

  it('drops what a heartbeat no longer asks for', () => {
    const stream = new Stream().connect().ask('ask-1').beat({ asking: 'ask-1' });
    expect(stream.seen.request?.id).to.equal('ask-1');
    expect(stream.beat({ asking: 'ask-2' }).seen.request).to.equal(undefined);
  });

  it('takes an asking that arrives before the heartbeat that names it for asked, also in the passes in between', () => {
    const stream = new Stream().connect().beat({ asking: '' }).ask('ask-1');
    const pass = (ledger: Ledger): Ledger => enqueue(settle(ledger, stream.all, now), stream.seen, now, timing);
    const entered = pass(ledgerOf([record(0)]));
    expect(entered.permits.map((one) => one.state)).to.deep.equal(['queued']);
    expect(pass(entered).permits.map((one) => one.state)).to.deep.equal(['queued']);
    stream.beat({ asking: 'ask-1' });
    expect(pass(pass(entered)).permits.map((one) => one.state)).to.deep.equal(['queued']);
  });
});
