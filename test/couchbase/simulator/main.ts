/** One node of a simulated Couchbase cluster: a process on an address of its own, ended by SIGTERM. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { issueCertificate, makeAuthority } from '../../../server/kubernetes/x509.ts';
import { catchUp } from './copies.ts';
import { openDisk } from './disk.ts';
import { govern } from './govern.ts';
import { hear } from './hear.ts';
import { Node } from './node.ts';
import { realPace } from './pace.ts';
import { listenToPeers, realPeers } from './peers.ts';
import { answer, readForm } from './rest.ts';
import { realSize } from './surroundings.ts';

const httpPort = 8091;
const httpsPort = 18091;
/** How long a process takes until its REST interface is there. */
const bootMs = 2_000;

const env = process.env;
const address = env['NAVIGATOR_ADDRESS'] ?? '127.0.0.1';
/** What it listens on where its name is not an address of its own yet, as in a pod. */
const bind = env['NAVIGATOR_BIND'] ?? address;
const directory = resolve(env['NAVIGATOR_DIRECTORY'] ?? '.', 'couchbase-simulator');
const scale = Number(env['COUCHBASE_SIMULATOR_SCALE'] ?? '1');
const version = `${env['NAVIGATOR_VERSION'] ?? '7.6.8'}-7151`;
if (!Number.isFinite(scale) || scale <= 0) throw new Error(`COUCHBASE_SIMULATOR_SCALE=${scale} is no scale`);
process.umask(0o077);
mkdirSync(directory, { recursive: true });

const pace = realPace(scale);
const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
const disk = openDisk(directory, hex(16));
const peers = realPeers(() => disk.identity.host);
const node = new Node(version, { pace, peers, disk, size: realSize, hex });
let servers: Server[] = [];
let secure: ReturnType<typeof createSecureServer> | undefined;

/** A certificate of its own authority, as a fresh node of Couchbase has one. `ca.pem` is that authority. */
async function certificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  if (existsSync(certFile)) return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') };
  const validity = { fromMs: Date.now() - 3_600_000, untilMs: Date.now() + 365 * 24 * 3_600_000 };
  const authority = await makeAuthority(`simulated Couchbase ${node.disk.identity.uuid}`, validity);
  const made = await issueCertificate(authority, [address], validity);
  writeFileSync(join(directory, 'ca.pem'), authority.certificate);
  writeFileSync(keyFile, made.key);
  writeFileSync(certFile, made.certificate);
  return { key: made.key, cert: made.certificate };
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const form = await readForm(incoming);
  const path = (incoming.url ?? '/').split('?')[0] ?? '/';
  const authorization = incoming.headers.authorization ?? '';
  if (node.faults.slowMs > 0) await pace.wait(node.faults.slowMs);
  const reply = await answer(node, { method: incoming.method ?? 'GET', path, form, authorization });
  if (node.faults.dropReply === path) {
    delete node.faults.dropReply;
    incoming.socket.destroy();
    return;
  }
  outgoing.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.body);
}

async function open(): Promise<void> {
  const listener: RequestListener = (incoming, outgoing) => {
    serve(incoming, outgoing).catch((thrown: unknown) => {
      console.error(thrown);
      outgoing.destroy();
    });
  };
  secure = createSecureServer(await certificate(), listener);
  servers = [createServer(listener), secure];
  await Promise.all(
    servers.map(
      (server, at) => new Promise<void>((done) => server.listen(at === 0 ? httpPort : httpsPort, bind, done)),
    ),
  );
}

async function close(): Promise<void> {
  const all = servers.map((server) => new Promise<void>((done) => void server.close(() => done())));
  for (const server of servers) server.closeAllConnections();
  await Promise.all(all);
}

/** What a test does to this node. `hang` stops everything for a while, as SIGSTOP would. */
function fault(body: Record<string, unknown>): unknown {
  if (typeof body.failRebalanceAt === 'number') node.faults.failRebalanceAt = body.failRebalanceAt;
  if (body.failRebalanceAt === null) delete node.faults.failRebalanceAt;
  if (typeof body.holdRebalance === 'boolean') node.faults.holdRebalance = body.holdRebalance;
  if (typeof body.dropReply === 'string') node.faults.dropReply = body.dropReply;
  if (body.dropReply === null) delete node.faults.dropReply;
  if (typeof body.slowMs === 'number') node.faults.slowMs = body.slowMs;
  if (Array.isArray(body.cut)) {
    node.wires.cut.clear();
    for (const host of body.cut) node.wires.cut.add(String(host));
  }
  if (typeof body.hangMs === 'number') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, body.hangMs);
  if (body.kill === true) process.kill(process.pid, 'SIGKILL');
  return {};
}

const inbox = env['COUCHBASE_SIMULATOR_INBOX'] ?? resolve(env['NAVIGATOR_DIRECTORY'] ?? '.', 'inbox');
node.inbox = {
  authority: () => existsSync(join(inbox, 'CA')),
  reload: () => {
    if (!existsSync(join(inbox, 'chain.pem'))) return false;
    const [key, cert] = ['pkey.key', 'chain.pem'].map((name) => readFileSync(join(inbox, name), 'utf8'));
    writeFileSync(join(directory, 'key.pem'), key ?? '');
    writeFileSync(join(directory, 'certificate.pem'), cert ?? '');
    secure?.setSecureContext({ key, cert });
    return true;
  },
};
node.onHeard = (otp) => void catchUp(node, otp).catch(() => undefined);
node.onReset = (away) => {
  void close()
    .then(() => away)
    .then(open);
};
await listenToPeers(bind, node.wires, (method, body) => {
  return method === 'fault' ? fault(body) : hear(node, method, body);
});
await pace.wait(bootMs);
await open();
console.log(`simulated Couchbase ${version} on ${address}:${httpPort}, in ${directory}`);
process.once('SIGTERM', () => process.exit(0));
process.once('SIGINT', () => process.exit(0));
await Promise.race([node.beat(), govern(node)]);
