/** Copies of objects on a real API server: whatever becomes of the watch, they follow. */
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type ApiCall, type KubernetesApi } from '../../server/kubernetes/api.ts';
import { keyOf, type KubeObject } from '../../server/kubernetes/objects.ts';
import { Reflector } from '../../server/kubernetes/reflector.ts';
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { systemRandom } from '../../shared/random.ts';
import { startApiServer, type ApiServer } from '../support/kubernetes/apiserver.ts';
import { caller, type Call } from '../support/kubernetes/call.ts';
import { useBinaries } from '../support/kubernetes/shared.ts';
import { openWire, type Wire } from '../support/kubernetes/wire.ts';
import { waitFor } from '../support/wait.ts';

const kind = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const path = '/api/v1/namespaces/default/configmaps';
const clock = systemClock(true);

describe('a reflector', () => {
  let api: ApiServer;
  let call: Call;
  let wire: Wire;
  let copy: Reflector;
  let lists = 0;
  const told: string[] = [];

  useBinaries(async (binaries) => {
    api = await startApiServer(binaries);
    call = caller(api);
  });
  after(async () => (api as ApiServer | undefined)?.stop());

  beforeEach(async () => {
    wire = await openWire(api);
    lists = 0;
    told.length = 0;
    copy = open();
    await make('there', { group: 'a' });
    await copy.start();
  });
  afterEach(async () => {
    copy.close();
    await wire.close();
    await call('DELETE', path);
  });

  function open(): Reflector {
    const connection = connect(wire.config, clock);
    const counting: KubernetesApi = {
      ...connection,
      call: (request: ApiCall) => {
        lists += 1;
        return connection.call(request);
      },
    };
    const ports = { api: counting, config: wire.config, clock, random: systemRandom };
    const groupOf = (object: KubeObject): string | undefined => object.metadata.labels?.['group'];
    const made = new Reflector(
      { ...ports, log: createLogger('test', 'silent') },
      { kind, selector: 'mine=true', groupOf },
    );
    made.onChange((object, change) => told.push(`${change} ${keyOf(object)}`));
    return made;
  }

  async function make(name: string, labels: Record<string, string> = {}): Promise<void> {
    const { status } = await call('POST', path, { metadata: { name, labels: { mine: 'true', ...labels } } });
    expect(status).to.equal(201);
  }

  const holds = (name: string): boolean => copy.get(`default/${name}`) !== undefined;

  it('has what is there, of its selector alone, and by group; and follows what comes, changes and goes', async () => {
    expect(copy.get('default/there')).to.include({ kind: 'ConfigMap', apiVersion: 'v1' });
    await make('other', { mine: 'false' });
    await make('new', { group: 'b' });
    await waitFor(() => holds('new'), 'the new one');
    expect(holds('other')).to.equal(false);
    expect(copy.ofGroup('b').map(keyOf)).to.deep.equal(['default/new']);
    await call('PATCH', `${path}/new`, { metadata: { labels: { group: 'a' } } }, 'application/merge-patch+json');
    await waitFor(() => copy.ofGroup('a').length === 2, 'the other group');
    expect(copy.ofGroup('b')).to.deep.equal([]);
    await call('DELETE', `${path}/new`);
    await waitFor(() => !holds('new'), 'its end');
    expect(told.filter((line) => line.startsWith('gone'))).to.deep.equal(['gone default/new']);
    expect(lists).to.equal(1);
  });

  it('goes on where it was when its connection is cut, and lists nothing anew', async () => {
    wire.loseAnswers(true);
    // The first thing that is said cuts the connection, and is lost with it.
    await make('lost');
    wire.loseAnswers(false);
    await waitFor(() => holds('lost'), 'what was lost');
    expect(lists).to.equal(1);
  });
});

/** What an API server says that has forgotten: as the status of its answer, or in the stream. */
const forgotten: Readonly<Record<string, (answer: ServerResponse) => unknown>> = {
  'in its answer': (answer) => answer.writeHead(410).end('{}'),
  'in the watch': (answer) => answer.writeHead(200).end('{"type":"ERROR","object":{"kind":"Status","code":410}}\n'),
};

describe('a reflector whose place is forgotten', () => {
  for (const [where, forget] of Object.entries(forgotten)) {
    it(`${where} lists everything anew, and tells what has gone meanwhile`, async () => {
      const lists: (readonly string[])[] = [['stays', 'goes'], ['stays']];
      const places: string[] = [];
      const server = createServer((request, answer) => {
        const url = new URL(request.url ?? '', 'http://localhost');
        const place = url.searchParams.get('resourceVersion');
        if (place === null) {
          const names = lists.shift() ?? [];
          const items = names.map((name) => ({ metadata: { name, namespace: 'default', resourceVersion: '5' } }));
          answer.end(JSON.stringify({ items, metadata: { resourceVersion: `${10 - lists.length}` } }));
        } else {
          places.push(place);
          if (places.length === 1) forget(answer);
        }
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const config = new KubeConfig();
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      config.loadFromClusterAndUser({ name: 'test', server: url, skipTLSVerify: true }, { name: 'test' });
      const ports = { api: connect(config, clock), config, clock, random: systemRandom };
      const copy = new Reflector({ ...ports, log: createLogger('test', 'silent') }, { kind });
      const told: string[] = [];
      copy.onChange((object, change) => told.push(`${change} ${keyOf(object)}`));
      try {
        await copy.start();
        await waitFor(() => places.length === 2, 'the second watch');
        expect(told).to.deep.equal(['set default/stays', 'set default/goes', 'gone default/goes']);
        expect(places).to.deep.equal(['9', '10']);
      } finally {
        copy.close();
        server.closeAllConnections();
        server.close();
      }
    });
  }
});
