/** The whole door on the real API server: certificates from the Secret, pilots by their pods, people by RBAC, over TLS. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { connect, type KubernetesApi } from '../../server/kubernetes/api.ts';
import { keepCertificates, serviceNames, type CertificateKeeper } from '../../server/kubernetes/certificates.ts';
import { KubernetesPeople } from '../../server/kubernetes/people.ts';
import { PodIdentity } from '../../server/kubernetes/token-review.ts';
import { KnownPeople } from '../../server/rpc/known-people.ts';
import { KnownPilots } from '../../server/rpc/known-pilots.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { hello, Hostile } from '../integration/hostile.ts';
import { log, Scene } from '../integration/scene.ts';
import { grpcurl, hasGo } from '../support/grpcurl.ts';
import * as accounts from '../support/kubernetes/accounts.ts';
import { navigator } from '../support/kubernetes/person.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { clusterSpec, pool } from '../support/model.ts';

const run = promisify(execFile);
const machine = systemClock(true);
const member = 'demo-node-0';

describe('the door on Kubernetes', function () {
  this.timeout(300_000);
  const kubernetes = useKubernetes();
  const folder = mkdtempSync(join(tmpdir(), 'navigator-door-'));
  const caFile = join(folder, 'ca.crt');
  const open: Hostile[] = [];
  /** The certificates are three weeks old. */
  let pushedMs = -21 * 24 * 3_600_000;
  let namespace: string;
  let other: string;
  let api: KubernetesApi;
  let keeper: CertificateKeeper;
  let scene: Scene;
  let pod: accounts.PodOf;
  let trust: ChannelCredentials;

  before(async () => {
    const clock: Clock = { ...machine, wallMs: () => machine.wallMs() + pushedMs };
    [namespace, other] = [await kubernetes().namespace(), await kubernetes().namespace()];
    api = connect(kubernetes().api.config(), machine);
    const names = serviceNames('navigator', namespace);
    const onChange = (fresh: CertificateKeeper['credentials']): void => scene.tls.replaceCredentials(fresh);
    keeper = await keepCertificates({ api, clock, log }, { namespace, names, namespaces: () => [namespace], onChange });
    const identity = new KnownPilots(new PodIdentity(api, machine), machine);
    const access = new KnownPeople(new KubernetesPeople(api), machine);
    const { body } = await kubernetes().call('GET', `/api/v1/namespaces/${namespace}/configmaps/navigator-ca`);
    writeFileSync(caFile, String(body.data['ca.crt']));
    const ca = (): Buffer => readFileSync(caFile);
    trust = credentials.createSsl(ca());
    scene = new Scene({}, { tls: keeper.credentials, ca, identity, access });
    await scene.serve();
    for (const where of [namespace, other]) {
      for (const ordinal of [0, 1]) scene.runtime.played.add(`demo-node-${ordinal}`);
      await scene.apply(clusterSpec([pool('node', 2)], { id: { namespace: where, name: 'demo' } }));
    }
    pod = await accounts.makePod(kubernetes().call, namespace, member, 'demo');
  });
  after(async () => {
    for (const one of open) one.close();
    await scene.close();
    keeper.close();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function dial(token: string | undefined, who = member): Hostile {
    const pilot = new Hostile(scene.target, token, trust);
    open.push(pilot);
    return pilot.read().send(hello(who, 'demo', 'one', namespace));
  }

  const own = (): Promise<string> => accounts.pilotToken(kubernetes().call, pod);

  it('a pilot comes in with the token of its pod, and the CA of the ConfigMap', async () => {
    const pilot = dial(await own());
    await scene.until('its welcome', () => pilot.heard > 0);
  });

  const twin = async (where: string, name: string): Promise<string> =>
    accounts.pilotToken(kubernetes().call, await accounts.makePod(kubernetes().call, where, name, 'demo'));
  const strangers: readonly (readonly [string, string, string, () => Promise<string | undefined>])[] = [
    ['without a token', 'UNAUTHENTICATED', 'no_token', async () => undefined],
    [
      'with a token for the API server',
      'UNAUTHENTICATED',
      'other_audience',
      () => accounts.tokenOf(kubernetes().call, { namespace, name: 'pods' }),
    ],
    [
      'with a token that has ended',
      'UNAUTHENTICATED',
      'expired_token',
      async () =>
        accounts.forged(await own(), kubernetes().api.signingKey, { exp: Math.floor(machine.wallMs() / 1_000) - 120 }),
    ],
    ['of another pod', 'PERMISSION_DENIED', 'other_member', () => twin(namespace, 'demo-node-1')],
    ['of the pod of that name in another namespace', 'PERMISSION_DENIED', 'other_cluster', () => twin(other, member)],
    [
      'of a pod of another cluster',
      'PERMISSION_DENIED',
      'other_cluster',
      async () =>
        accounts.pilotToken(kubernetes().call, await accounts.makePod(kubernetes().call, namespace, 'else-0', 'else')),
    ],
    [
      'of a pod that is gone',
      'UNAUTHENTICATED',
      'unknown_token',
      async () => {
        const gone = await accounts.makePod(kubernetes().call, namespace, 'gone-0', 'demo');
        const token = await accounts.pilotToken(kubernetes().call, gone);
        await accounts.deletePod(kubernetes().call, gone);
        return token;
      },
    ],
  ];
  for (const [what, code, reason, token] of strangers) {
    it(`a pilot ${what} is refused with ${code}, counted as ${reason}`, async () => {
      const count = (): number =>
        scene.refusals.counts().find((one) => one.visitor === 'pilot' && one.reason === reason)?.count ?? 0;
      const before = count();
      expect((await dial(await token()).ended).code).to.equal(code);
      expect(count()).to.equal(before + 1);
    });
  }

  function fileOf(name: string, token: string): string {
    writeFileSync(join(folder, name), token);
    return join(folder, name);
  }

  describe('for people', () => {
    let reader: string;
    let operator: string;
    let stranger: string;

    before(async () => {
      const { call } = kubernetes();
      const make = (name: string, verbs: readonly string[]): Promise<string> =>
        accounts.makeAccount(call, { namespace, name }, accounts.onClusters(...verbs));
      reader = fileOf('reader', await make('reader', ['get', 'list']));
      operator = fileOf('operator', await make('operator', ['get', 'list', 'update']));
      stranger = fileOf('stranger', await make('stranger', []));
      await scene.until('the rights to be known', async () => {
        const { code, err } = await navigator(`pause demo -n ${namespace}`, at(operator));
        if (code !== 0) throw new Error(err);
        return true;
      });
    });

    const at = (tokenFile: string): Readonly<Record<string, string>> => ({
      NAVIGATOR_SERVER: scene.target,
      NAVIGATOR_CA_FILE: caFile,
      NAVIGATOR_TOKEN_FILE: tokenFile,
    });

    it('navigator shows what they may see, by flags as by the environment', async () => {
      const flags = `--server ${scene.target} --ca-file ${caFile} --token-file ${reader}`;
      for (const ran of [await navigator('get clusters', at(reader)), await navigator(`get clusters ${flags}`, {})]) {
        expect(ran.code, ran.err).to.equal(0);
        expect(ran.out).to.contain(namespace).and.not.contain(other);
      }
      expect((await navigator(`get members demo -n ${namespace}`, at(reader))).out).to.contain(member);
      const elsewhere = await navigator(`get members demo -n ${other}`, at(reader));
      expect([elsewhere.code, elsewhere.err]).to.deep.equal([1, elsewhere.err]);
      expect(elsewhere.err).to.contain(`may not get the elasticsearch cluster ${other}/demo`);
      expect((await navigator('get clusters -o json', at(stranger))).out.trim()).to.equal('[]');
    });

    it('navigator changes what they may change', async () => {
      const refused = await navigator(`resume demo -n ${namespace}`, at(reader));
      expect(refused.code).to.equal(1);
      expect(refused.err).to.contain(`system:serviceaccount:${namespace}:reader may not update`);
      expect((await navigator(`resume demo -n ${namespace}`, at(operator))).code).to.equal(0);
      expect((await navigator(`delete demo -n ${namespace}`, at(operator))).err).to.contain('may not delete');
    });

    const wrong: readonly (readonly [string, () => Readonly<Record<string, string>>, string])[] = [
      ['without a token', () => ({ ...at(reader), NAVIGATOR_TOKEN_FILE: '' }), 'bears no token'],
      ['with a token that is none', () => at(fileOf('nonsense', 'nonsense')), 'does not know this token'],
      ['with a token file that is not there', () => at(join(folder, 'missing')), 'the token cannot be read'],
      [
        'with a CA file that is not there',
        () => ({ ...at(reader), NAVIGATOR_CA_FILE: join(folder, 'missing') }),
        'the CA cannot be read',
      ],
      ['with no CA', () => ({ ...at(reader), NAVIGATOR_CA_FILE: '' }), 'certificate'],
      [
        'where nobody answers',
        () => ({ ...at(reader), NAVIGATOR_SERVER: 'localhost:1' }),
        'no Navigator server answers on localhost:1',
      ],
    ];
    for (const [what, env, says] of wrong) {
      it(`navigator ${what} says what is wrong`, async () => {
        const { code, err } = await navigator('get clusters', env());
        expect(code).to.equal(1);
        expect(err).to.contain(says);
      });
    }

    it('the token of a pilot opens nothing to people', async () => {
      const { code, err } = await navigator('get clusters', at(fileOf('pilot', await own())));
      expect([code, err]).to.deep.equal([1, err]);
      expect(err).to.match(/audience|does not know this token/);
    });

    it('grpcurl is allowed and refused in the same way; what is served, everybody may ask', async function () {
      if (!hasGo()) this.skip();
      const program = await grpcurl();
      const curl = async (tokenFile: string | undefined, ...args: readonly string[]): Promise<string> => {
        const header =
          tokenFile === undefined ? [] : ['-H', `authorization: Bearer ${readFileSync(tokenFile, 'utf8')}`];
        const { stdout, stderr } = await run(program, ['-cacert', caFile, ...header, ...args], {
          timeout: 30_000,
        }).catch((thrown: unknown) => thrown as { stdout: string; stderr: string });
        return stdout + stderr;
      };
      const pause = [
        '-d',
        JSON.stringify({ cluster: 'demo', namespace }),
        scene.target,
        'navigator.v1.NavigatorService/Pause',
      ];
      expect(await curl(operator, ...pause)).to.contain('"paused": true');
      expect(await curl(reader, ...pause))
        .to.contain('PermissionDenied')
        .and.contain('may not update');
      expect(await curl(undefined, ...pause)).to.contain('Unauthenticated');
      expect(await curl(undefined, scene.target, 'list')).to.contain('navigator.v1.NavigatorService');
      expect(await curl(undefined, scene.target, 'grpc.health.v1.Health/Check')).to.contain('SERVING');
    });
  });

  it('a renewed certificate is served at once, and trusted by who has the old bundle', async () => {
    const before = keeper.credentials.certificate;
    pushedMs = 0;
    await keeper.look();
    expect(keeper.credentials.certificate).to.not.equal(before);
    const served = await new Promise<string>((done) => {
      const socket = connectTls(
        { port: scene.port, host: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['h2'] },
        () => {
          done(socket.getPeerX509Certificate()?.toString() ?? '');
          socket.destroy();
        },
      );
    });
    expect(served.trim()).to.equal(keeper.credentials.certificate.trim());
    const pilot = dial(await own());
    await scene.until('its welcome', () => pilot.heard > 0);
  });
});
