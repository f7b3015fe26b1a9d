import { expect } from 'chai';
import { refusal, type RefusalReason } from '../../server/rpc/access.ts';
import { Refusals, type Visitor } from '../../server/rpc/refusals.ts';
import { serveHealth, type HealthServer } from '../../server/web/health.ts';
import { metricsText } from '../../server/web/metrics.ts';

function counted(...refused: readonly (readonly [Visitor, RefusalReason])[]): ReadonlyMap<string, string> {
  const refusals = new Refusals();
  for (const [visitor, reason] of refused) refusals.add(visitor, refusal(reason, 'the token of somebody'));
  const text = metricsText({ isActive: true, refusals: refusals.counts() });
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]));
}

describe('the metrics of a server', () => {
  it('count who was refused at the door, and why', () => {
    const found = counted(['pilot', 'no_pod'], ['pilot', 'no_pod'], ['person', 'not_allowed']);
    expect(found.get('navigator_refusals_total{visitor="pilot",reason="no_pod"}')).to.equal('2');
    expect(found.get('navigator_refusals_total{visitor="person",reason="not_allowed"}')).to.equal('1');
    expect(found.get('navigator_refusals_total{visitor="person",reason="no_token"}')).to.equal('0');
  });

  it('show every reason from the start, and none that it cannot be', () => {
    const found = [...counted().keys()].filter((name) => name.startsWith('navigator_refusals_total'));
    expect(found).to.have.length(12);
    expect(found.join()).to.not.include('visitor="pilot",reason="not_allowed"');
  });

  it('say what each number is, and end with a line', () => {
    const text = metricsText({ isActive: false, refusals: [] });
    for (const name of ['navigator_server_active', 'navigator_refusals_total'])
      expect(text).to.match(new RegExp(`# HELP ${name} .+\\n# TYPE ${name} (gauge|counter)\\n${name}`));
    expect(text).to.include('navigator_server_active 0\n');
    expect(text.endsWith('\n')).to.equal(true);
  });

  it('hold nothing of what was refused', () => {
    expect([...counted(['pilot', 'unknown_token']).keys()].join()).to.not.include('somebody');
  });
});

describe('the HTTP of a server', () => {
  let server: HealthServer;
  let ready = true;
  before(async () => {
    const pages = { isReady: () => ready, metrics: () => 'counted 1\n' };
    server = await serveHealth({ host: '127.0.0.1', port: 0 }, pages);
  });
  after(() => server.close());

  async function get(path: string): Promise<readonly [number, string, string]> {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [answer.status, await answer.text(), answer.headers.get('content-type') ?? ''];
  }

  it('says that it lives, and whether it is ready', async () => {
    const plain = 'text/plain; charset=utf-8';
    expect(await get('/healthz')).to.deep.equal([200, 'ok\n', plain]);
    expect(await get('/readyz?verbose')).to.deep.equal([200, 'ok\n', plain]);
    ready = false;
    expect(await get('/readyz')).to.deep.equal([503, 'not ready\n', plain]);
    expect(await get('/healthz')).to.deep.equal([200, 'ok\n', plain]);
  });

  it('shows what is counted, as Prometheus reads it, and nothing else', async () => {
    expect(await get('/metrics')).to.deep.equal([200, 'counted 1\n', 'text/plain; version=0.0.4; charset=utf-8']);
    for (const path of ['/', '/metrics/', '/metrics/x']) expect((await get(path))[0], path).to.equal(404);
  });
});
