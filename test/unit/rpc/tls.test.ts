/** The TLS listener by itself: slow handshakes end, there are only so many connections, and what was begun is not resumed for ever. */
import { once } from 'node:events';
import { connect as connectPlain, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import type { KeyedCertificate } from '../../../server/kubernetes/x509.ts';
import { createTlsListener, type TlsLimits, type TlsListener } from '../../../server/rpc/tls.ts';
import { createLogger } from '../../../shared/log.ts';
import { PushedClock } from '../../fakes/runtime.ts';
import { authority, certificateOf } from '../../support/certificates.ts';
import { waitFor } from '../../support/wait.ts';

const hourMs = 3_600_000;
const log = createLogger('test', 'silent');

describe('the TLS listener', function () {
  this.timeout(30_000);
  let ca: KeyedCertificate;
  let leaf: KeyedCertificate;
  let clock: PushedClock;
  let tls: TlsListener;
  let taken: TLSSocket[];
  const open: Socket[] = [];

  before(async () => {
    ca = await authority();
    leaf = await certificateOf(ca);
  });
  afterEach(() => {
    for (const socket of [...open.splice(0), ...taken]) socket.destroy();
    tls.close();
    clock.stop();
  });

  async function listen(limits: Partial<TlsLimits> = {}): Promise<void> {
    clock = new PushedClock();
    taken = [];
    tls = createTlsListener(
      leaf,
      { clock, log },
      (socket) => void taken.push(socket.on('error', () => undefined)),
      limits,
    );
    tls.listener.listen({ host: '127.0.0.1', port: 0 });
    await once(tls.listener, 'listening');
  }

  const port = (): number => (tls.listener.address() as AddressInfo).port;

  function plain(): Socket {
    const socket = connectPlain(port(), '127.0.0.1').on('error', () => undefined);
    open.push(socket);
    return socket.resume();
  }

  function secure(options: object = {}): TLSSocket {
    const trust = { ca: ca.certificate, host: 'localhost', port: port(), ALPNProtocols: ['h2'] };
    const socket = connectTls({ ...trust, ...options }).on('error', () => undefined);
    open.push(socket);
    return socket;
  }

  it('ends a handshake that does not come to its end, and takes another one meanwhile', async () => {
    await listen({ handshakeWithinMs: 500 });
    const silent = plain();
    const slow = plain();
    // The head of a record that promises more than ever comes.
    slow.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    const ended = [silent, slow].map((socket) => once(socket, 'close'));
    await once(secure(), 'secureConnect');
    await Promise.all(ended);
    expect(taken).to.have.lengthOf(1);
  });

  it('takes only so many connections, and others when those have gone', async () => {
    await listen({ connectionsMax: 2 });
    const [one, two] = [secure(), secure()];
    await Promise.all([once(one, 'secureConnect'), once(two, 'secureConnect')]);
    await once(plain(), 'close');
    one.destroy();
    await once(taken[0]!.resume(), 'close');
    await once(secure(), 'secureConnect');
  });

  async function ticket(): Promise<Buffer> {
    const socket = secure();
    const [session] = (await once(socket, 'session')) as [Buffer];
    return session;
  }

  async function isResumed(session: Buffer): Promise<boolean> {
    const socket = secure({ session });
    await once(socket, 'secureConnect');
    return socket.isSessionReused();
  }

  it('resumes a session until its ticket keys are rotated, every six hours', async () => {
    await listen();
    const session = await ticket();
    clock.push(5 * hourMs);
    expect(await isResumed(session)).to.equal(true);
    clock.push(hourMs);
    // What is due comes in a turn of its own, which a handshake can overtake.
    await waitFor(async () => !(await isResumed(session)), 'the first ticket to be refused');
    const next = await ticket();
    expect(await isResumed(next)).to.equal(true);
    clock.push(6 * hourMs);
    await waitFor(async () => !(await isResumed(next)), 'the second ticket to be refused');
  });

  it('resumes no session that was begun with another certificate', async () => {
    await listen();
    const session = await ticket();
    expect(await isResumed(session)).to.equal(true);
    tls.replaceCredentials(await certificateOf(ca));
    expect(await isResumed(session)).to.equal(false);
  });

  it('speaks HTTP/2 alone', async () => {
    await listen();
    const socket = secure({ ALPNProtocols: ['http/1.1'] });
    await new Promise((done) => socket.once('close', done));
    expect(taken).to.deep.equal([]);
  });
});
