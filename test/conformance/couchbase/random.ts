/**
 * Operations and faults in an order that a seed decides. After some of them everything is healed, and then all items that were ever
 * acknowledged must be there, no vBucket lost, and the cluster as it was wanted last. The order is the seed's; how far each has come
 * when the next begins is the machine's.
 */
import { rmSync } from 'node:fs';
import { sleep, systemClock } from '../../../shared/clock.ts';
import { demo } from '../../support/navigator.ts';
import { SeededRandom } from '../../simulation/random.ts';
import { keys, putItems } from '../../couchbase/nodes.ts';
import { askPeer } from '../../couchbase/simulator/peers.ts';
import { waitFor } from '../../support/wait.ts';
import type { CouchbaseGround } from './ground.ts';

const clock = systemClock();
const query = '{ name: query, replicas: 1, services: [query] }';
/** After so many operations at most everything is healed and counted. */
const settleEvery = { least: 3, most: 12 };
const settleMs = 600_000;

interface Operation {
  readonly name: string;
  readonly weight: number;
  /** Only where nothing is broken: it takes for granted that every vBucket has another copy. */
  readonly needsCalm?: boolean;
  /** What it breaks is mended when everything is healed. */
  readonly breaks?: boolean;
  readonly run: () => Promise<unknown>;
}

export class RandomSchedule {
  done = 0;
  readonly #ground: CouchbaseGround;
  readonly #random: SeededRandom;
  readonly #tell: (line: string) => void;
  readonly #operations: readonly Operation[];
  #items = 0;
  #isCalm = false;

  constructor(ground: CouchbaseGround, seed: number, tell: (line: string) => void) {
    this.#ground = ground;
    this.#random = new SeededRandom(seed);
    this.#tell = tell;
    this.#operations = this.#all();
  }

  /** Rejects with what was lost, or what did not come to be. */
  async run(count: number, signal: AbortSignal): Promise<{ done: number; items: number; seconds: number }> {
    const beganAtMs = clock.monotonicMs();
    await this.#ground.want({ replicas: 3, bucketReplicas: 1, version: this.#ground.version });
    await this.#settle();
    let left = this.#random.whole(settleEvery.least, settleEvery.most);
    while (this.done < count && !signal.aborted) {
      await this.#one();
      if (--left > 0) continue;
      await this.#settle();
      left = this.#random.whole(settleEvery.least, settleEvery.most);
    }
    await this.#settle();
    return { done: this.done, items: this.#items, seconds: (clock.monotonicMs() - beganAtMs) / 1_000 };
  }

  async #one(): Promise<void> {
    const may = this.#operations.filter(({ needsCalm }) => needsCalm !== true || this.#isCalm);
    const total = may.reduce((sum, { weight }) => sum + weight, 0);
    let at = this.#random.between(0, total);
    const operation = may.find(({ weight }) => (at -= weight) < 0) ?? may[0]!;
    // Drawn whether or not it is used, so that one operation's failure does not change the next ones.
    const pauseMs = this.#random.wait(1_500);
    this.done++;
    if (operation.breaks === true) this.#isCalm = false;
    // A node that is away cannot be told to fail: that is no matter.
    const said = await Promise.resolve()
      .then(() => operation.run())
      .catch((error: unknown) => `not done: ${(error as Error).message.slice(0, 120)}`);
    this.#tell(`${String(this.done).padStart(5)} ${operation.name}${typeof said === 'string' ? `, ${said}` : ''}`);
    await sleep(clock, Math.min(pauseMs, 6_000));
  }

  /** Everything is healed; then nothing may be missing. */
  async #settle(): Promise<void> {
    const ground = this.#ground;
    const heal = { cut: [], failRebalanceAt: null, dropReply: null, slowMs: 0 };
    if (!ground.navigator.isUp) await ground.navigator.start();
    await waitFor(
      async () => {
        for (const host of ground.navigator.addresses()) await askPeer(host, 'fault', heal).catch(() => undefined);
        await this.#approve();
        return ground.isReady();
      },
      'everything to be as it is wanted',
      settleMs,
    );
    this.#isCalm = true;
    await this.#put();
    const { items, lost } = await ground.count();
    if (items !== this.#items || lost > 0)
      throw new Error(`${items} items of ${this.#items} that were acknowledged, ${lost} vBuckets lost`);
    this.#tell(
      `      all is well: ${items} items, version ${ground.wanted.version}, ${ground.wanted.replicas} members`,
    );
  }

  async #approve(): Promise<void> {
    const { client } = this.#ground.navigator;
    for (const { id, state, holds } of await client.listPermits(demo, false)) {
      if (state !== 'PERMIT_STATE_QUEUED') continue;
      const ruling = { permit: id, who: 'a test', why: 'a random schedule' };
      // Of two members none is upgraded in place unless somebody takes the outage upon themselves.
      const outage = holds.filter(({ name }) => name === 'quorum_would_be_lost').map(({ name }) => name);
      const taken = id.startsWith('wipe-') ? ruling : { ...ruling, holds: outage };
      if (id.startsWith('wipe-') || outage.length > 0) await client.rule(demo, 'approve', taken).catch(() => undefined);
    }
  }

  async #put(): Promise<string> {
    const more = keys(this.#items + 20).slice(this.#items);
    await putItems(await this.#ground.anyAddress(), 'travel', more);
    this.#items += more.length;
    return `${this.#items} items`;
  }

  #member(): string {
    const names = Array.from({ length: this.#ground.wanted.replicas }, (_, at) => `demo-node-${at}`);
    return this.#random.pick(names) ?? 'demo-node-0';
  }

  #want(change: Parameters<CouchbaseGround['want']>[0], words: string): Promise<string> {
    return this.#ground.want(change).then(() => words);
  }

  #all(): readonly Operation[] {
    const ground = this.#ground;
    const random = this.#random;
    const { navigator } = ground;
    const onAll = async (fault: Record<string, unknown>): Promise<void> => {
      for (const host of navigator.addresses()) await askPeer(host, 'fault', fault).catch(() => undefined);
    };
    const drop = [
      '/controller/rebalance',
      '/controller/addNode',
      '/pools/default/buckets',
      '/controller/setRecoveryType',
    ];
    const paths = async (): Promise<string> => {
      const path = random.pick(drop) ?? '';
      await onAll({ dropReply: path });
      return path;
    };
    const wants: readonly Operation[] = [
      { name: 'scale', weight: 5, run: () => this.#scale() },
      { name: 'pool', weight: 2, run: () => this.#want({ pools: random.chance(0.5) ? [query] : [] }, 'query') },
      { name: 'replicas', weight: 2, run: () => this.#want({ bucketReplicas: random.whole(1, 2) }, 'of the bucket') },
      { name: 'upgrade', weight: 1, run: () => this.#upgrade() },
      { name: 'put', weight: 4, needsCalm: true, run: () => this.#put() },
    ];
    const breaks: readonly Operation[] = [
      { name: 'kill database', weight: 4, breaks: true, run: () => this.#kill('database') },
      { name: 'kill pilot', weight: 3, run: () => this.#kill('pilot') },
      { name: 'kill leader', weight: 2, run: () => this.#killLeader() },
      { name: 'kill server', weight: 2, run: () => this.#restart() },
      { name: 'cut', weight: 2, breaks: true, run: () => this.#cut() },
      { name: 'heal', weight: 2, run: () => onAll({ cut: [] }) },
      { name: 'fail rebalance', weight: 2, run: () => onAll({ failRebalanceAt: random.whole(0, 95) }) },
      { name: 'drop an answer', weight: 2, run: paths },
      { name: 'slow', weight: 1, run: () => onAll({ slowMs: random.whole(0, 100 * ground.scale) }) },
      { name: 'lose a disk', weight: 1, needsCalm: true, breaks: true, run: () => this.#loseDisk() },
    ];
    return [...wants, ...breaks];
  }

  #scale(): Promise<string> {
    const replicas = this.#random.whole(2, 5);
    return this.#want({ replicas }, `to ${replicas}`);
  }

  async #upgrade(): Promise<string> {
    const type = this.#random.pick(['SwapRebalance', 'InPlace']) ?? '';
    // A third version has to wait until all run one.
    if (!this.#isCalm) return 'not now';
    const lines = [`updateStrategy: { type: ${type} }`];
    return this.#want({ version: this.#ground.nextVersion(), lines }, `to ${this.#ground.version}, ${type}`);
  }

  #kill(what: 'database' | 'pilot'): Promise<string> {
    const member = this.#member();
    process.kill(this.#ground.navigator[what](member).pid, 'SIGKILL');
    return Promise.resolve(member);
  }

  async #killLeader(): Promise<string> {
    const { leader } = await this.#ground.cluster();
    process.kill(this.#ground.navigator.pilot(leader).pid, 'SIGKILL');
    return leader;
  }

  async #restart(): Promise<void> {
    const { navigator } = this.#ground;
    await navigator.killServer();
    await sleep(clock, this.#random.between(0, 3_000));
    await navigator.start();
  }

  async #cut(): Promise<string> {
    const hosts = this.#ground.navigator.addresses();
    const lone = await this.#ground.addressOf(this.#member());
    for (const host of hosts) {
      const cut = host === lone ? hosts.filter((other) => other !== lone) : [lone];
      await askPeer(host, 'fault', { cut }).catch(() => undefined);
    }
    return lone;
  }

  /** One at a time, and nothing else is broken: every vBucket has a copy elsewhere. */
  async #loseDisk(): Promise<string> {
    const member = this.#member();
    if (!(await this.#ground.isReady())) return 'not now';
    await this.#ground.killBoth(member, () => rmSync(this.#ground.dataOf(member), { recursive: true, force: true }));
    await this.#settle();
    return member;
  }
}
