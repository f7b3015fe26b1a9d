/**
 * Leadership under delays, cuts, crashes and restarts of the server: the server's Sessions and elect() against the
 * pilots' own Leading, joined by streams that keep their order and are slow. A leadership is written before it counts;
 * the write takes its time, and nobody knows meanwhile whether it has taken effect.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { elect, type Standing } from '../../../server/coordination/elections.ts';
import { Sessions } from '../../../server/coordination/sessions.ts';
import { Leading } from '../../../pilot/leading.ts';
import type { Ledger, Leadership } from '../../../server/model/ledger.ts';
import type { FromPilot } from '../../../server/model/messages.ts';
import { defaultTiming as timing } from '../../../server/model/timing.ts';
import { ledgerOf, process, record } from '../../support/model.ts';

const names = [0, 1, 2].map((ordinal) => record(ordinal).name);

interface Happening {
  readonly what:
    'round' | 'beat' | 'cut' | 'connect' | 'crash' | 'up' | 'new life' | 'restart the server' | 'pass' | Standing;
  readonly who: number;
  readonly afterMs: number;
  readonly upMs: number;
  readonly downMs: number;
  /** How long a write of the ledger takes that begins now, and the part of it after which it has taken effect. */
  readonly writeMs: number;
  readonly effectAt: number;
}

class Pilot {
  readonly name: string;
  leading = new Leading();
  life = 1;
  stream = 0;
  joined = true;
  beats = 0n;
  /** When the last message of each direction arrives: a stream keeps its order. */
  upAtMs = 0;
  downAtMs = 0;
  highestTerm = 0;

  constructor(name: string) {
    this.name = name;
  }
}

class Network {
  readonly pilots = names.map((name) => new Pilot(name));
  readonly leaders = new Map<number, string>();
  readonly standing = new Map<string, Standing>();
  ledger: Ledger = ledgerOf([record(0), record(1), record(2)], {
    leadership: { term: 0, leader: '', incarnation: '' },
  });
  sessions = new Sessions(0, 'server-life');
  server = 1;
  nowMs = 0;
  elections = 0;
  /** Heartbeats that were answered while another leadership was being written. */
  meanwhile = 0;
  /** What the server wants written, until it knows that it is. */
  #writing: { readonly leadership: Leadership; stored: boolean } | undefined;
  #due: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor() {
    for (const pilot of this.pilots) this.#connect(pilot);
  }

  happen({ what, who, afterMs, upMs, downMs, writeMs, effectAt }: Happening): void {
    this.#advance(afterMs);
    const pilot = this.pilots[who]!;
    switch (what) {
      case 'round':
        for (const one of this.pilots) this.#beat(one, upMs, downMs);
        this.#advance(500);
        return this.elect(writeMs, effectAt);
      case 'beat':
        return this.#beat(pilot, upMs, downMs);
      case 'pass':
        return this.elect(writeMs, effectAt);
      case 'stays':
      case 'waits':
      case 'leaving':
      case 'next':
      case 'going':
        if (!this.standing.delete(pilot.name)) this.standing.set(pilot.name, what);
        return this.elect(writeMs, effectAt);
      case 'cut':
        this.sessions.disconnect(pilot.name, this.#lifeOf(pilot));
        pilot.stream = 0;
        return;
      case 'connect':
        return this.#connect(pilot);
      case 'crash':
      case 'up':
        pilot.joined = what === 'up';
        return;
      case 'new life':
        pilot.life++;
        pilot.leading = new Leading();
        return this.#connect(pilot);
      case 'restart the server':
        this.server++;
        this.sessions = new Sessions(this.nowMs, `server-life-${this.nowMs}`);
        // The new server reads what is in the store.
        if (this.#writing?.stored === true) this.ledger = { ...this.ledger, leadership: this.#writing.leadership };
        this.#writing = undefined;
        for (const one of this.pilots) one.stream = 0;
    }
  }

  #beat(pilot: Pilot, upMs: number, downMs: number): void {
    const { stream, life } = pilot;
    if (stream === 0) return;
    const sequence = ++pilot.beats;
    pilot.leading.sent(sequence, this.nowMs);
    const node = pilot.joined ? { node: { nodeId: pilot.name, processId: 'p', joined: true, version: '' } } : {};
    const message: FromPilot = {
      kind: 'heartbeat',
      heartbeat: {
        sequence,
        process: process(),
        leadingTerm: pilot.leading.term(this.nowMs),
        permits: [],
        asking: '',
        ...node,
      },
    };
    pilot.upAtMs = Math.max(pilot.upAtMs, this.nowMs + upMs);
    this.#later(pilot.upAtMs, () => {
      if (pilot.stream !== stream) return;
      const now = { monotonicMs: this.nowMs, wallMs: 0 };
      const { answers } = this.sessions.hear(pilot.name, message, now, this.#leadership());
      pilot.downAtMs = Math.max(pilot.downAtMs, this.nowMs + downMs);
      this.#later(pilot.downAtMs, () => {
        if (pilot.life !== life) return;
        for (const one of answers) if (one.kind === 'heartbeat_answer') this.#hear(pilot, one.sequence, one.leadership);
      });
    });
  }

  /** As pilot.ts obeys: no term below the highest that it has seen. */
  #hear(pilot: Pilot, sequence: bigint, { term, yours }: { readonly term: number; readonly yours: boolean }): void {
    if (term < pilot.highestTerm) return;
    pilot.highestTerm = term;
    pilot.leading.answered({ sequence, term, yours }, timing.leaseMs);
  }

  #connect(pilot: Pilot): void {
    pilot.stream = this.server * 1_000_000 + Number(pilot.beats) + 1;
    const cluster = { namespace: 'default', name: 'demo' };
    const life = this.#lifeOf(pilot);
    const hello = {
      cluster,
      member: pilot.name,
      incarnation: life,
      application: '',
      pilotVersion: '',
      highestTerm: 0,
      permits: [],
    };
    this.sessions.connect(hello, { monotonicMs: this.nowMs, wallMs: 0 });
  }

  #lifeOf(pilot: Pilot): string {
    return `${pilot.name}-${pilot.life}`;
  }

  /** As cluster-loop.ts: nobody is told that it leads while another leadership is being written. */
  #leadership(): Leadership {
    if (this.#writing === undefined) return this.ledger.leadership;
    this.meanwhile++;
    return { ...this.ledger.leadership, leader: '' };
  }

  /** One pass; there is none while the last one is still writing. */
  elect(writeMs: number, effectAt: number): void {
    if (this.#writing !== undefined) return;
    const before = this.ledger.leadership;
    const around = { runtime: [], addresses: new Map<string, string>() };
    const observed = this.sessions.observe(before, around, this.nowMs - timing.leaseMs);
    const now = { monotonicMs: this.nowMs, wallMs: 0 };
    const leadership = elect(this.ledger, observed, { now, timing }, this.standing);
    expect(leadership.term, 'terms only grow').to.be.within(before.term, before.term + 1);
    if (leadership === before) return;
    if (leadership.term !== before.term) this.elections++;
    this.#write(leadership, writeMs, effectAt);
  }

  #write(leadership: Leadership, writeMs: number, effectAt: number): void {
    const writing = { leadership, stored: false };
    const { server } = this;
    this.#writing = writing;
    // What has not taken effect when the server is killed never does.
    this.#later(this.nowMs + writeMs * effectAt, () => {
      if (this.server !== server) return;
      writing.stored = true;
      this.#written(leadership);
    });
    this.#later(this.nowMs + writeMs, () => {
      if (this.#writing !== writing) return;
      this.#writing = undefined;
      this.ledger = { ...this.ledger, leadership };
    });
  }

  #written({ term, leader, incarnation }: Leadership): void {
    if (leader === '') return;
    const holder = `${leader} ${incarnation}`;
    expect(this.leaders.get(term) ?? holder, `term ${term} has one leader`).to.equal(holder);
    this.leaders.set(term, holder);
  }

  #later(atMs: number, run: () => void): void {
    this.#due.push({ atMs, run });
  }

  #advance(ms: number): void {
    const until = this.nowMs + ms;
    for (;;) {
      const next = this.#due.filter((one) => one.atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      this.check();
    }
    this.nowMs = until;
    this.check();
  }

  check(): void {
    const believers = this.pilots.filter((pilot) => pilot.leading.term(this.nowMs) > 0);
    const who = believers.map((pilot) => `${pilot.name} in ${pilot.leading.term(this.nowMs)}`).join(' and ');
    expect(believers.length, `at ${this.nowMs} ms ${who} believe that they lead`).to.be.at.most(1);
    for (const pilot of believers) {
      const holder = this.leaders.get(pilot.leading.term(this.nowMs));
      expect(holder, 'a term that was written').to.equal(`${pilot.name} ${this.#lifeOf(pilot)}`);
    }
  }
}

/** Mostly beats and passes, now and then something that breaks. */
const usual: readonly Happening['what'][] = ['round', 'round', 'round', 'beat', 'pass'];
const broken: readonly Happening['what'][] = [
  'cut',
  'connect',
  'connect',
  'crash',
  'up',
  'up',
  'new life',
  'restart the server',
  'waits',
  'leaving',
  'next',
  'going',
];
/** Mostly prompt, now and then longer than a lease. */
const slow = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 8_000 }) },
);
const histories = fc.array(
  fc.record({
    what: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...usual) },
      { weight: 1, arbitrary: fc.constantFrom(...broken) },
    ),
    who: fc.nat(2),
    afterMs: fc.integer({ min: 0, max: 1_500 }),
    upMs: slow,
    downMs: slow,
    writeMs: slow,
    effectAt: fc.constantFrom(0, 0.5, 1),
  }),
  { minLength: 20, maxLength: 150 },
);

const still = { upMs: 0, downMs: 0, writeMs: 0, effectAt: 0 };

describe('leadership, whatever is slow, cut, crashed or restarted', () => {
  it('has terms that only grow, one leader a term, and never two pilots that believe at once', () => {
    let [elections, meanwhile] = [0, 0];
    fc.assert(
      fc.property(histories, (history) => {
        const network = new Network();
        for (const happening of history) network.happen(happening);
        elections += network.elections;
        meanwhile += network.meanwhile;
      }),
      { numRuns: 400 },
    );
    expect(elections, 'the property is not empty').to.be.greaterThan(200);
    expect(meanwhile, 'the property is not empty').to.be.greaterThan(100);
  });

  it('has a leader within a lease and two heartbeats of the loss of the last one', () => {
    fc.assert(
      fc.property(fc.constantFrom<Happening['what']>('cut', 'new life', 'crash', 'restart the server'), (what) => {
        const network = new Network();
        const calm = (rounds: number): void => {
          for (let round = 0; round < rounds; round++) {
            for (const who of [0, 1, 2])
              network.happen({ what: 'beat', who, afterMs: 0, ...still, upMs: 1, downMs: 1 });
            network.happen({ what: 'pass', who: 0, afterMs: timing.heartbeatMs, ...still });
          }
        };
        calm(3);
        const first = network.ledger.leadership;
        expect(first.leader).to.equal('demo-node-0');
        network.happen({ what, who: 0, afterMs: 0, ...still });
        if (what === 'restart the server')
          for (const who of [0, 1, 2]) network.happen({ what: 'connect', who, afterMs: 0, ...still });
        calm(timing.leaseMs / timing.heartbeatMs + 2);
        const { leader, term } = network.ledger.leadership;
        expect(leader).to.not.equal('');
        if (what === 'restart the server')
          expect({ leader, term }, 'no needless change').to.deep.equal({ leader: first.leader, term: 1 });
        else
          expect({ leader, term }).to.deep.equal({
            leader: what === 'new life' ? 'demo-node-0' : 'demo-node-1',
            term: 2,
          });
      }),
      { numRuns: 20 },
    );
  });
});
