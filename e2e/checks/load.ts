/** Documents that must not be lost: every one that the database has acknowledged is counted, and looked for later. */
import { sleep, systemClock } from '../../shared/clock.ts';
import { ask, askAny, podsOf } from './database.ts';

const clock = systemClock();
const pauseMs = 50;
const podsAnewMs = 2_000;

/** Writes to an index of a cluster until it is stopped, one document after the other, to whichever member answers. */
export class Load {
  readonly #cluster: string;
  readonly #index: string;
  readonly #acknowledged: string[] = [];
  #failures = 0;
  #stopping = false;
  #done: Promise<void> | undefined;

  constructor(cluster: string, index: string) {
    this.#cluster = cluster;
    this.#index = index;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  start(): void {
    this.#done = this.#write();
  }

  /** Resolves to what was acknowledged and cannot be found; and how many writes failed, which is no fault. */
  async stop(): Promise<{ readonly lost: readonly string[]; readonly written: number; readonly failed: number }> {
    this.#stopping = true;
    await this.#done;
    await askAny(this.#cluster, { method: 'POST', path: `/${this.#index}/_refresh` });
    const lost: string[] = [];
    for (let at = 0; at < this.#acknowledged.length; at += 500) {
      const ids = this.#acknowledged.slice(at, at + 500);
      const { body } = await askAny(this.#cluster, {
        method: 'POST',
        path: `/${this.#index}/doc/_mget`,
        body: { ids },
      });
      for (const { _id, found } of body.docs as { _id: string; found: boolean }[]) if (!found) lost.push(_id);
    }
    return { lost, written: this.#acknowledged.length, failed: this.#failures };
  }

  async #write(): Promise<void> {
    let pods = await podsOf(this.#cluster);
    let readAt = clock.monotonicMs();
    for (let n = 0; !this.#stopping; n += 1) {
      if (clock.monotonicMs() - readAt > podsAnewMs) {
        pods = await podsOf(this.#cluster).catch(() => pods);
        readAt = clock.monotonicMs();
      }
      const pod = pods[n % pods.length];
      const path = `/${this.#index}/doc/${n}?timeout=10s`;
      try {
        if (pod === undefined) throw new Error('no pod');
        const { status } = await ask(pod, { method: 'PUT', path, body: { n } });
        if (status === 200 || status === 201) this.#acknowledged.push(String(n));
        else this.#failures += 1;
      } catch {
        this.#failures += 1;
      }
      await sleep(clock, pauseMs);
    }
  }
}

/** Makes an index of `count` documents without replicas, so that a member that goes with its shards is missed. */
export async function fillWithoutReplicas(cluster: string, index: string, count: number): Promise<void> {
  const settings = { number_of_shards: 6, number_of_replicas: 0 };
  const made = await askAny(cluster, { method: 'PUT', path: `/${index}`, body: { settings } });
  if (made.status !== 200) throw new Error(`index ${index}: ${JSON.stringify(made.body)}`);
  for (let n = 0; n < count; n += 1) {
    const path = `/${index}/doc/${n}`;
    const { status, body } = await askAny(cluster, { method: 'PUT', path, body: { n } });
    if (status !== 201) throw new Error(`document ${n}: ${JSON.stringify(body)}`);
  }
  await askAny(cluster, { method: 'POST', path: `/${index}/_refresh` });
}

/** How many documents an index answers with; undefined where a shard does not answer. */
export async function countOf(cluster: string, index: string): Promise<number | undefined> {
  const { body } = await askAny(cluster, { path: `/${index}/_count` });
  return body?._shards?.failed === 0 ? (body.count as number) : undefined;
}
