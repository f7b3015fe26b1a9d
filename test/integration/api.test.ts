/** What people ask of the server: pages, refusals by name with advice, watchers that do not read, one server a directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import {
  NavigatorServiceClient,
  type ListClustersResponse,
  type ListMembersResponse,
  type WatchEventsResponse,
} from '../../proto/navigator/v1/navigator.ts';
import { connectClient } from '../../server/cli/client.ts';
import { startEmbedded, type EmbeddedOptions } from '../../server/embedded.ts';
import { parseManifest, type ManifestError } from '../../server/manifest/parse.ts';
import { readErrorDetail, ERROR_DETAIL_TRAILER } from '../../server/rpc/error-detail.ts';
import { systemClock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { demo, log, Scene } from './scene.ts';

type Back<A> = (error: ServiceError | null, answer: A) => void;

const where = { cluster: 'demo', namespace: '' };
const nowhere = { cluster: 'nothing', namespace: '' };
const paging = { pageSize: 0, pageToken: '' };
const ruling = { ...where, permit: 'leave-x', who: 'ada', why: 'a test' };

/** The answer, or a rejection with what the server says. */
function answer<A>(run: (back: Back<A>) => unknown): Promise<A> {
  return new Promise((done, fail) => run((error, found) => (error ? fail(error) : done(found))));
}

async function refusal<A>(
  run: (back: Back<A>) => unknown,
): Promise<{ code: string; details: string; advice: readonly string[] }> {
  const error = await answer(run).then(
    () => undefined,
    (thrown: unknown) => thrown as ServiceError,
  );
  if (error === undefined) throw new Error('it was not refused');
  const more = readErrorDetail(error.metadata.get(ERROR_DETAIL_TRAILER)[0]) as
    { advice?: readonly string[] } | undefined;
  return { code: status[error.code], details: error.details, advice: more?.advice ?? [] };
}

describe('what people ask of the server', function () {
  this.timeout(60_000);
  let scene: Scene;
  let client: NavigatorServiceClient;
  before(async () => {
    scene = await Scene.ready();
    client = scene.client;
    for (const name of ['alpha', 'beta']) {
      await scene.apply(clusterSpec([pool('node', 1)], { id: { namespace: 'other', name }, paused: true }));
    }
  });
  after(() => scene.close());

  it('lists clusters page by page, each once, in order', async () => {
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await answer<ListClustersResponse>((back) => client.listClusters({ pageSize: 1, pageToken }, back));
      expect(page.clusters).to.have.lengthOf(1);
      seen.push(...page.clusters.map(({ namespace, name }) => `${namespace}/${name}`));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).to.deep.equal(['default/demo', 'other/alpha', 'other/beta']);
  });

  it('lists members page by page', async () => {
    const first = await answer<ListMembersResponse>((back) =>
      client.listMembers({ ...where, pageSize: 2, pageToken: '' }, back),
    );
    expect(first.members.map(({ name }) => name)).to.deep.equal(['demo-node-0', 'demo-node-1']);
    const { nextPageToken: pageToken } = first;
    const second = await answer<ListMembersResponse>((back) =>
      client.listMembers({ ...where, pageSize: 2, pageToken }, back),
    );
    expect(second.members.map(({ name }) => name)).to.deep.equal(['demo-node-2']);
    expect(second.nextPageToken).to.equal('');
  });

  it('takes a page size above the most as the most', async () => {
    const page = await answer<{ clusters: unknown[] }>((back) =>
      client.listClusters({ pageSize: 2 ** 31 - 1, pageToken: '' }, back),
    );
    expect(page.clusters).to.have.lengthOf(3);
  });

  const bad = [
    { pageSize: -1, pageToken: '' },
    { pageSize: 0, pageToken: 'nonsense' },
  ];
  for (const page of bad) {
    it(`refuses the page ${JSON.stringify(page)} of every list with INVALID_ARGUMENT`, async () => {
      const lists = [
        await refusal((back) => client.listClusters(page, back)),
        await refusal((back) => client.listMembers({ ...where, ...page }, back)),
        await refusal((back) => client.listPermits({ ...where, ...page, all: true }, back)),
      ];
      for (const { code, details } of lists) {
        expect(code).to.equal('INVALID_ARGUMENT');
        expect(details).to.contain(page.pageSize < 0 ? 'page_size' : 'page_token');
      }
    });
  }

  const calls: Readonly<Record<string, (id: typeof where, back: Back<unknown>) => unknown>> = {
    GetCluster: (id, back) => client.getCluster(id, back),
    ListMembers: (id, back) => client.listMembers({ ...id, ...paging }, back),
    GetLeader: (id, back) => client.getLeader(id, back),
    ListPermits: (id, back) => client.listPermits({ ...id, ...paging, all: false }, back),
    Why: (id, back) => client.why({ ...id, member: '' }, back),
    DeleteCluster: (id, back) => client.deleteCluster(id, back),
    Pause: (id, back) => client.pause(id, back),
    Resume: (id, back) => client.resume(id, back),
    ApprovePermit: (id, back) => client.approvePermit({ ...ruling, ...id, holds: [] }, back),
    DenyPermit: (id, back) => client.denyPermit({ ...ruling, ...id }, back),
    RevokePermit: (id, back) => client.revokePermit({ ...ruling, ...id }, back),
    StepDown: (id, back) => client.stepDown(id, back),
  };
  for (const [name, call] of Object.entries(calls)) {
    it(`${name} of a cluster that is not there says NOT_FOUND, and which ones are`, async () => {
      const { code, details, advice } = await refusal((back) => call(nowhere, back));
      expect(code).to.equal('NOT_FOUND');
      expect(details).to.contain('default/nothing');
      expect(advice.join()).to.contain('default/demo').and.to.contain('other/alpha');
    });

    it(`${name} of no cluster says INVALID_ARGUMENT`, async () => {
      const { code, details } = await refusal((back) => call({ cluster: '', namespace: '' }, back));
      expect(code).to.equal('INVALID_ARGUMENT');
      expect(details).to.contain('cluster');
    });
  }

  it('Why of a member that is not there says NOT_FOUND, and which ones are', async () => {
    const { code, advice } = await refusal((back) => client.why({ ...where, member: 'nobody' }, back));
    expect(code).to.equal('NOT_FOUND');
    expect(advice.join()).to.contain('demo-node-0');
  });

  const rulings = {
    ApprovePermit: (change: object, back: Back<unknown>) =>
      client.approvePermit({ ...ruling, holds: [], ...change }, back),
    DenyPermit: (change: object, back: Back<unknown>) => client.denyPermit({ ...ruling, ...change }, back),
    RevokePermit: (change: object, back: Back<unknown>) => client.revokePermit({ ...ruling, ...change }, back),
  };
  for (const [name, call] of Object.entries(rulings)) {
    it(`${name} needs a permit that is there, a person and a reason`, async () => {
      const unknown = await refusal((back) => call({}, back));
      expect(unknown.code).to.equal('NOT_FOUND');
      expect(unknown.advice).to.not.be.empty;
      for (const field of ['who', 'why']) {
        const { code, details } = await refusal((back) => call({ [field]: '' }, back));
        expect(code).to.equal('INVALID_ARGUMENT');
        expect(details).to.contain(field);
      }
    });
  }

  it('tells an error that nobody foresaw as INTERNAL, and without its text', async () => {
    const { loop } = scene;
    const list = loop.list.bind(loop);
    loop.list = () => {
      throw new Error('the text of a library');
    };
    try {
      const { code, details } = await refusal<ListClustersResponse>((back) => client.listClusters(paging, back));
      expect([code, details]).to.deep.equal(['INTERNAL', 'internal error; the server has logged it']);
    } finally {
      loop.list = list;
    }
  });

  it('refuses a manifest that is none with INVALID_ARGUMENT', async () => {
    for (const manifest of ['', 'nonsense', '{', 'kind: Pod', '\u0000']) {
      const { code } = await refusal((back) => client.applyCluster({ manifest }, back));
      expect(code, JSON.stringify(manifest)).to.equal('INVALID_ARGUMENT');
    }
  });
});

describe('those who watch', function () {
  this.timeout(60_000);
  let scene: Scene;
  const clients: NavigatorServiceClient[] = [];
  beforeEach(async () => {
    scene = await Scene.ready(demo(1));
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await scene.close();
  });

  interface Watcher {
    readonly stream: ClientReadableStream<WatchEventsResponse>;
    code: string | undefined;
    heard: number;
  }

  function connect(): NavigatorServiceClient {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    const client = new NavigatorServiceClient(scene.target, credentials.createInsecure(), options);
    clients.push(client);
    return client;
  }

  function watch(client: NavigatorServiceClient, reads = true): Watcher {
    const stream = client.watchEvents({ cluster: '', namespace: '' });
    const watcher: Watcher = { stream, code: undefined, heard: 0 };
    stream.on('error', () => undefined);
    stream.on('status', ({ code }) => (watcher.code = status[code]));
    if (reads) stream.on('data', () => watcher.heard++);
    else stream.on('readable', () => undefined);
    return watcher;
  }

  const publish = (message = 'hello'): void =>
    scene.events.publish({ at: 0, cluster: 'default/demo', member: '', kind: 'changed', message });

  it('are told of what happens', async () => {
    const watcher = watch(connect());
    await scene.until('an event', () => {
      publish();
      return watcher.heard > 0;
    });
  });

  it('are ended with RESOURCE_EXHAUSTED when they do not read, and nobody else is', async () => {
    const slow = watch(connect(), false);
    const quick = watch(connect());
    const text = 'x'.repeat(10_000);
    await scene.until('the one that reads to hear', () => {
      publish();
      return quick.heard > 0;
    });
    for (let round = 0; round < 40; round++) {
      const heard = quick.heard;
      for (let count = 0; count < 20; count++) publish(text);
      await scene.until('the one that reads', () => quick.heard >= heard + 20);
    }
    slow.stream.removeAllListeners('readable');
    slow.stream.on('data', () => slow.heard++);
    slow.stream.resume();
    await scene.until('the end of the one that does not', () => slow.code !== undefined);
    expect(slow.code).to.equal('RESOURCE_EXHAUSTED');
    expect(quick.code).to.equal(undefined);
    expect(scene.pilot('demo-node-0').welcomes).to.equal(1);
  });

  it('are a hundred at most, and make room when they go', async () => {
    const [one, two] = [connect(), connect()];
    const watchers = Array.from({ length: 100 }, (_, index) => watch(index < 60 ? one : two));
    await scene.until('all to hear', () => {
      publish();
      return watchers.every(({ heard }) => heard > 0);
    });
    const surplus = watch(two);
    await scene.until('the refusal', () => surplus.code);
    expect(surplus.code).to.equal('RESOURCE_EXHAUSTED');
    watchers[0]?.stream.cancel();
    await scene.until('room for another', () => {
      const late = watch(two);
      publish();
      return scene
        .until('an answer', () => {
          publish();
          return late.code ?? (late.heard > 0 && 'heard');
        })
        .then((outcome) => outcome === 'heard');
    });
  });
});

describe('a manifest that is wrong in dozens of places', () => {
  it('is refused with every problem at once, over the wire, too', async () => {
    const scene = await new Scene().serve();
    const client = connectClient({ socket: scene.socket }, systemClock());
    try {
      const manifest = badManifest();
      const { problems } = (await refusedOf(() => client.apply(manifest))) as ManifestError;
      const all = (await refusedOf(() => parseManifest(manifest))) as ManifestError;
      expect(all.problems.length).to.be.greaterThan(45);
      expect(problems).to.deep.equal(all.problems);
      expect(scene.loop.list()).to.deep.equal([]);
    } finally {
      client.close();
      await scene.close();
    }
  });
});

/** Fifteen pools that are wrong in three ways each, and a spec that is wrong besides. */
function badManifest(): string {
  const nodePools = Array.from({ length: 15 }, (_, at) => ({ name: `Pool ${at}`, replicas: -at - 1, roles: [] }));
  const kind = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'ElasticsearchCluster' };
  const spec = { version: '5.6', updateStrategy: { maxUnavailable: 0 }, nodePools };
  return JSON.stringify({ ...kind, metadata: { name: 'Bad' }, spec });
}

async function refusedOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('it was not refused');
}

describe('a state directory', () => {
  it('has one server: a second one is refused, and can start when the first is gone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nav-'));
    const options: EmbeddedOptions = {
      stateDirectory: join(directory, 'state'),
      socket: join(directory, 'one'),
      cacheDirectory: join(directory, 'cache'),
      env: {},
      logLevel: 'silent',
      clock: systemClock(),
      log,
    };
    const first = await startEmbedded(options);
    const second = { ...options, socket: join(directory, 'two') };
    const refused = await startEmbedded(second).then(() => undefined, NavigatorError.from);
    expect(refused?.code).to.equal('already_exists');
    expect(refused?.message).to.contain(options.stateDirectory);
    expect(refused?.advice).to.not.be.empty;
    await first.close();
    await (await startEmbedded(second)).close();
    rmSync(directory, { recursive: true, force: true });
  });
});
