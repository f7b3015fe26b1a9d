/** What is taken away has been recorded first, and what cannot be recorded is not taken away. */
import { fdatasyncSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { FromServer } from '../../pilot/wire.ts';
import { readJournals } from '../../replay/journals.ts';
import { JOURNAL_FILE, type JournalDisk } from '../../shared/journal.ts';
import { demo, Scene } from './scene.ts';

const names = [0, 1, 2].map((ordinal) => `demo-node-${ordinal}`);
const last = 'demo-node-2';

/** A disk that knows what of it would survive a power cut, and can be full. */
class WatchedDisk implements JournalDisk {
  readonly #cached = new Map<number, string>();
  lasting = '';
  full = false;

  write(file: number, text: string): void {
    if (this.full) throw new Error('ENOSPC: no space left on device');
    writeFileSync(file, text);
    this.#cached.set(file, (this.#cached.get(file) ?? '') + text);
  }

  sync(file: number): void {
    fdatasyncSync(file);
    this.lasting += this.#cached.get(file) ?? '';
    this.#cached.delete(file);
  }

  /** Whether one lasting line holds all of these. */
  holds(...parts: readonly string[]): boolean {
    return this.lasting.split('\n').some((line) => parts.every((part) => line.includes(part)));
  }
}

describe('the flight recorder, before anything is taken away', function () {
  this.timeout(60_000);
  let scene: Scene;
  let server: WatchedDisk;
  let pilots: WatchedDisk;
  beforeEach(() => {
    server = new WatchedDisk();
    pilots = new WatchedDisk();
    scene = new Scene({ server, pilots });
  });
  afterEach(() => scene.close());

  it('has flushed every grant, use and order before it is written or told, and every stop before it is done', async () => {
    const wrong: string[] = [];
    const seen = new Set<string>();
    const expectLasting = (what: string, disk: WatchedDisk, ...parts: readonly string[]): void => {
      seen.add(what);
      if (!disk.holds(...parts)) wrong.push(`${what}: ${parts.join(' ')} is not on the disk`);
    };
    const swap = scene.store.compareAndSwap.bind(scene.store);
    scene.store.compareAndSwap = (key, revision, ledger) => {
      for (const { id, state } of ledger.permits) {
        if (state === 'granted' || state === 'used')
          expectLasting(`write ${state}`, server, '"kind":"decision"', id, `"state":"${state}"`);
      }
      return swap(key, revision, ledger);
    };
    const hears = (message: FromServer): boolean => {
      if (message.kind === 'order') expectLasting('order', server, '"kind":"say_order"', message.id);
      if (message.kind === 'use_answer' && message.ok) {
        expectLasting('asked to use', pilots, '"kind":"use","body"', message.permitId);
        expectLasting('use', server, '"kind":"say_use_answer"', message.permitId);
      }
      return false;
    };
    await Scene.ready(demo(3), scene);
    for (const name of names) scene.pilot(name).hold(hears);
    const end = scene.machine.end.bind(scene.machine);
    scene.machine.end = (member, what, exit) => {
      if (what === 'stopped') {
        expectLasting('stop', pilots, '"kind":"step"', member, '"effects":[{"kind":"stop"}]');
      }
      end(member, what, exit);
    };
    await scene.apply(demo(2));
    await scene.until('the member to be forgotten', () => scene.ledger.members[last] === undefined);
    expect(wrong).to.deep.equal([]);
    expect([...seen]).to.have.members(['write granted', 'write used', 'order', 'use', 'asked to use', 'stop']);
  });

  it('while the server cannot record, databases run, crashed ones come back, and nothing is taken away', async () => {
    await Scene.ready(demo(3), scene);
    server.full = true;
    await scene.apply(demo(2));
    const held = await scene.until('the leave to be held', () =>
      scene.cluster.snapshot?.plan.holds.find(
        ({ name, member }) => name === 'journal_cannot_be_written' && member === last,
      ),
    );
    expect(held.message).to.contain('ENOSPC: no space left on device');
    scene.machine.crash('demo-node-0');
    await scene.until('the crashed one', () => scene.database.node('demo-node-0').life === 2);
    expect(scene.permit(last, 'granted')).to.equal(undefined);
    expect(scene.machine.runs(last)).to.equal(true);

    server.full = false;
    await scene.until('the member to be forgotten', () => scene.ledger.members[last] === undefined);
    const gap = readJournals(join(scene.directory, JOURNAL_FILE))[0]!.records.find(({ kind }) => kind === 'gap');
    expect(gap?.body['why']).to.contain('ENOSPC');
    expect(gap?.body['lost']).to.be.greaterThan(0);
  });

  it('while a pilot cannot record, it does not ask, and says why; a stop of everything goes on', async () => {
    await Scene.ready(demo(3), scene);
    pilots.full = true;
    await scene.apply(demo(2));
    const doing = await scene.until('the pilot to say why', () => {
      const said = scene.cluster.snapshot?.observed.members.get(last)?.process.doing;
      return said !== undefined && said !== '' && said;
    });
    expect(doing).to.match(/^does not ask to leave: its journal cannot be written \(ENOSPC/);
    expect(scene.ledger.permits).to.deep.equal([]);
    expect(scene.machine.runs(last)).to.equal(true);
    await scene.cluster.change((ledger) => ({ ...ledger, stopping: { who: 'ada', why: 'a test' } }));
    await scene.until('the others to be stopped', () => !scene.machine.runs('demo-node-0'));

    pilots.full = false;
    await scene.until('all of them', () => names.every((name) => !scene.machine.runs(name)));
  });
});
