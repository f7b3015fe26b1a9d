import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SqliteStore } from '../../server/store/sqlite.ts';
import { systemClock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { codeOf, increment, ledgerOf, storeContract } from './store.contract.ts';

const writer = fileURLToPath(new URL('./store.writer.ts', import.meta.url));
const key = 'default/demo';

describe('the store in SQLite', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'navigator-store-'));
    file = join(folder, 'state', 'navigator.db');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  describe('keeps the contract', () => storeContract(async () => SqliteStore.open(file)));

  function write(...args: string[]): ChildProcess {
    return spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  function refusal(): NavigatorError {
    try {
      void SqliteStore.open(file).close();
    } catch (error) {
      if (error instanceof NavigatorError) return error;
      throw error;
    }
    throw new Error('the file was opened');
  }

  async function filled(): Promise<void> {
    const store = SqliteStore.open(file);
    await store.compareAndSwap(key, 0, ledgerOf('a'));
    await store.close();
  }

  it('what was written is there when the file is opened again', async () => {
    await filled();
    const store = SqliteStore.open(file);
    expect(await store.list()).to.deep.equal([{ key, revision: 1, ledger: ledgerOf('a') }]);
    await store.close();
    await store.close();
  });

  it('two holders of one file see and respect each other', async () => {
    const one = SqliteStore.open(file);
    const other = SqliteStore.open(file);
    await one.compareAndSwap(key, 0, ledgerOf('a'));
    expect((await other.read(key))?.revision).to.equal(1);
    expect(await other.compareAndSwap(key, 1, ledgerOf('b'))).to.not.equal('conflict');
    expect(await one.compareAndSwap(key, 1, ledgerOf('c'))).to.equal('conflict');
    await Promise.all([increment(one, 'a/count', 50), increment(other, 'a/count', 50)]);
    expect((await one.read('a/count'))?.ledger.generation).to.equal(100);
    await one.close();
    await other.close();
  });

  it('two processes that race, 200 writes each, lose none', async () => {
    const racers = [write('count', file, '200'), write('count', file, '200')];
    const ends = await Promise.all(racers.map(async (racer) => (await once(racer, 'exit'))[0] as number | null));
    expect(ends).to.deep.equal([0, 0]);
    const store = SqliteStore.open(file);
    const row = await store.read(key);
    expect([row?.revision, row?.ledger.generation]).to.deep.equal([400, 400]);
    await store.close();
  });

  it('processes that make one new file at the same moment all open it', async () => {
    const first = String(systemClock().wallMs() + 1_000);
    const makers = [1, 2, 3].map(() => write('open', file, '60', first));
    const ends = await Promise.all(makers.map(async (maker) => (await once(maker, 'exit'))[0] as number | null));
    expect(ends).to.deep.equal([0, 0, 0]);
  });

  it('every write that was acknowledged survives SIGKILL of its writer', async () => {
    for (const until of [1, 25, 60]) {
      rmSync(join(folder, 'state'), { recursive: true, force: true });
      const victim = write('endless', file);
      let acknowledged = 0;
      for await (const line of createInterface({ input: victim.stdout! })) {
        if (line !== 'open') acknowledged = Number(line);
        if (acknowledged === until) victim.kill('SIGKILL');
      }
      const store = SqliteStore.open(file);
      const row = await store.read(key);
      expect(acknowledged).to.be.at.least(until);
      expect(row?.revision).to.be.at.least(acknowledged);
      expect(row?.ledger.generation).to.equal(row?.revision);
      await store.close();
    }
  });

  it('the file and its side files are for their owner alone, and a lax mode is made strict', async () => {
    const store = SqliteStore.open(file);
    await store.compareAndSwap(key, 0, ledgerOf('a'));
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(file + suffix).mode & 0o777).to.equal(0o600);
    await store.close();
    chmodSync(file, 0o644);
    await SqliteStore.open(file).close();
    expect(statSync(file).mode & 0o777).to.equal(0o600);
  });

  it('the file is in write-ahead mode and its table is strict', async () => {
    await filled();
    const database = new DatabaseSync(file);
    expect(database.prepare('PRAGMA journal_mode').get()).to.deep.include({ journal_mode: 'wal' });
    const { sql } = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'cluster'").get() as { sql: string };
    expect(sql).to.match(/STRICT$/);
    database.close();
  });

  it('a file of a newer Navigator is refused and left alone', async () => {
    await filled();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 2');
    database.close();
    const before = readFileSync(file);
    const error = refusal();
    expect(error.code).to.equal('unsupported');
    expect(error.message).to.include('newer Navigator');
    expect(readFileSync(file).equals(before)).to.equal(true);
  });

  it("another program's file is refused and left alone", () => {
    const path = join(folder, 'other.db');
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE theirs (a TEXT)');
    database.close();
    const before = readFileSync(path);
    file = path;
    expect(refusal().code).to.equal('refused');
    expect(readFileSync(path).equals(before)).to.equal(true);
  });

  it('a damaged file is refused with advice, and nothing is deleted', async () => {
    await filled();
    const whole = readFileSync(file);
    const halved = Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0xab)]);
    for (const bytes of [Buffer.from('this is not a database, however long one makes it'), halved]) {
      writeFileSync(file, bytes);
      const error = refusal();
      expect(error.code).to.equal('internal');
      expect(error.message).to.include('is damaged');
      expect(error.advice.join('\n')).to.include('copy').and.include('backup');
      expect(readFileSync(file).subarray(0, 20).equals(bytes.subarray(0, 20))).to.equal(true);
      expect(statSync(file).size).to.equal(bytes.length);
    }
  });

  it('a row that is no ledger is told as damage, by the name of its key', async () => {
    await filled();
    const database = new DatabaseSync(file);
    database.exec("UPDATE cluster SET ledger = '{'");
    database.close();
    const store = SqliteStore.open(file);
    expect(await codeOf(store.read(key))).to.equal('internal');
    expect(await codeOf(store.list())).to.equal('internal');
    await store.close();
  });

  it('a place that cannot be opened is told as such', () => {
    file = folder;
    expect(refusal().code).to.equal('forbidden');
    writeFileSync(join(folder, 'flat'), '');
    file = join(folder, 'flat', 'navigator.db');
    expect(refusal().message).to.include('flat');
  });
});
