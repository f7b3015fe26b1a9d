/** A rolling upgrade of a real cluster under load: no acknowledged write is lost, and at most one member is away. */
import { expect } from 'chai';
import { sleep, systemClock } from '../../shared/clock.ts';
import { demo, manifest, RealNavigator } from '../support/navigator.ts';
import { waitFor } from '../support/wait.ts';

const names = ['demo-node-0', 'demo-node-1', 'demo-node-2'];
const clock = systemClock();

/** Reads and writes without a pause, and remembers what was acknowledged. */
class Load {
  readonly acknowledged = new Set<number>();
  readonly missing: number[] = [];
  reads = 0;
  failures = 0;
  #next = 0;
  #over = false;
  #work: Promise<unknown> = Promise.resolve();

  readonly #navigator: RealNavigator;

  constructor(navigator: RealNavigator) {
    this.#navigator = navigator;
  }

  begin(): void {
    this.#work = Promise.all([this.#write(), this.#read()]);
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#work;
  }

  async #write(): Promise<void> {
    while (!this.#over) {
      const id = this.#next++;
      await this.#navigator.ask('PUT', `/load/doc/${id}`, { id }).then(
        () => this.acknowledged.add(id),
        () => this.failures++,
      );
      await sleep(clock, 5);
    }
  }

  /** A document that was acknowledged is either found or its shard is away for a moment; it is never "not there". */
  async #read(): Promise<void> {
    while (!this.#over) {
      const known = [...this.acknowledged];
      const id = known[this.reads % Math.max(1, known.length)];
      if (id !== undefined) {
        this.reads++;
        const found = await this.#isFound(id);
        if (found === undefined) this.failures++;
        else if (!found) this.missing.push(id);
      }
      await sleep(clock, 5);
    }
  }

  /** Undefined: its shard is on no node that answers. */
  async #isFound(id: number): Promise<boolean | undefined> {
    const answer = await this.#navigator.ask('POST', '/load/doc/_mget', { ids: [String(id)] }).catch(() => undefined);
    const [document] = (answer as { docs: { found?: boolean; error?: unknown }[] } | undefined)?.docs ?? [];
    return document === undefined || document.error !== undefined ? undefined : document.found === true;
  }
}

describe('a rolling upgrade 5.6.16 → 6.8.23 of a real cluster under load', () => {
  const navigator = new RealNavigator();
  let away = 0;
  let watching = true;

  before(async () => {
    await navigator.start();
    await navigator.apply(manifest(3));
    await navigator.ready(3);
    await navigator.ask('PUT', '/load', { settings: { number_of_shards: 3, number_of_replicas: 1 } });
    await navigator.fill('solo', 100);
  });
  after(() => navigator.end());

  async function watch(): Promise<void> {
    while (watching) {
      away = Math.max(away, names.length - navigator.alive(names));
      await sleep(clock, 20);
    }
  }

  it('loses no acknowledged write and takes one member away at a time', async () => {
    const load = new Load(navigator);
    load.begin();
    const watcher = watch();
    await navigator.apply(manifest(3, { version: '6.8.23' }));
    await navigator.ready(3, '6.8.23');
    watching = false;
    await watcher;
    await load.end();
    expect(load.acknowledged.size, 'writes that were acknowledged').to.be.greaterThan(100);
    expect(load.reads, 'reads').to.be.greaterThan(100);
    expect(load.missing, 'acknowledged documents that a read did not find').to.deep.equal([]);
    expect(away, 'members away at once').to.equal(1);
    for (const id of load.acknowledged) {
      await waitFor(
        async () => {
          const answer = (await navigator.ask('GET', `/load/doc/${id}`)) as { found: boolean };
          return answer.found;
        },
        `document ${id}`,
        10_000,
      );
    }
    expect(await navigator.count('load')).to.be.at.least(load.acknowledged.size);
    expect(await navigator.count('solo'), 'documents of single-copy shards').to.equal(100);
    expect(await navigator.settings()).to.include({ exclude: '', enable: 'all', quorum: '2' });
    const upgrades = (await navigator.client.listPermits(demo, true)).filter(({ verb }) => verb === 'VERB_UPGRADE');
    expect(
      upgrades.filter(({ state }) => state === 'PERMIT_STATE_COMPLETED').map(({ member }) => member),
    ).to.have.members(names);
  });
});
