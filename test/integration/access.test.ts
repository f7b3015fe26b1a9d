/** What people may ask of a server that knows them: each call by its verb, and no word about what they may not see. */
import { credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import { NavigatorServiceClient, NavigatorServiceService, type Cluster } from '../../proto/navigator/v1/navigator.ts';
import {
  refusal,
  type Access,
  type AccessScope,
  type AccessVerb,
  type Caller,
  type Refusal,
} from '../../server/rpc/access.ts';
import { ERROR_DETAIL_TRAILER, readErrorDetail } from '../../server/rpc/error-detail.ts';
import { verbs, type Method } from '../../server/rpc/guard.ts';
import { KnownPeople } from '../../server/rpc/known-people.ts';
import { createLogger } from '../../shared/log.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { demo, Scene } from './scene.ts';

const allVerbs: readonly AccessVerb[] = ['get', 'list', 'create', 'update', 'delete'];

/** Rights as a test writes them: `get default/demo`, `list other/`, `list /`. The token is the name. */
class FakePeople implements Access {
  readonly rights = new Map<string, readonly string[]>();
  asked = 0;
  away = false;

  async callerOf(token: string): Promise<Caller | Refusal> {
    this.#answer();
    if (token === '') return refusal('no_token', 'the call bears no token');
    return this.rights.has(token) ? { who: `user:${token}` } : refusal('unknown_token', 'unknown');
  }

  async may({ who = '' }: Caller, verb: AccessVerb, { namespace, name }: AccessScope): Promise<boolean> {
    this.#answer();
    return this.rights.get(who.slice('user:'.length))?.includes(`${verb} ${namespace}/${name}`) === true;
  }

  #answer(): void {
    this.asked++;
    if (this.away) throw new NavigatorError('unavailable', 'the API server is away');
  }
}

const manifest = (name: string): string =>
  JSON.stringify({
    apiVersion: 'navigator.jetstack.io/v1alpha1',
    kind: 'ElasticsearchCluster',
    metadata: { name },
    spec: { version: '6.8.23', nodePools: [{ name: 'node', replicas: 1, roles: ['master', 'data', 'ingest'] }] },
  });

interface Outcome {
  readonly code: string;
  readonly details: string;
  readonly advice: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look at whatever came
  readonly answer: any;
}

describe('access', function () {
  this.timeout(60_000);
  const people = new FakePeople();
  let scene: Scene;
  let lines: string;

  before(async () => {
    lines = '';
    const log = createLogger('test', 'silent');
    const keep = (fields: object, message: string): void => void (lines += `${JSON.stringify(fields)} ${message}\n`);
    Object.assign(log, { warn: keep, info: keep });
    scene = await Scene.ready(demo(1), new Scene({}, { access: people, log }));
    for (const name of ['alpha', 'beta']) {
      await scene.apply(clusterSpec([pool('node', 1)], { id: { namespace: 'other', name }, paused: true }));
    }
  });
  after(() => scene.close());
  beforeEach(() => people.rights.clear());

  function metadata(token: string | undefined): Metadata {
    const made = new Metadata();
    if (token !== undefined) made.set('authorization', `Bearer ${token}`);
    return made;
  }

  type Call = (
    request: object,
    metadata: Metadata,
    back: (error: ServiceError | null, answer: unknown) => void,
  ) => void;

  function ask(token: string | undefined, method: Method, request: object, of = scene): Promise<Outcome> {
    const { client } = of;
    return new Promise((done) => {
      const call = (client[method] as unknown as Call).bind(client);
      call(request, metadata(token), (error, answer) => {
        const [bytes] = error?.metadata.get(ERROR_DETAIL_TRAILER) ?? [];
        done({
          code: error ? status[error.code] : 'OK',
          details: error?.details ?? '',
          advice: JSON.stringify(readErrorDetail(bytes)?.advice),
          answer,
        });
      });
    });
  }

  const where = { cluster: 'demo', namespace: 'default' };
  const ruling = { ...where, permit: 'x', who: 'root', why: 'a test', holds: [] };
  const paging = { pageSize: 0, pageToken: '' };
  const requests: Readonly<Record<Exclude<Method, 'listClusters' | 'watchEvents'>, object>> = {
    getCluster: where,
    listMembers: { ...where, ...paging },
    getLeader: where,
    listPermits: { ...where, ...paging, all: true },
    why: { ...where, member: '' },
    applyCluster: { manifest: manifest('demo') },
    deleteCluster: { cluster: 'demo', namespace: 'default' },
    pause: where,
    resume: where,
    approvePermit: ruling,
    denyPermit: ruling,
    revokePermit: ruling,
    stepDown: where,
  };

  it('every method of the service has its verb', () => {
    expect(Object.keys(verbs)).to.have.members(Object.keys(NavigatorServiceService));
    const reading = ['getCluster', 'listMembers', 'getLeader', 'listPermits', 'why', 'watchEvents', 'listClusters'];
    for (const [method, verb] of Object.entries(verbs)) {
      if (reading.includes(method)) expect(verb, method).to.be.oneOf(['get', 'list']);
      else expect(verb, method).to.be.oneOf(['update', 'delete', 'create or update']);
    }
  });

  for (const [method, request] of Object.entries(requests) as [Method, object][]) {
    const verb = verbs[method] === 'create or update' ? 'update' : verbs[method];

    it(`${method} is for who may ${verb} that cluster, and nobody else`, async () => {
      people.rights.set('ada', [
        ...allVerbs.filter((other) => other !== verb).map((other) => `${other} default/demo`),
        `${verb} other/demo`,
        `${verb} default/other`,
      ]);
      const wanted = (): object => {
        const { spec, generation, paused, deleting } = scene.ledger;
        return { spec, generation, paused, deleting };
      };
      const before = wanted();
      const refused = await ask('ada', method, request);
      expect(refused.code).to.equal('PERMISSION_DENIED');
      expect(refused.details).to.contain(`user:ada may not ${verb} the elasticsearch cluster default/demo`);
      expect((await ask(undefined, method, request)).code).to.equal('UNAUTHENTICATED');
      expect((await ask('eve', method, request)).code).to.equal('UNAUTHENTICATED');
      expect(wanted()).to.deep.equal(before);
      // What is allowed is tried on another cluster, and this one stays as it is.
      const elsewhere = method === 'applyCluster' ? request : { ...request, cluster: 'nowhere' };
      people.rights.set('ada', [`${verb} default/nowhere`, `${verb} default/demo`]);
      const allowed = await ask('ada', method, elsewhere);
      expect(allowed.code, allowed.details).to.equal(method === 'applyCluster' ? 'OK' : 'NOT_FOUND');
    });
  }

  it('a cluster that is not there is made by who may create it', async () => {
    const request = { manifest: manifest('fresh') };
    people.rights.set('ada', ['update default/fresh']);
    expect((await ask('ada', 'applyCluster', request)).details).to.contain('may not create');
    people.rights.set('ada', ['create default/fresh']);
    expect((await ask('ada', 'applyCluster', request)).code).to.equal('OK');
    expect((await ask('ada', 'applyCluster', request)).details).to.contain('may not update');
  });

  it('who may not see a cluster is not told whether it is there, nor which others are', async () => {
    people.rights.set('ada', ['get default/nowhere']);
    const [there, not] = [
      await ask('ada', 'getCluster', where),
      await ask('ada', 'getCluster', { ...where, cluster: 'x' }),
    ];
    expect([there.code, not.code]).to.deep.equal(['PERMISSION_DENIED', 'PERMISSION_DENIED']);
    expect(there.details.replace('demo', 'x')).to.equal(not.details);
    const missing = await ask('ada', 'getCluster', { ...where, cluster: 'nowhere' });
    expect(missing.code).to.equal('NOT_FOUND');
    expect(missing.advice).to.not.contain('other/alpha');
    people.rights.set('ada', ['get default/nowhere', 'list /']);
    expect((await ask('ada', 'getCluster', { ...where, cluster: 'nowhere' })).advice).to.contain('other/alpha');
  });

  it('lists hold the clusters of those namespaces alone that the caller may list', async () => {
    const list = async (): Promise<readonly string[]> => {
      const { code, answer } = await ask('ada', 'listClusters', { pageSize: 0, pageToken: '' });
      expect(code).to.equal('OK');
      return (answer.clusters as readonly Cluster[]).map(({ namespace, name }) => `${namespace}/${name}`);
    };
    people.rights.set('ada', ['get other/alpha', 'list other/alpha']);
    expect(await list()).to.deep.equal([]);
    people.rights.set('ada', ['list other/']);
    expect(await list()).to.deep.equal(['other/alpha', 'other/beta']);
    people.rights.set('ada', ['list /']);
    expect(await list()).to.include.members(['default/demo', 'other/alpha', 'other/beta']);
    expect((await ask(undefined, 'listClusters', paging)).code).to.equal('UNAUTHENTICATED');
  });

  interface Watcher {
    readonly heard: string[];
    code: string | undefined;
    readonly close: () => void;
  }

  function watch(token: string | undefined, request: object): Watcher {
    const client = new NavigatorServiceClient(scene.target, credentials.createInsecure());
    const stream = client.watchEvents({ cluster: '', namespace: '', ...request }, metadata(token));
    const watcher: Watcher = { heard: [], code: undefined, close: () => (stream.cancel(), client.close()) };
    stream.on('data', ({ event }: { event: { cluster: string } }) => watcher.heard.push(event.cluster));
    stream.on('error', () => undefined);
    stream.on('status', ({ code }) => (watcher.code = status[code]));
    return watcher;
  }

  const publish = (cluster: string): void =>
    scene.events.publish({ at: 0, cluster, member: '', kind: 'changed', message: 'x' });

  it('events are of the clusters alone that the caller may list, as long as that is so', async () => {
    people.rights.set('ada', ['list other/']);
    const watcher = watch('ada', {});
    await scene.until('events', () => {
      publish('default/demo');
      publish('other/alpha');
      return watcher.heard.length > 2;
    });
    expect(new Set(watcher.heard)).to.deep.equal(new Set(['other/alpha']));
    people.rights.delete('ada');
    await scene.until('its end', () => {
      publish('other/alpha');
      return watcher.code;
    });
    expect(watcher.code).to.equal('UNAUTHENTICATED');
    watcher.close();
  });

  it('events of one cluster are for who may get it, as long as that is so', async () => {
    people.rights.set('ada', ['list default/', 'get default/other']);
    const refused = watch('ada', where);
    await scene.until('the refusal', () => refused.code);
    expect(refused.code).to.equal('PERMISSION_DENIED');
    people.rights.set('ada', ['get default/demo']);
    const watcher = watch('ada', where);
    await scene.until('an event', () => {
      publish('default/demo');
      publish('other/alpha');
      return watcher.heard.length > 0;
    });
    people.rights.set('ada', []);
    await scene.until('its end', () => {
      publish('default/demo');
      return watcher.code;
    });
    expect(watcher.code).to.equal('PERMISSION_DENIED');
    expect(new Set(watcher.heard)).to.deep.equal(new Set(['default/demo']));
    const nobody = watch(undefined, where);
    await scene.until('the refusal', () => nobody.code);
    expect(nobody.code).to.equal('UNAUTHENTICATED');
    for (const one of [refused, watcher, nobody]) one.close();
  });

  it('a call that cannot be judged is unavailable, and not allowed', async () => {
    people.rights.set('ada', ['get default/demo']);
    people.away = true;
    try {
      expect((await ask('ada', 'getCluster', where)).code).to.equal('UNAVAILABLE');
    } finally {
      people.away = false;
    }
  });

  it('refusals are counted and logged, with who and why, and never with the token', async () => {
    const count = (reason: string): number =>
      scene.refusals.counts().find((one) => one.visitor === 'person' && one.reason === reason)?.count ?? 0;
    const before = ['no_token', 'unknown_token', 'not_allowed'].map(count);
    lines = '';
    people.rights.set('ada', []);
    await ask(undefined, 'pause', where);
    await ask('a-secret-token', 'pause', where);
    await ask('ada', 'pause', where);
    expect(['no_token', 'unknown_token', 'not_allowed'].map(count)).to.deep.equal(before.map((one) => one + 1));
    expect(lines).to.contain('not_allowed').and.contain('user:ada').and.contain('default/demo');
    expect(lines).to.not.contain('a-secret-token');
  });

  it('the ledger records who is known to have ruled, whoever they say that they are', async () => {
    const own = await Scene.ready(demo(3), new Scene({}, { access: people }));
    try {
      people.rights.set('ada', ['update default/demo']);
      own.database.createIndex('songs', 4, 1, 100);
      await own.until(
        'shards everywhere',
        () => own.cluster.snapshot?.observed.members.get('demo-node-2')?.node?.shards,
      );
      own.database.eager = false;
      await own.apply(demo(2));
      const { id } = await own.until('the asking', () => own.permit('demo-node-2', 'queued'));
      for (const method of ['denyPermit', 'approvePermit'] as const) {
        await own.until('the hold', () =>
          own.cluster.snapshot?.plan.holds.some(({ member }) => member === 'demo-node-2'),
        );
        const holds = method === 'approvePermit' ? ['data_node_still_has_shards'] : [];
        const { code, details } = await ask('ada', method, { ...ruling, permit: id, holds }, own);
        expect(code, details).to.equal('OK');
        const ruled = own.ledger.permits.find((one) => one.id === id);
        expect(ruled?.decidedBy, method).to.equal('user:ada');
        expect(JSON.stringify(ruled)).to.not.contain('"root"');
      }
    } finally {
      await own.close();
    }
  });

  it('what is known of people is remembered for ten seconds, and what they may not do for two', async () => {
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs, after: () => ({ cancel: () => undefined }) };
    const known = new KnownPeople(people, clock);
    const scope = { application: 'elasticsearch', namespace: 'default', name: 'demo' };
    people.rights.set('ada', ['get default/demo']);
    const caller = (await known.callerOf('ada')) as Caller;
    expect([await known.may(caller, 'get', scope), await known.may(caller, 'update', scope)]).to.deep.equal([
      true,
      false,
    ]);
    people.rights.set('ada', ['update default/demo']);
    const asked = people.asked;
    nowMs = 1_999;
    expect([await known.may(caller, 'get', scope), await known.may(caller, 'update', scope)]).to.deep.equal([
      true,
      false,
    ]);
    expect(people.asked).to.equal(asked);
    nowMs = 2_000;
    expect([await known.may(caller, 'get', scope), await known.may(caller, 'update', scope)]).to.deep.equal([
      true,
      true,
    ]);
    nowMs = 10_000;
    expect(await known.may(caller, 'get', scope)).to.equal(false);
    const other: Caller = { who: 'user:bob' };
    people.rights.set('bob', []);
    expect(await known.may(other, 'update', scope)).to.equal(false);
  });
});
