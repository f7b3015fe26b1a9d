/** The store on the real API server: the contract of every store, and what only this one can get wrong. */
import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { connect, type KubernetesApi } from '../../server/kubernetes/api.ts';
import { ledgerCompressedMax } from '../../server/model/cluster-ledger.ts';
import { KubernetesStore } from '../../server/store/kubernetes.ts';
import { systemClock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { codeOf, increment, ledgerOf, storeContract } from '../contract/store.contract.ts';
import { startApiServer, type ApiServer } from '../support/kubernetes/apiserver.ts';
import { caller, type Answer } from '../support/kubernetes/call.ts';
import { openWire } from '../support/kubernetes/wire.ts';
import { waitFor } from '../support/wait.ts';
import { installDefinitions, makeNamespace, useBinaries, useKubernetes } from '../support/kubernetes/shared.ts';

const clock = systemClock(true);
const key = 'default/demo';
const path = '/apis/navigator.jetstack.io/v1alpha1/namespaces/default/clusterledgers/demo';
const namespaces = ['a', 'b', 'c', 'a-b', 'a1'];

async function errorOf(work: Promise<unknown>): Promise<NavigatorError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof NavigatorError) return error;
  throw new Error('it did not fail as it should', { cause: error });
}

describe('the store in Kubernetes', () => {
  const kubernetes = useKubernetes();
  const opened: KubernetesStore[] = [];

  function another(user: 'admin' | 'nobody' = 'admin'): KubernetesStore {
    const store = new KubernetesStore(connect(kubernetes().api.config(user), clock));
    opened.push(store);
    return store;
  }

  async function empty(): Promise<KubernetesStore> {
    const { call } = kubernetes();
    for (const namespace of namespaces) await makeNamespace(call, namespace);
    for (const namespace of ['default', ...namespaces]) {
      const folder = `/apis/navigator.jetstack.io/v1alpha1/namespaces/${namespace}/clusterledgers`;
      await call('DELETE', folder);
    }
    return another();
  }

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  function merge(patch: unknown): Promise<Answer> {
    return kubernetes().call('PATCH', path, patch, 'application/merge-patch+json');
  }

  describe('keeps the contract', () => storeContract(empty));

  it('two servers see and respect each other', async () => {
    const one = await empty();
    const other = another();
    await one.compareAndSwap(key, 0, ledgerOf('a'));
    expect((await other.read(key))?.revision).to.equal(1);
    expect(await other.compareAndSwap(key, 1, ledgerOf('b'))).to.not.equal('conflict');
    expect(await one.compareAndSwap(key, 1, ledgerOf('c'))).to.equal('conflict');
    expect(await one.remove(key, 1)).to.equal('conflict');
    await Promise.all([increment(one, 'a/count', 30), increment(other, 'a/count', 30)]);
    expect((await one.read('a/count'))?.ledger.generation).to.equal(60);
  });

  it('a server that has never read a row may write it by its revision', async () => {
    const one = await empty();
    await one.compareAndSwap(key, 0, ledgerOf('a'));
    expect(await another().compareAndSwap(key, 1, ledgerOf('b'))).to.include({ revision: 2 });
    expect(await another().remove(key, 2)).to.equal('removed');
  });

  it('a row of another life is another row, though its revision is the same', async () => {
    const one = await empty();
    const other = another();
    await one.compareAndSwap(key, 0, ledgerOf('a'));
    await other.read(key);
    await other.remove(key, 1);
    await other.compareAndSwap(key, 0, ledgerOf('b'));
    expect(await one.compareAndSwap(key, 1, ledgerOf('c'))).to.equal('conflict');
    expect((await one.read(key))?.ledger.manifest).to.equal('b');
  });

  it('labels and annotations of others stay, and cost one conflict', async () => {
    const store = await empty();
    await store.compareAndSwap(key, 0, ledgerOf('a'));
    await merge({ metadata: { labels: { backup: 'yes' } } });
    expect(await store.compareAndSwap(key, 1, ledgerOf('b'))).to.equal('conflict');
    expect(await store.compareAndSwap(key, 1, ledgerOf('b'))).to.include({ revision: 2 });
    expect((await kubernetes().call('GET', path)).body.metadata.labels).to.deep.equal({ backup: 'yes' });
  });

  it('nobody changes a ledger below its revision', async () => {
    const store = await empty();
    await store.compareAndSwap(key, 0, ledgerOf('a'));
    for (const patch of [{ text: '{}' }, { revision: 3 }, { revision: 2, text: null }, { text: null }]) {
      expect((await merge(patch)).status, JSON.stringify(patch)).to.equal(422);
    }
  });

  it('a small ledger can be read by people, a large one is compressed, and it may shrink again', async () => {
    const store = await empty();
    const fields = async (): Promise<string[]> => Object.keys((await kubernetes().call('GET', path)).body as object);
    await store.compareAndSwap(key, 0, ledgerOf('small'));
    expect(await fields())
      .to.include('text')
      .and.not.include('compressed');
    await store.compareAndSwap(key, 1, ledgerOf('large '.repeat(20_000)));
    expect(await fields())
      .to.include('compressed')
      .and.not.include('text');
    await store.compareAndSwap(key, 2, ledgerOf('small'));
    expect((await store.read(key))?.ledger.manifest).to.equal('small');
    expect(await fields())
      .to.include('text')
      .and.not.include('compressed');
  });

  it('as much as it promises fits into etcd, and more is refused with the numbers', async () => {
    const store = await empty();
    // Chance in hex: two digits a byte, which gzip makes one and base64 four thirds.
    const fits = randomBytes((ledgerCompressedMax / 4) * 3 * 0.85).toString('hex');
    expect(await store.compareAndSwap(key, 0, ledgerOf(fits))).to.not.equal('conflict');
    expect((await store.read(key))?.ledger.manifest).to.equal(fits);
    const { body } = await kubernetes().call('GET', path);
    expect(body.compressed.length).to.be.within(ledgerCompressedMax * 0.9, ledgerCompressedMax);
    const error = await errorOf(store.compareAndSwap(key, 1, ledgerOf(randomBytes(1_100_000).toString('hex'))));
    expect([error.code, error.retryable]).to.deep.equal(['exhausted', false]);
    expect(error.message).to.match(/default\/demo has \d+ bytes, .* 1310720 is the most/);
    expect((await store.read(key))?.revision).to.equal(1);
  });

  it('a list of several pages has every row', async () => {
    const store = await empty();
    const keys = Array.from({ length: 120 }, (_, at) => `a/c${String(at).padStart(3, '0')}`);
    for (const one of keys) await store.compareAndSwap(one, 0, ledgerOf(one));
    expect((await store.list()).map((row) => row.key)).to.deep.equal(keys);
  }).timeout(60_000);

  it('many calls share a connection', async () => {
    await empty();
    const wire = await openWire(kubernetes().api);
    const store = new KubernetesStore(connect(wire.config, clock));
    try {
      await increment(store, key, 20);
      expect(wire.connections()).to.equal(1);
    } finally {
      await store.close();
      await wire.close();
    }
  });

  it('a write whose answer was lost is found when it is tried again, and not done twice', async () => {
    await empty();
    const wire = await openWire(kubernetes().api);
    const store = new KubernetesStore(connect(wire.config, clock));
    try {
      await store.compareAndSwap(key, 0, ledgerOf('a'));
      wire.loseAnswers(true);
      const error = await errorOf(store.compareAndSwap(key, 1, ledgerOf('b')));
      expect([error.code, error.retryable]).to.deep.equal(['unavailable', true]);
      wire.loseAnswers(false);
      await waitFor(async () => (await another().read(key))?.revision === 2, 'the write to be done');
      expect(await store.compareAndSwap(key, 1, ledgerOf('b'))).to.equal('conflict');
      expect((await store.read(key))?.ledger.manifest).to.equal('b');
    } finally {
      await store.close();
      await wire.close();
    }
  });

  it('a damaged ledger is told, with what to do', async () => {
    const store = await empty();
    await store.compareAndSwap(key, 0, ledgerOf('a'));
    await merge({ revision: 2, text: 'oops' });
    const error = await errorOf(store.read(key));
    expect([error.code, error.message]).to.deep.equal(['internal', error.message]);
    expect(error.message).to.include('default/demo is damaged');
    expect(error.advice.join(' ')).to.include('kubectl -n default get clusterledger demo');
  });

  it('who may not is told so, and what names no cluster is refused', async () => {
    const store = await empty();
    const error = await errorOf(another('nobody').read(key));
    expect([error.code, error.retryable]).to.deep.equal(['forbidden', false]);
    expect(await codeOf(store.compareAndSwap('nowhere/demo', 0, ledgerOf('a')))).to.equal('not_found');
    for (const wrong of ['demo', 'a/b/c', '/demo', 'a/']) expect(await codeOf(store.read(wrong))).to.equal('invalid');
  });
});

describe('the store in Kubernetes, when the API server is away', () => {
  let api: ApiServer;
  const connections: KubernetesApi[] = [];
  useBinaries(async (binaries) => {
    api = await startApiServer(binaries);
  });
  after(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await (api as ApiServer | undefined)?.stop();
  });

  function open(deadlineMs: number): KubernetesStore {
    const connection = connect(api.config(), clock, deadlineMs);
    connections.push(connection);
    return new KubernetesStore(connection);
  }

  it('says so where the definitions are not installed: that is not "no ledger"', async () => {
    const error = await errorOf(open(5_000).read(key));
    expect([error.code, error.retryable]).to.deep.equal(['unsupported', false]);
    expect(error.advice.join(' ')).to.include('kubectl apply -f deploy/crds/');
  });

  it('every call ends at its deadline, as unavailable, and works again afterwards', async () => {
    await installDefinitions(caller(api));
    // The first write to a new kind takes the server seconds.
    await open(20_000).compareAndSwap(key, 0, ledgerOf('a'));
    const store = open(1_000);
    await store.read(key);
    process.kill(api.pids.apiServer, 'SIGSTOP');
    try {
      for (const work of [store.read(key), store.list(), store.compareAndSwap(key, 1, ledgerOf('b'))]) {
        const since = clock.monotonicMs();
        const error = await errorOf(work);
        expect([error.code, error.retryable]).to.deep.equal(['unavailable', true]);
        expect(error.message).to.include('has not answered within 1000 ms');
        expect(clock.monotonicMs() - since).to.be.below(3_000);
      }
    } finally {
      process.kill(api.pids.apiServer, 'SIGCONT');
    }
    // The write that was not answered may have been done: whoever tries again finds out, and never writes twice.
    const patient = open(20_000);
    const row = await patient.read(key);
    expect(row?.revision).to.be.oneOf([1, 2]);
    expect(await patient.compareAndSwap(key, row!.revision, ledgerOf('c'))).to.include({ revision: row!.revision + 1 });
  });

  it('is unavailable where nobody listens', async () => {
    const store = open(5_000);
    process.kill(api.pids.apiServer, 'SIGKILL');
    const error = await errorOf(store.read(key));
    expect([error.code, error.retryable]).to.deep.equal(['unavailable', true]);
  });
});
