/** Who somebody is and what they may do, as the real API server says: pilots by the token of their pod, people by RBAC. */
import { expect } from 'chai';
import { generateKeyPairSync } from 'node:crypto';
import { connect, type KubernetesApi } from '../../server/kubernetes/api.ts';
import { KubernetesPeople } from '../../server/kubernetes/people.ts';
import { PodIdentity } from '../../server/kubernetes/token-review.ts';
import { isRefusal, type AccessVerb, type Caller } from '../../server/rpc/access.ts';
import { systemClock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import * as accounts from '../support/kubernetes/accounts.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { waitFor } from '../support/wait.ts';

const clock = systemClock(true);
const nowS = (): number => Math.floor(clock.wallMs() / 1_000);

/** What the server needs, and nothing else. */
const serverRules: readonly accounts.Rule[] = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
];

describe('identity on Kubernetes', function () {
  this.timeout(60_000);
  const kubernetes = useKubernetes();
  const opened: KubernetesApi[] = [];
  let namespace: string;
  let api: KubernetesApi;
  let pod: accounts.PodOf;

  before(async () => {
    const { call } = kubernetes();
    namespace = await kubernetes().namespace();
    const token = await accounts.makeAccount(call, { namespace, name: 'server' }, serverRules, 'everywhere');
    api = open(token);
    pod = await accounts.makePod(call, namespace, 'demo-node-0', 'demo');
    // The API server takes a moment to know of new rights.
    await waitFor(
      async () => !isRefusal(await new PodIdentity(api, clock).holderOf(await good())),
      'the rights of the server',
    );
  });
  after(() => Promise.all(opened.map((one) => one.close())));

  function open(token: string): KubernetesApi {
    const opening = connect(kubernetes().api.config({ token }), clock);
    opened.push(opening);
    return opening;
  }

  const good = (): Promise<string> => accounts.pilotToken(kubernetes().call, pod);
  const holderOf = (token: string): ReturnType<PodIdentity['holderOf']> => new PodIdentity(api, clock).holderOf(token);

  describe('of a pilot', () => {
    it('is the pod that its token is bound to', async () => {
      expect(await holderOf(await good())).to.deep.equal({ cluster: `${namespace}/demo`, member: 'demo-node-0' });
    });

    it('is in its own namespace, whatever the names', async () => {
      const other = await kubernetes().namespace();
      const twin = await accounts.makePod(kubernetes().call, other, 'demo-node-0', 'demo');
      const holder = await holderOf(await accounts.pilotToken(kubernetes().call, twin));
      expect(holder).to.deep.equal({ cluster: `${other}/demo`, member: 'demo-node-0' });
    });

    const otherKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'sec1',
      format: 'pem',
    });
    const forged = async (change: Readonly<Record<string, unknown>>): Promise<string> =>
      accounts.forged(await good(), kubernetes().api.signingKey, change);
    const strangers: readonly (readonly [string, string, () => Promise<string> | string])[] = [
      ['nothing', 'unknown_token', () => ''],
      ['nonsense', 'unknown_token', () => 'a.b.c'],
      ['a token that is too long', 'unknown_token', async () => `${await good()}${'A'.repeat(8_192)}`],
      ['a token of another audience', 'other_audience', () => accounts.pilotToken(kubernetes().call, pod, 'vault')],
      [
        'a token for the API server',
        'other_audience',
        () => accounts.tokenOf(kubernetes().call, { namespace, name: 'pods' }),
      ],
      ['a token that ended an hour ago', 'expired_token', () => forged({ exp: nowS() - 3_600 })],
      // Within what two clocks may differ by, the API server decides.
      ['a token that ended minutes ago', 'expired_token', () => forged({ exp: nowS() - 120 })],
      [
        'a token that somebody else has signed',
        'unknown_token',
        async () => accounts.forged(await good(), otherKey.toString(), {}),
      ],
      [
        'a token that is bound to no pod',
        'no_pod',
        () => accounts.tokenOf(kubernetes().call, { namespace, name: 'pods' }, { audience: 'navigator' }),
      ],
      [
        'the token of a pod that is of no cluster',
        'no_pod',
        async () =>
          accounts.pilotToken(kubernetes().call, await accounts.makePod(kubernetes().call, namespace, 'stranger')),
      ],
    ];
    for (const [what, reason, token] of strangers) {
      it(`is refused for ${what}: ${reason}`, async () => {
        const text = await token();
        const refused = await holderOf(text);
        expect(refused).to.include({ refused: reason });
        if (text !== '') expect(JSON.stringify(refused)).to.not.contain(text);
      });
    }

    it('a token that is made anew by its own key is as good as its own', async () => {
      expect(await holderOf(await forged({ exp: nowS() + 600 }))).to.include({ member: 'demo-node-0' });
    });

    it('ends with the pod, and is not that of the next one of the same name', async () => {
      const { call } = kubernetes();
      const first = await accounts.makePod(call, namespace, 'brief-0', 'brief');
      const token = await accounts.pilotToken(call, first);
      expect(await holderOf(token)).to.include({ member: 'brief-0' });
      await accounts.deletePod(call, first);
      // The API server may remember a token for some seconds; our own look at the pod does not.
      expect(await holderOf(token)).to.have.property('refused');
      await accounts.makePod(call, namespace, 'brief-0', 'brief');
      expect(await holderOf(token)).to.have.property('refused');
    });

    it('cannot be found out by a server that may not ask, which says nothing about the token', async () => {
      const nobody = open(await accounts.makeAccount(kubernetes().call, { namespace, name: 'nobody' }, []));
      const error = await new PodIdentity(nobody, clock).holderOf(await good()).catch(NavigatorError.from);
      expect(error).to.include({ code: 'forbidden' });
      expect(error).to.not.have.property('refused');
    });
  });

  describe('of people', () => {
    const scope = (change = {}): { application: string; namespace: string; name: string } => ({
      application: 'elasticsearch',
      namespace,
      name: 'demo',
      ...change,
    });
    const people = (): KubernetesPeople => new KubernetesPeople(api);

    async function person(name: string, rules: readonly accounts.Rule[], where?: 'everywhere'): Promise<Caller> {
      const token = await accounts.makeAccount(kubernetes().call, { namespace, name }, rules, where);
      const caller = await people().callerOf(token);
      if (isRefusal(caller)) throw new Error(caller.message);
      expect(caller.who).to.equal(`system:serviceaccount:${namespace}:${name}`);
      return caller;
    }

    const all: readonly AccessVerb[] = ['get', 'list', 'create', 'update', 'delete'];
    for (const verb of all) {
      it(`${verb} is allowed to who may ${verb}, in their namespace, and nothing else is`, async () => {
        const caller = await person(`may-${verb}`, accounts.onClusters(verb));
        await waitFor(() => people().may(caller, verb, scope()), 'the right to be known');
        for (const other of all.filter((one) => one !== verb)) {
          expect(await people().may(caller, other, scope()), other).to.equal(false);
        }
        expect(await people().may(caller, verb, scope({ namespace: 'default' }))).to.equal(false);
        expect(await people().may(caller, verb, scope({ namespace: '', name: '' }))).to.equal(false);
        expect(await people().may(caller, verb, scope({ application: 'couchbase' }))).to.equal(false);
      });
    }

    it('a right may name one cluster', async () => {
      const rules = accounts.onClusters('get').map((rule) => ({ ...rule, resourceNames: ['demo'] }));
      const caller = await person('of-demo', rules);
      await waitFor(() => people().may(caller, 'get', scope()), 'the right to be known');
      expect(await people().may(caller, 'get', scope({ name: 'other' }))).to.equal(false);
    });

    it('a right may be of a group', async () => {
      const caller = await person('one-of-many', []);
      const group = { who: 'somebody', groups: ['system:masters'] };
      expect(await people().may(caller, 'delete', scope())).to.equal(false);
      expect(await people().may(group, 'delete', scope())).to.equal(true);
    });

    it('nobody may nothing', async () => {
      expect(await people().may({ who: undefined, groups: ['system:masters'] }, 'get', scope())).to.equal(false);
      expect(await people().may({ who: '', groups: ['system:masters'] }, 'get', scope())).to.equal(false);
    });

    it('the token of a pilot is no token of a person', async () => {
      expect(await people().callerOf(await good())).to.include({ code: 'unauthenticated' });
      expect(await people().callerOf('')).to.include({ refused: 'no_token' });
      expect(await people().callerOf('nonsense')).to.include({ refused: 'unknown_token' });
    });
  });
});
