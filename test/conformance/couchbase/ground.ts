/** A Couchbase cluster under a real server and real pilots, on the simulator, and what a scenario does to it. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Cluster } from '../../../server/cli/client.ts';
import { sleep, systemClock } from '../../../shared/clock.ts';
import { lives } from '../../../shared/proc.ts';
import { call, topology, type Account, type Params, type Pool, type Said } from '../../couchbase/calls.ts';
import { countItems, countRebalances, keys, putItems } from '../../couchbase/nodes.ts';
import { askPeer } from '../../couchbase/simulator/peers.ts';
import { couchbaseHome, couchbaseManifest, type Wanted } from '../../support/couchbase.ts';
import { demo, RealNavigator } from '../../support/navigator.ts';
import { waitFor } from '../../support/wait.ts';
import type { Ground, Scenario, Tally } from '../scenario.ts';

/** Nothing at all: the cluster is made by the scenario. */
export type Start = Wanted | 'nothing';

/** Three data nodes, a bucket with a replica of everything, and its items. */
export const usual: Start = { replicas: 3 };

interface VBucketServerMap {
  readonly serverList: readonly string[];
  readonly vBucketMap: readonly (readonly number[])[];
}

interface BucketState {
  readonly name: string;
  readonly replicaNumber: number;
  readonly evictionPolicy: string;
  readonly quota: { readonly rawRAM: number };
}

/** In the bucket `travel`. */
export const itemsPut = 300;
/** A node that does not say so by then does not serve. */
const wordMs = 2_000;

const clock = systemClock();

/** Rejects where it is not verified. */
function shownBy(host: string, ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 18091, ca }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

export type CouchbaseScenario = Scenario<CouchbaseGround, Start>;

export class CouchbaseGround implements Ground<Start> {
  navigator: RealNavigator;
  /** What of the simulator's times is left over: a so-many-th. */
  readonly scale: number;
  readonly #home: string;
  #wanted: Wanted | undefined;
  /** Versions only go up, whatever a scenario does. */
  #patch = 8;

  private constructor(home: string, navigator: RealNavigator, scale: number) {
    this.#home = home;
    this.scale = scale;
    this.navigator = navigator;
  }

  /** Starts a server that knows of no cluster. */
  static async make(scale: number): Promise<CouchbaseGround> {
    const home = couchbaseHome(scale);
    const navigator = new RealNavigator(['--couchbase-home', home]);
    await navigator.start();
    return new CouchbaseGround(home, navigator, scale);
  }

  async bring(start: Start): Promise<void> {
    if (start === 'nothing') {
      if (this.#wanted !== undefined) await this.#anew();
      return;
    }
    await this.#apply({ ...start, version: this.version });
    await waitFor(
      async () => {
        await this.#approveAll('wipe-bucket');
        return this.navigator.isReady(this.#count(), this.version);
      },
      'the start of a scenario',
      600_000,
    );
    if (this.#hasItems()) await this.fill();
  }

  /** Another server, in a directory of its own. */
  async #anew(): Promise<void> {
    await this.navigator.end();
    this.navigator = new RealNavigator(['--couchbase-home', this.#home]);
    this.#wanted = undefined;
    this.#patch = 8;
    await this.navigator.start();
  }

  async end(): Promise<void> {
    await this.navigator.end();
    rmSync(this.#home, { recursive: true, force: true });
  }

  get wanted(): Wanted {
    return this.#wanted ?? { replicas: 0 };
  }

  get version(): string {
    return `7.6.${this.#patch}`;
  }

  /** A version that has not been run here yet. */
  nextVersion(): string {
    this.#patch++;
    return this.version;
  }

  /** Applies the manifest with this change to it. */
  async want(change: Partial<Wanted>): Promise<void> {
    await this.#apply({ ...this.wanted, ...change });
  }

  async #apply(wanted: Wanted): Promise<void> {
    await this.navigator.apply(couchbaseManifest(wanted));
    this.#wanted = wanted;
  }

  /** What the scenario before has made larger may become smaller. */
  async #approveAll(beginning: string): Promise<void> {
    const { client } = this.navigator;
    for (const { id, state, holds } of await client.listPermits(demo, false)) {
      if (!id.startsWith(beginning) || state !== 'PERMIT_STATE_QUEUED' || holds.length === 0) continue;
      // It may have ended since.
      await client.rule(demo, 'approve', { permit: id, who: 'a test', why: 'a test' }).catch(() => undefined);
    }
  }

  /** A person approves every permit whose id begins so, until this is so. */
  async approveUntil(beginning: string, isSo: () => Promise<boolean>): Promise<void> {
    await waitFor(async () => {
      await this.#approveAll(beginning);
      return await isSo();
    }, `${beginning} to be approved, and what follows`);
  }

  /** Resolves once everything is as it is wanted. */
  ready(replicas = this.#count()): Promise<void> {
    return this.navigator.ready(replicas, this.wanted.version);
  }

  /** Whether everything is so now. */
  isReady(): Promise<boolean> {
    return this.navigator.isReady(this.#count(), this.wanted.version);
  }

  #count(): number {
    const others = (this.wanted.pools ?? []).map((pool) => Number(/replicas: (\d+)/.exec(pool)?.[1] ?? 1));
    return this.wanted.replicas + others.reduce((sum, one) => sum + one, 0);
  }

  #hasItems(): boolean {
    return this.wanted.buckets?.some((bucket) => bucket.includes('name: travel')) !== false;
  }

  /** Puts the items, whether or not they are there already. */
  async fill(bucket = 'travel', count = itemsPut): Promise<void> {
    await putItems(await this.anyAddress(), bucket, keys(count));
  }

  /** What the database says of its buckets. */
  async buckets(): Promise<readonly BucketState[]> {
    const { json } = await this.ask('/pools/default/buckets');
    return json as BucketState[];
  }

  /** Asks the database as its administrator. */
  async ask(path: string, params?: Params, method?: 'GET' | 'POST' | 'PUT' | 'DELETE'): Promise<Said> {
    return call(await this.anyAddress(), path, params, { account: this.account(), ...(method && { method }) });
  }

  /** A person approves the permit whose id begins so, once it waits. */
  async approve(beginning: string): Promise<void> {
    const { client } = this.navigator;
    const permit = await waitFor(async () => {
      const permits = await client.listPermits(demo, false);
      return permits.find(({ id, state, holds }) => {
        return id.startsWith(beginning) && state === 'PERMIT_STATE_QUEUED' && holds.length > 0;
      });
    }, `a permit ${beginning}`);
    await client.rule(demo, 'approve', { permit: permit.id, who: 'a test', why: 'a test' });
  }

  /** Ends the pilot and the database of a member. The server starts another pilot. */
  async killBoth(member: string, between: () => void = () => undefined): Promise<void> {
    const { navigator } = this;
    const [pilot, database] = [navigator.pilot(member), navigator.database(member)];
    process.kill(pilot.pid, 'SIGKILL');
    process.kill(database.pid, 'SIGKILL');
    await waitFor(() => !lives(pilot) && !lives(database), `${member} to be gone`);
    between();
  }

  /** The fingerprint of what a member's node shows, once that is of the cluster's own authority. */
  async certificateOf(member: string): Promise<string> {
    const host = await this.addressOf(member);
    const ca = readFileSync(join(this.navigator.directory, 'certificates/default/demo/ca.pem'));
    return waitFor(() => shownBy(host, ca), `the certificate of ${member}`);
  }

  /** As if its time were nearly over: it has to be made again. */
  async loseCertificate(member: string): Promise<void> {
    const directory = join(this.navigator.directory, 'certificates/default/demo', await this.addressOf(member));
    rmSync(directory, { recursive: true });
  }

  /** The directory in which the database of a member keeps everything. */
  dataOf(member: string): string {
    return join(this.navigator.directory, 'members/default/demo', member, 'data/couchbase-simulator');
  }

  async count(): Promise<Tally> {
    if (this.#wanted === undefined) return { items: 0, lost: 0, rebalances: 0 };
    const host = await this.anyAddress();
    const rebalances = await countRebalances(host);
    if (!this.#hasItems()) return { items: 0, lost: 0, rebalances };
    return { ...(await countItems(host, 'travel')), rebalances };
  }

  async serving(): Promise<number> {
    const words = await Promise.all(this.navigator.addresses().map((host) => this.#serves(host)));
    return words.filter((serves) => serves).length;
  }

  async #serves(host: string): Promise<boolean> {
    const word = this.#callAny(host, '/pools/default').then(({ json }) => (json as Pool).nodes);
    const nodes = await Promise.race([word.catch(() => undefined), sleep(clock, wordMs).then(() => undefined)]);
    const active = nodes?.filter(({ clusterMembership }) => clusterMembership === 'active') ?? [];
    const healthy = active.filter(({ status }) => status === 'healthy');
    // Alone it answers, and serves nobody.
    return healthy.some(({ thisNode }) => thisNode === true) && healthy.length * 2 > active.length;
  }

  /** As whichever administrator is let in: while a password is rotated, it is the one or the other. */
  async #callAny(host: string, path: string): Promise<Said> {
    const { next, last, ...present } = this.credentials();
    for (const account of [present, next].filter((one) => one !== undefined)) {
      const said = await call(host, path, undefined, { account });
      if (said.status !== 401) return said;
    }
    return call(host, path, undefined, { account: last });
  }

  /** The administrator, as the embedded runtime has made it. */
  account(): Account {
    const { username, password } = this.credentials();
    return { username, password };
  }

  credentials(): Account & { readonly next?: Account; readonly last?: Account } {
    const file = join(this.navigator.directory, 'credentials/default/demo.json');
    return JSON.parse(readFileSync(file, 'utf8')) as Account & { next?: Account; last?: Account };
  }

  /** Writes a secret, as somebody would who may read the server's directory. */
  secret(name: string, content: Readonly<Record<string, string>>): void {
    const directory = join(this.navigator.directory, 'secrets/default');
    mkdirSync(directory, { recursive: true });
    const draft = join(directory, `${name}.draft`);
    writeFileSync(draft, JSON.stringify(content), { mode: 0o600 });
    renameSync(draft, join(directory, `${name}.json`));
  }

  /** What a node answers to somebody who asks who they are. */
  async whoami(account: Account): Promise<number> {
    return (await call(await this.anyAddress(), '/whoami', undefined, { account })).status;
  }

  async addressOf(member: string): Promise<string> {
    const found = (await this.navigator.members()).find(({ name }) => name === member);
    if (found === undefined) throw new Error(`no member ${member}`);
    return found.address;
  }

  /** Of a node that serves. */
  async anyAddress(): Promise<string> {
    return waitFor(async () => {
      for (const host of this.navigator.addresses()) if (await this.#serves(host)) return host;
      return undefined;
    }, 'a node that serves');
  }

  /** Membership and status of every node, as one of them sees it. */
  standing(host: string): Promise<Record<string, string>> {
    return topology(host, this.account());
  }

  async fault(member: string, body: Record<string, unknown>): Promise<void> {
    await askPeer(await this.addressOf(member), 'fault', body);
  }

  /** Nothing passes between one node and the others. `too`: these are cut off from the others as well. */
  async cutOff(lone: string, others: readonly string[], too: readonly string[] = []): Promise<void> {
    const addresses = (names: readonly string[]) => Promise.all(names.map((name) => this.addressOf(name)));
    const [apart, rest] = [await addresses([lone, ...too]), await addresses(others)];
    for (const host of rest) await askPeer(host, 'fault', { cut: apart });
    for (const host of apart) await askPeer(host, 'fault', { cut: rest });
  }

  /** The server group of each host. */
  async groups(): Promise<Readonly<Record<string, string>>> {
    const { nodes } = (await this.ask('/pools/default')).json as { nodes: { hostname: string; serverGroup: string }[] };
    return Object.fromEntries(nodes.map(({ hostname, serverGroup }) => [hostname.replace(/:8091$/, ''), serverGroup]));
  }

  /** The hosts of the copies of each vBucket of `travel`. */
  async copies(): Promise<readonly (readonly string[])[]> {
    const { json } = await this.ask('/pools/default/buckets/travel');
    const { serverList, vBucketMap } = (json as { vBucketServerMap: VBucketServerMap }).vBucketServerMap;
    const hosts = serverList.map((name) => name.replace(/:11210$/, ''));
    return vBucketMap.map((row) => row.map((at) => hosts[at] ?? ''));
  }

  async heal(): Promise<void> {
    for (const { name } of await this.navigator.members()) await this.fault(name, { cut: [] });
  }

  cluster(): Promise<Cluster> {
    return this.navigator.cluster();
  }

  /** The message of a hold of the cluster or any member, once it stands. */
  async held(name: string): Promise<string> {
    const hold = await waitFor(async () => {
      const { holds } = await this.navigator.client.why(demo, '');
      return holds.find((one) => one.name === name);
    }, `the hold ${name}`);
    return hold.message;
  }

  /** Resolves once a rebalance is running. */
  rebalancing(): Promise<unknown> {
    const isSo = async (): Promise<boolean> =>
      (await this.cluster()).doing.some((line) => line.startsWith('rebalancing'));
    return waitFor(isSo, 'a rebalance');
  }

  /** SIGKILL to a member's database; resolves once another process is there. */
  async killDatabase(member: string): Promise<void> {
    const { navigator } = this;
    const killed = navigator.database(member);
    process.kill(killed.pid, 'SIGKILL');
    await waitFor(() => navigator.database(member).pid !== killed.pid, `another database of ${member}`);
  }
}
