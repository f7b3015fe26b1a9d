/**
 * A peer that is frozen, or a network that swallows everything, closes no connection. Each side finds out by pings that
 * nobody answers. The library's own clock runs here, so that this takes as long as it takes in production: a quarter of a minute.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FakePilot, FakeWorld } from '../fakes/runtime.ts';
import { clusterSpec, pool } from '../support/model.ts';
import { waitFor } from '../support/wait.ts';
import { HandServer } from './hand-server.ts';
import { hello, Hostile } from './hostile.ts';
import { log, Scene } from './scene.ts';

const limitMs = 90_000;

/** Stands between two sockets, passes everything on, and then nothing any more, without closing anything. */
class Link {
  readonly #server: Server;
  /** Ends that the client, or the server, has closed by itself. */
  readonly closed = { client: 0, server: 0 };
  opened = 0;
  #frozen = false;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, to: string) {
    this.#server = createServer((client) => this.#join(client, connect(to))).listen(path);
  }

  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.unpipe().resume();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(client: Socket, server: Socket): void {
    this.opened++;
    for (const socket of [client, server]) this.#sockets.add(socket.on('error', () => undefined));
    client.on('close', () => this.closed.client++);
    server.on('close', () => this.closed.server++);
    if (this.#frozen) return;
    client.pipe(server, { end: false });
    server.pipe(client, { end: false });
  }
}

describe('a peer that is frozen', function () {
  this.timeout(2 * limitMs);
  let directory: string;
  let link: Link;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'nav-'))));
  afterEach(() => {
    link.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('is given up by the server, though it says and closes nothing', async () => {
    const scene = new Scene();
    scene.runtime.played.add('demo-node-0');
    await scene.serve();
    link = new Link(join(directory, 'link'), scene.socket);
    const token = scene.tokens.tokenFor({ cluster: 'default/demo', member: 'demo-node-0' });
    await scene.apply(clusterSpec([pool('node', 1)]));
    await scene.until('its member', () => scene.ledger.members['demo-node-0']);
    const pilot = new Hostile(`unix:${join(directory, 'link')}`, token).read().send(hello('demo-node-0'));
    try {
      await scene.until('a welcome', () => pilot.heard > 0);
      link.freeze();
      await waitFor(() => link.closed.server > 0, 'the server to close the connection', limitMs);
      expect(link.closed.client, 'of the client, which was to say nothing').to.equal(0);
    } finally {
      pilot.close();
      await scene.close();
    }
  });

  it('is given up by the pilot, which dials anew, and whose database runs on', async () => {
    const server = await new HandServer(join(directory, 's')).open();
    link = new Link(join(directory, 'link'), join(directory, 's'));
    const papers = { token: () => 'token' };
    const where = { namespace: 'default', cluster: 'demo', member: 'demo-node-0', version: '6.8.23', papers };
    const world = new FakeWorld();
    const place = { ...where, server: `unix:${join(directory, 'link')}`, directory: join(directory, 'm') };
    const pilot = new FakePilot(place, world, log);
    try {
      await waitFor(() => server.hellos().length > 0 && pilot.connected, 'the pilot', limitMs);
      server.desire(5, 'RUNNING');
      await waitFor(() => world.machine.runs('demo-node-0'), 'its database', limitMs);
      link.freeze();
      await waitFor(() => !pilot.connected && link.opened > 1, 'it to dial anew', limitMs);
      expect(world.machine.count('demo-node-0', 'stopped')).to.equal(0);
    } finally {
      pilot.kill();
      server.close();
    }
  });
});
