/** The server's door over TLS: pilots come in, those who mean no good do not, and nobody else is disturbed by them. */
import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { dialer, Session } from '../../pilot/session.ts';
import type { KeyedCertificate } from '../../server/kubernetes/x509.ts';
import { systemClock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { systemRandom } from '../../shared/random.ts';
import { authority, certificateOf, trusting } from '../support/certificates.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { hello, Hostile } from './hostile.ts';
import { log, Scene } from './scene.ts';

const played = 'demo-node-2';
const others = ['demo-node-0', 'demo-node-1'];

describe('over TLS', function () {
  this.timeout(120_000);
  let scene: Scene;
  let ca: KeyedCertificate;
  let trust: ChannelCredentials;
  const open: (Hostile | Socket)[] = [];

  before(async () => {
    ca = await authority();
    trust = trusting(ca);
    scene = new Scene({}, { tls: await certificateOf(ca), ca: () => Buffer.from(ca.certificate) });
    scene.runtime.played.add(played);
    await scene.serve();
    await scene.apply(clusterSpec([pool('node', 3)]));
    await scene.until('two members to serve', () => {
      const members = scene.cluster.snapshot?.observed.members;
      return others.every((name) => members?.get(name)?.node?.joined);
    });
  });
  after(() => scene.close());
  afterEach(async () => {
    for (const one of open.splice(0)) {
      if (one instanceof Hostile) one.close();
      else one.destroy();
    }
    await scene.until('its seat to be empty', () => seat()?.connected !== true);
    for (const name of others) expect(scene.pilot(name).connected, name).to.equal(true);
    expect(others.map((name) => scene.pilot(name).welcomes)).to.deep.equal([1, 1]);
  });

  const seat = (): { readonly connected: boolean } | undefined => scene.cluster.snapshot?.observed.members.get(played);
  const tokenOf = (member: string, cluster = 'default/demo'): string => scene.tokens.tokenFor({ cluster, member });

  function dial(token: string | undefined, secured = trust): Hostile {
    const hostile = new Hostile(scene.target, token, secured);
    open.push(hostile);
    return hostile.read();
  }

  function plain(): Socket {
    const socket = connectPlain(scene.port, '127.0.0.1');
    socket.on('error', () => undefined);
    open.push(socket);
    return socket;
  }

  async function handshake(options: object = {}): Promise<TLSSocket> {
    const socket = connectTls({
      port: scene.port,
      host: 'localhost',
      ca: ca.certificate,
      ALPNProtocols: ['h2'],
      ...options,
    });
    open.push(socket);
    await once(socket, 'secureConnect');
    return socket.on('error', () => undefined);
  }

  it('a pilot with the token of its member is welcomed', async () => {
    const pilot = dial(tokenOf(played)).send(hello(played));
    await scene.until('its welcome', () => pilot.heard > 0);
  });

  it('a pilot that trusts another CA says nothing to the server', async () => {
    const { code, details } = await dial(tokenOf(played), trusting(await authority('another'))).send(hello(played))
      .ended;
    expect([code, details]).to.deep.equal(['UNAVAILABLE', details]);
    expect(details).to.match(/certificate|self-signed/);
  });

  it('a pilot without TLS gets no answer', async () => {
    const { code } = await dial(tokenOf(played), credentials.createInsecure()).send(hello(played)).ended;
    expect(code).to.equal('UNAVAILABLE');
  });

  it('a pilot reads its token and its CA anew at each dial, and tries again while they cannot be read', async () => {
    const papers = { token: ['nonsense', undefined, tokenOf(played)], ca: [ca.certificate] as (string | undefined)[] };
    papers.ca.push(undefined, (await authority('another')).certificate, ca.certificate);
    const read = (from: (string | undefined)[]): string => {
      const text = from.length > 1 ? from.shift() : from[0];
      if (text === undefined) throw new Error('there is no such file');
      return text;
    };
    const greeting = { namespace: 'default', cluster: 'demo', member: played, incarnation: 'i', application: 'x' };
    const hello = { ...greeting, pilotVersion: '0', highestTerm: 0, highestRevision: 0, permits: [] };
    const dial = dialer(scene.target, { token: () => read(papers.token), ca: () => Buffer.from(read(papers.ca)) });
    const ports = { clock: systemClock(), random: { ...systemRandom, fraction: () => 0 }, log, dial };
    const options = { hello: () => hello, onMessage: () => undefined, onChange: () => undefined };
    const session = new Session(options, ports);
    session.open();
    await scene.until('its welcome', () => session.connected);
    expect([papers.token.length, papers.ca.length]).to.deep.equal([1, 1]);
    await session.close();
  });

  const strangers: readonly (readonly [string, () => string | undefined, string, string])[] = [
    ['no token', () => undefined, 'UNAUTHENTICATED', 'no_token'],
    ['a token that is none', () => 'nonsense', 'UNAUTHENTICATED', 'unknown_token'],
    ['the token of another member', () => tokenOf('demo-node-0'), 'PERMISSION_DENIED', 'other_member'],
    ['the token of another cluster', () => tokenOf(played, 'default/other'), 'PERMISSION_DENIED', 'other_cluster'],
    ['the token of another namespace', () => tokenOf(played, 'other/demo'), 'PERMISSION_DENIED', 'other_cluster'],
  ];
  for (const [what, token, code, reason] of strangers) {
    it(`a pilot with ${what} is refused with ${code}, and counted`, async () => {
      const count = (): number => scene.refusals.counts().find((one) => one.reason === reason)?.count ?? 0;
      const before = count();
      expect((await dial(token()).send(hello(played)).ended).code).to.equal(code);
      expect(count()).to.equal(before + 1);
    });
  }

  it('a client that speaks TLS 1.2 alone is refused', async () => {
    const error: unknown = await handshake({ maxVersion: 'TLSv1.2' }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/protocol version/);
  });

  it('new certificates are seen by new connections, and the old ones go on', async () => {
    const next = await authority('the next one');
    const old = await certificateOf(ca);
    scene.tls.replaceCredentials(await certificateOf(next));
    try {
      const pilot = dial(tokenOf(played), trusting(next)).send(hello(played));
      await scene.until('its welcome', () => pilot.heard > 0);
      expect((await dial(tokenOf(played)).send(hello(played)).ended).code).to.equal('UNAVAILABLE');
    } finally {
      scene.tls.replaceCredentials(old);
    }
  });

  it('certificates that do not fit together are refused, and those before them stay', async () => {
    const [one, other] = [await certificateOf(ca), await certificateOf(ca)];
    for (const wrong of [
      { ...one, key: other.key },
      { ...one, certificate: 'nonsense' },
      { ...one, key: '' },
    ]) {
      expect(() => scene.tls.replaceCredentials(wrong)).to.throw(NavigatorError, 'cannot be used');
    }
    const pilot = dial(tokenOf(played)).send(hello(played));
    await scene.until('its welcome', () => pilot.heard > 0);
  });

  it('garbage before, in and after a handshake ends its own connection alone', async () => {
    const ends = [plain(), plain(), await handshake(), await handshake({ ALPNProtocols: [] })];
    const garbage = [
      '\x00'.repeat(100),
      'GET / HTTP/1.1\r\n\r\n',
      'PRI * HTTP/9.0\r\n\r\n'.repeat(10),
      'GET / HTTP/1.1\r\n\r\n',
    ];
    const ended = ends.map((socket) => once(socket.resume(), 'close'));
    for (const [at, socket] of ends.entries()) socket.write(garbage[at]!);
    await Promise.all(ended);
  });

  it('a thousand connections that never begin a handshake keep nobody out', async () => {
    const silent = Array.from({ length: 1_000 }, plain);
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    const pilot = dial(tokenOf(played)).send(hello(played));
    await scene.until('its welcome', () => pilot.heard > 0);
    expect(silent.every((socket) => !socket.destroyed)).to.equal(true);
  });
});
