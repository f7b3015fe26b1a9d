import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startProbes, type ProbeAddress, type Probes, type Readiness } from '../../pilot/supervisor/probes.ts';
import { waitFor } from '../support/wait.ts';

const ANYWHERE = { host: '127.0.0.1', port: 0 };

describe('probes', () => {
  let readiness: () => Readiness = () => ({ ready: true });
  const status = (): unknown => ({ pid: 7, stateVersion: 12n });
  const answers = { ready: () => readiness(), status };
  const open: { close(): unknown }[] = [];

  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
    readiness = () => ({ ready: true });
  });

  async function started(at: ProbeAddress = ANYWHERE): Promise<Probes> {
    const probes = await startProbes(at, answers);
    open.push(probes);
    return probes;
  }

  function connected(probes: Probes): Socket {
    const socket = connect(probes.address);
    socket.on('error', () => undefined);
    open.push({ close: () => socket.destroy() });
    return socket;
  }

  it('answers what it is asked, and 404 to all else', async () => {
    const { address } = await started();
    expect((await get(address, '/livez')).code).to.equal(200);
    expect(await get(address, '/readyz?verbose')).to.deep.equal({ code: 200, body: { ready: true } });
    expect(await get(address, '/status')).to.deep.equal({ code: 200, body: { pid: 7, stateVersion: '12' } });
    for (const path of ['/', '/livez/', '/readyz/x', '/../livez']) {
      expect((await get(address, path)).code, path).to.equal(404);
    }
    expect((await get(address, '/livez', { method: 'POST' })).code).to.equal(404);
  });

  it('is not ready with a reason, and not ready where that cannot be told', async () => {
    const { address } = await started();
    readiness = () => ({ ready: false, reason: 'not joined' });
    const body = { ready: false, reason: 'not joined' };
    expect(await get(address, '/readyz')).to.deep.equal({ code: 503, body });
    readiness = () => {
      throw new Error('secret');
    };
    const unknown = { ready: false, reason: 'internal' };
    expect(await get(address, '/readyz')).to.deep.equal({ code: 503, body: unknown });
    expect((await get(address, '/livez')).code, 'live whether ready or not').to.equal(200);
  });

  it('listens on a unix path, also where a killed pilot left its socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'navigator-probes-'));
    open.push({ close: () => rmSync(directory, { recursive: true }) });
    const path = join(directory, 'probes.sock');
    await started({ path });
    const second = await started({ path });
    expect((await get(second.address, '/livez')).code).to.equal(200);
  });

  it('rejects where the address is taken', async () => {
    const { address } = await started();
    const thrown: unknown = await started(address).catch((error: unknown) => error);
    expect(thrown).to.include({ name: 'NavigatorError', code: 'unavailable' });
  });

  it('closes who says nothing and who says too much, and holds at most 32', async () => {
    const probes = await started();
    const sockets = Array.from({ length: 40 }, () => connected(probes));
    await waitFor(() => sockets.filter((socket) => socket.closed).length >= 8, 'the 33rd and later closed');
    for (const socket of sockets) socket.resume();
    await waitFor(() => sockets.every((socket) => socket.closed), 'those that say nothing closed', 20_000);
    const long = await get(probes.address, '/livez', { headers: { 'x-long': 'x'.repeat(8_192) } });
    expect(long.code).to.equal(431);
  });
});

interface Answer {
  readonly code: number | undefined;
  readonly body: unknown;
}

function get(at: ProbeAddress, path: string, options: object = {}): Promise<Answer> {
  const where = 'path' in at ? { socketPath: at.path } : at;
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, ...options, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () =>
        resolve({ code: response.statusCode, body: text === '' ? undefined : JSON.parse(text) }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}
