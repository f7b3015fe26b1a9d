/** A grant, a use and a term are in the ledger before any pilot hears of them: what cannot be written is not told. */
import { expect } from 'chai';
import type { FromServer } from '../../pilot/wire.ts';
import type { Ledger } from '../../server/model/ledger.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { demo, Scene } from './scene.ts';

const names = [0, 1, 2].map((ordinal) => `demo-node-${ordinal}`);
const last = 'demo-node-2';

describe('what a store cannot write', function () {
  this.timeout(60_000);
  let scene: Scene;
  let refused = 0;
  let heard: FromServer[] = [];
  let isStuck: (ledger: Ledger) => boolean = () => false;

  beforeEach(async () => {
    scene = await Scene.ready(demo(3));
    heard = [];
    refused = 0;
    const swap = scene.store.compareAndSwap.bind(scene.store);
    scene.store.compareAndSwap = (key, revision, ledger) => {
      if (!isStuck(ledger)) return swap(key, revision, ledger);
      refused++;
      return Promise.reject(new NavigatorError('unavailable', 'the disk is away'));
    };
    for (const name of names) {
      scene.pilot(name).hold((message) => {
        heard.push(message);
        return false;
      });
    }
  });
  afterEach(() => {
    isStuck = () => false;
    return scene.close();
  });

  /** The store refuses such a ledger again and again, and each pilot hears what comes after it. */
  async function stuck(which: (ledger: Ledger) => boolean): Promise<void> {
    isStuck = which;
    refused = 0;
    await scene.until('writes that are refused', () => refused >= 3);
    const before = heard.length;
    const beats = (): number => heard.slice(before).filter(({ kind }) => kind === 'heartbeat_answer').length;
    await scene.until('answers to later heartbeats', () => beats() >= 5 * names.length);
  }

  const granted = (): readonly FromServer[] =>
    heard.filter((message) => message.kind === 'decision' && message.decision.state === 'granted');
  const confirmed = (): readonly FromServer[] => heard.filter((message) => message.kind === 'use_answer' && message.ok);

  it('as a grant, or its use, no pilot hears of', async () => {
    await scene.apply(demo(2));
    await stuck(({ permits }) => permits.some(({ state }) => state === 'granted'));
    expect(granted()).to.deep.equal([]);
    await stuck(({ permits }) => permits.some(({ state }) => state === 'used'));
    expect(granted()).to.not.deep.equal([]);
    expect(confirmed()).to.deep.equal([]);
    expect(scene.machine.runs(last)).to.equal(true);
    isStuck = () => false;
    await scene.until('the member to be forgotten', () => scene.ledger.members[last] === undefined);
    expect(confirmed()).to.have.length(1);
  });

  it('as a term, no pilot leads in', async () => {
    const { term } = scene.ledger.leadership;
    const led = (): boolean =>
      heard.some((message) => message.kind === 'heartbeat_answer' && message.yours && message.term > term);
    await scene.cluster.change((ledger) => ({ ...ledger, leadership: { ...ledger.leadership, leader: '' } }));
    await stuck(({ leadership }) => leadership.term > term);
    expect(led()).to.equal(false);
    isStuck = () => false;
    await scene.until('a leader in a later term', () => led());
    expect(scene.ledger.leadership.term).to.be.greaterThan(term);
  });
});
