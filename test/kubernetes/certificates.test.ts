/** The server's certificates on the real API server: made once by however many servers, renewed, published, or somebody else's. */
import { expect } from 'chai';
import { X509Certificate } from 'node:crypto';
import { connect, type KubernetesApi } from '../../server/kubernetes/api.ts';
import {
  keepCertificates,
  serviceNames,
  type CertificateKeeper,
  type CertificateOptions,
} from '../../server/kubernetes/certificates.ts';
import type { KeyedCertificate } from '../../server/kubernetes/x509.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { createLogger } from '../../shared/log.ts';
import { authority, certificateOf } from '../support/certificates.ts';
import * as accounts from '../support/kubernetes/accounts.ts';
import type { Answer } from '../support/kubernetes/call.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { waitFor } from '../support/wait.ts';

const machine = systemClock(true);
const log = createLogger('test', 'silent');
const dayMs = 24 * 3_600_000;

/** What the server needs: in its own namespace, and in those of clusters. */
const ownRules: readonly accounts.Rule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'patch'] },
];
const clusterRules: readonly accounts.Rule[] = [
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'patch'] },
];

describe('certificates on Kubernetes', function () {
  this.timeout(60_000);
  const kubernetes = useKubernetes();
  const apis: KubernetesApi[] = [];
  const keepers: CertificateKeeper[] = [];
  let token: string;
  let namespace: string;
  let clusters: string[];
  let pushedMs: number;

  const clock: Clock = { ...machine, wallMs: () => machine.wallMs() + pushedMs };

  beforeEach(async () => {
    const { call } = kubernetes();
    pushedMs = 0;
    namespace = await kubernetes().namespace();
    clusters = [await kubernetes().namespace()];
    token = await accounts.makeAccount(call, { namespace, name: 'server' }, ownRules);
    await accounts.makeAccount(call, { namespace, name: 'server-elsewhere' }, []);
    const binding = {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `ca-${namespace}` },
    };
    const subjects = [{ kind: 'ServiceAccount', namespace, name: 'server' }];
    const root = '/apis/rbac.authorization.k8s.io/v1';
    await call('POST', `${root}/clusterroles`, { metadata: { name: `ca-${namespace}` }, rules: clusterRules });
    await call('POST', `${root}/clusterrolebindings`, { metadata: { name: `ca-${namespace}` }, ...binding, subjects });
    await waitFor(
      async () =>
        (
          (await another()
            .call({ method: 'GET', path: `/api/v1/namespaces/${clusters[0]}/configmaps/none` })
            .catch(NavigatorError.from)) as NavigatorError
        ).code === 'not_found',
      'the rights of the server',
    );
  });
  afterEach(async () => {
    for (const keeper of keepers.splice(0)) keeper.close();
    await Promise.all(apis.splice(0).map((api) => api.close()));
  });

  function another(): KubernetesApi {
    const api = connect(kubernetes().api.config({ token }), machine);
    apis.push(api);
    return api;
  }

  async function keep(change: Partial<CertificateOptions> = {}): Promise<CertificateKeeper> {
    const names = serviceNames('navigator', namespace);
    const options = { namespace, names, namespaces: () => clusters, onChange: () => undefined, ...change };
    const keeper = await keepCertificates({ api: another(), clock, log }, options);
    keepers.push(keeper);
    return keeper;
  }

  const secretPath = (): string => `/api/v1/namespaces/${namespace}/secrets`;
  const secret = (): Promise<Answer> => kubernetes().call('GET', `${secretPath()}/navigator-tls`);
  const published = async (where = clusters[0]!): Promise<string> =>
    (await kubernetes().call('GET', `/api/v1/namespaces/${where}/configmaps/navigator-ca`)).body.data?.[
      'ca.crt'
    ] as string;
  const text = ({ body }: Answer, key: string): string => Buffer.from(body.data[key] ?? '', 'base64').toString();

  function expectTrusted({ certificate }: KeyedCertificate, bundle: string): void {
    const leaf = new X509Certificate(certificate);
    const found = bundle.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
    expect(found.some((pem) => leaf.verify(new X509Certificate(pem).publicKey))).to.equal(true);
  }

  it('are made, kept in the Secret, and the CA alone is published where clusters are', async () => {
    const keeper = await keep();
    const kept = await secret();
    expect(kept.body.type).to.equal('kubernetes.io/tls');
    expect([text(kept, 'tls.crt'), text(kept, 'tls.key')]).to.deep.equal([
      keeper.credentials.certificate,
      keeper.credentials.key,
    ]);
    expect(await published()).to.equal(text(kept, 'ca.crt'));
    expectTrusted(keeper.credentials, await published());
    const map = await kubernetes().call('GET', `/api/v1/namespaces/${clusters[0]}/configmaps/navigator-ca`);
    expect(Object.keys(map.body.data as object)).to.deep.equal(['ca.crt']);
    expect(JSON.stringify(map.body)).to.not.contain('PRIVATE');
    expect(new X509Certificate(keeper.credentials.certificate).checkHost(`navigator.${namespace}.svc`)).to.not.equal(
      undefined,
    );
  });

  it('are the same for the next server, which writes nothing', async () => {
    const one = await keep();
    const { resourceVersion } = (await secret()).body.metadata;
    const other = await keep();
    expect(other.credentials).to.deep.equal(one.credentials);
    expect((await secret()).body.metadata.resourceVersion).to.equal(resourceVersion);
  });

  it('of servers that start at once all have the same', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => keep()));
    expect(new Set(all.map(({ credentials }) => credentials.certificate)).size).to.equal(1);
    expect(text(await secret(), 'tls.crt')).to.equal(all[0]!.credentials.certificate);
    pushedMs = 21 * dayMs;
    await Promise.all(all.map((keeper) => keeper.look()));
    expect(new Set(all.map(({ credentials }) => credentials.certificate)).size).to.equal(1);
    expect(text(await secret(), 'tls.crt')).to.equal(all[0]!.credentials.certificate);
  });

  it('are renewed while it runs, and the server is told', async () => {
    const told: KeyedCertificate[] = [];
    const keeper = await keep({ onChange: (credentials) => told.push(credentials) });
    const before = keeper.credentials;
    await keeper.look();
    expect(told).to.deep.equal([]);
    pushedMs = 21 * dayMs;
    await keeper.look();
    expect(told).to.deep.equal([keeper.credentials]);
    expect(keeper.credentials.certificate).to.not.equal(before.certificate);
    expectTrusted(keeper.credentials, await published());
  });

  it('get another CA that is published a day before it signs, and the key of the first one goes', async () => {
    const keeper = await keep();
    const first = await published();
    pushedMs = 731 * dayMs;
    await keeper.look();
    const both = await published();
    expect(both).to.contain(first).and.not.equal(first);
    expectTrusted(keeper.credentials, first);
    pushedMs += dayMs;
    await keeper.look();
    expect(() => expectTrusted(keeper.credentials, first)).to.throw();
    expectTrusted(keeper.credentials, both);
    expect(await published()).to.contain(first);
    expect(text(await secret(), 'ca-next.key')).to.equal('');
  });

  it('a bundle that is deleted or changed by hand comes back, and a new namespace gets it', async () => {
    const keeper = await keep();
    const path = `/api/v1/namespaces/${clusters[0]}/configmaps/navigator-ca`;
    const bundle = await published();
    await kubernetes().call('PATCH', path, { data: { 'ca.crt': 'x' } }, 'application/merge-patch+json');
    await keeper.look();
    expect(await published()).to.equal(bundle);
    await kubernetes().call('DELETE', path);
    await keeper.look();
    expect(await published()).to.equal(bundle);
    const { resourceVersion } = (await kubernetes().call('GET', path)).body.metadata;
    await keeper.look();
    expect((await kubernetes().call('GET', path)).body.metadata.resourceVersion).to.equal(resourceVersion);
    const fresh = await kubernetes().namespace();
    await keeper.publish(fresh);
    expect(await published(fresh)).to.equal(bundle);
    // One that cannot have it keeps it from nobody.
    const last = await kubernetes().namespace();
    clusters.push('not-there', last);
    await keeper.look();
    expect(await published(last)).to.equal(bundle);
    expect(await keeper.publish('not-there').catch(NavigatorError.from)).to.include({ code: 'not_found' });
  });

  it('that somebody else fills in are used, followed, and never touched', async () => {
    const ca = await authority('a company');
    const data = (leaf: KeyedCertificate): object => {
      const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
      return { 'tls.crt': base64(leaf.certificate), 'tls.key': base64(leaf.key), 'ca.crt': base64(ca.certificate) };
    };
    const given = await certificateOf(ca);
    const body = { metadata: { name: 'navigator-tls' }, type: 'kubernetes.io/tls', data: data(given) };
    expect((await kubernetes().call('POST', secretPath(), body)).status).to.equal(201);
    const told: KeyedCertificate[] = [];
    const keeper = await keep({ onChange: (credentials) => told.push(credentials) });
    expect(keeper.credentials).to.deep.equal(given);
    expect(await published()).to.equal(ca.certificate);
    const renewed = await certificateOf(ca);
    await kubernetes().call(
      'PATCH',
      `${secretPath()}/navigator-tls`,
      { data: data(renewed) },
      'application/merge-patch+json',
    );
    const { resourceVersion } = (await secret()).body.metadata;
    await keeper.look();
    expect(told).to.deep.equal([renewed]);
    expect((await secret()).body.metadata.resourceVersion).to.equal(resourceVersion);
    // What cannot be used is told, and what there is goes on.
    await kubernetes().call(
      'PATCH',
      `${secretPath()}/navigator-tls`,
      { data: { 'tls.key': data(given) } },
      'application/merge-patch+json',
    );
    pushedMs = 2 * dayMs;
    const error = await keeper.look().catch(NavigatorError.from);
    expect(error).to.include({ code: 'refused' });
    expect(keeper.credentials).to.deep.equal(renewed);
  });
});
