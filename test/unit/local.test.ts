/** What the embedded runtime finds on a machine, and what it says where something is missing. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { lastLines } from '../../pilot/engine/tool.ts';
import { AddressBook } from '../../server/runtime/local/addresses.ts';
import { distributionFor, expectDistribution } from '../../server/runtime/local/distribution.ts';
import { findJava } from '../../server/runtime/local/java.ts';
import { lockDirectory } from '../../server/store/lock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { createLogger } from '../../shared/log.ts';

describe('the embedded runtime on a machine', () => {
  let directory = '';
  const log = createLogger('test', 'silent');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'navigator-local-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('names Maven and the way around it where there is none', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = directory;
    try {
      const error = await refusal(distributionFor('5.6.16', { cacheDir: join(directory, 'cache'), log }));
      expect(error.code).to.equal('missing_tool');
      expect(error.message).to.contain('mvn');
      expect(error.advice.join()).to.contain('--elasticsearch-home');
    } finally {
      process.env['PATH'] = path;
    }
  });

  it('takes an unpacked distribution, and says which one it is where it is another', async () => {
    const home = fakeDistribution('5.6.16');
    const cacheDir = join(directory, 'cache');
    expect(await distributionFor('5.6.16', { cacheDir, elasticsearchHome: home, log })).to.equal(home);
    const error = await refusal(distributionFor('6.8.23', { cacheDir, elasticsearchHome: home, log }));
    expect(error.code).to.equal('invalid');
    expect(error.message).to.contain('is Elasticsearch 5.6.16, not 6.8.23');
  });

  it('refuses a folder that is no distribution before anything is fetched in its stead', async () => {
    await expectDistribution(fakeDistribution('5.6.16'));
    for (const home of [join(directory, 'none'), directory]) {
      const error = await refusal(expectDistribution(home));
      expect(error.code).to.equal('invalid');
      expect(error.message).to.contain('--elasticsearch-home').and.to.contain(home);
      expect(error.advice.join()).to.contain('bin/elasticsearch');
    }
  });

  it('tells of a stack trace what went wrong, and not where', () => {
    const trace = [
      '-> Downloading analysis-icu from elastic',
      'Exception in thread "main" java.net.UnknownHostException: artifacts.elastic.co',
      '\tat java.base/java.net.Socket.connect(Socket.java:633)',
      'Caused by: java.io.IOException: no route',
      '\tat org.elasticsearch.cli.Command.main(Command.java:90)',
      '\t... 12 more',
      '',
    ];
    expect(lastLines(trace.join('\n'), 2).split('\n')).to.deep.equal([trace[1], trace[3]]);
  });

  it('names the JDK that is needed where the chosen one does not fit', () => {
    const home = join(directory, 'jdk');
    mkdirSync(join(home, 'bin'), { recursive: true });
    writeFileSync(join(home, 'bin/java'), '', { mode: 0o755 });
    writeFileSync(join(home, 'release'), 'JAVA_VERSION="25.0.1"\n');
    const find = (): string => findJava('5.6.16', { NAVIGATOR_JAVA_HOME: home, PATH: '' });
    expect(find).to.throw(NavigatorError).with.property('code', 'missing_tool');
    expect(find).to.throw(/Java 25/);
  });

  it('gives the same address every time, passes over busy ports, and takes addresses back', async () => {
    const file = join(directory, 'addresses.json');
    const first = await new AddressBook(file).of('a');
    expect(await new AddressBook(file).of('a')).to.equal(first);
    const busy = createServer();
    const next = first.replace(/\d+$/, (host) => String(Number(host) + 1));
    await new Promise<void>((done) => busy.listen({ host: next, port: 9300 }, done));
    const book = new AddressBook(file);
    expect(await book.of('b')).to.not.equal(next);
    busy.close();
    book.forget('a');
    expect(await book.of('c')).to.equal(first);
  });

  it('lets one server have a state directory', () => {
    const unlock = lockDirectory(directory);
    expect(() => lockDirectory(directory)).to.throw(/another Navigator server runs/);
    unlock();
    lockDirectory(directory)();
  });

  function fakeDistribution(version: string): string {
    const home = join(directory, 'home');
    mkdirSync(join(home, 'bin'), { recursive: true });
    mkdirSync(join(home, 'lib'));
    writeFileSync(join(home, 'bin/elasticsearch'), '', { mode: 0o755 });
    writeFileSync(join(home, `lib/elasticsearch-${version}.jar`), '');
    return home;
  }
});

async function refusal(work: Promise<unknown>): Promise<NavigatorError> {
  try {
    await work;
  } catch (thrown) {
    return NavigatorError.from(thrown);
  }
  throw new Error('it was not refused');
}
