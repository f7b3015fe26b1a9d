/**
 * Ledgers in one SQLite file: the embedded default. Several processes may have it open; each write is one statement
 * that compares and swaps, and is on the disk (WAL, synchronous=FULL) before it is acknowledged.
 */
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { NavigatorError } from '../../shared/errors.ts';
import type { Ledger } from '../model/ledger.ts';
import { readLedger, writeLedger } from './ledger-text.ts';
import type { Store, Stored } from './store.ts';

const schemaVersion = 1;
/** "Navi" in ASCII: tells our file from another program's. */
const applicationId = 0x4e617669;
const busyTimeoutMs = 5000;
const busyTriesMax = 100;
/** One page of the smallest size that SQLite knows. */
const smallestDatabase = 512;

const table = `CREATE TABLE IF NOT EXISTS cluster (
  key TEXT PRIMARY KEY,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  ledger TEXT NOT NULL
) STRICT`;

/** The primary result codes of SQLite that people can do something about. */
const result = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
};

interface Statements {
  readonly list: StatementSync;
  readonly read: StatementSync;
  readonly create: StatementSync;
  readonly swap: StatementSync;
  readonly remove: StatementSync;
}

interface Row {
  readonly key: string;
  readonly revision: number;
  readonly ledger: string;
}

/** A durable store in the file `path`, made with mode 0600 where there is none. It never deletes or replaces a file. */
export class SqliteStore implements Store {
  /** The lock on its directory keeps every other server out. */
  readonly shared = false;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** Opens or makes the file. Throws NavigatorError: damaged, of a newer Navigator, another program's, not accessible. */
  static open(path: string): SqliteStore {
    let database: DatabaseSync | undefined;
    try {
      makePrivateFile(path);
      database = new DatabaseSync(path, { timeout: busyTimeoutMs });
      setUp(database, path);
      return new SqliteStore(path, database);
    } catch (error) {
      if (database?.isOpen === true) database.close();
      throw storeError(error, path);
    }
  }

  async list(): Promise<readonly Stored[]> {
    return this.#run(() => this.#statements.list.all().map((row) => this.#stored(row)));
  }

  async read(key: string): Promise<Stored | undefined> {
    return this.#run(() => {
      const row = this.#statements.read.get(key);
      return row === undefined ? undefined : this.#stored(row);
    });
  }

  async compareAndSwap(key: string, revision: number, ledger: Ledger): Promise<Stored | 'conflict'> {
    const text = writeLedger(key, ledger);
    const { create, swap } = this.#statements;
    const { changes } = this.#run(() => (revision === 0 ? create.run(key, text) : swap.run(text, key, revision)));
    if (Number(changes) === 0) return 'conflict';
    return { key, revision: revision + 1, ledger: readLedger(text) };
  }

  async remove(key: string, revision: number): Promise<'removed' | 'conflict'> {
    const { changes } = this.#run(() => this.#statements.remove.run(key, revision));
    return Number(changes) === 0 ? 'conflict' : 'removed';
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#run(() => this.#database.close());
  }

  #run<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  #stored(found: unknown): Stored {
    const { key, revision, ledger } = found as Row;
    try {
      return { key, revision, ledger: readLedger(ledger) };
    } catch (error) {
      throw damaged(this.#path, `the row of ${key} cannot be read`, error);
    }
  }
}

function prepare(database: DatabaseSync): Statements {
  return {
    list: database.prepare('SELECT key, revision, ledger FROM cluster ORDER BY key'),
    read: database.prepare('SELECT key, revision, ledger FROM cluster WHERE key = ?'),
    create: database.prepare('INSERT INTO cluster (key, revision, ledger) VALUES (?, 1, ?) ON CONFLICT DO NOTHING'),
    swap: database.prepare('UPDATE cluster SET ledger = ?, revision = revision + 1 WHERE key = ? AND revision = ?'),
    remove: database.prepare('DELETE FROM cluster WHERE key = ? AND revision = ?'),
  };
}

/**
 * SQLite gives its side files the mode of the main one, so that this covers the write-ahead log too. A file that exists
 * is never opened here: to close it again would drop the locks of this process's other connections to it. A file that
 * is too short to be SQLite's would be taken for an empty one and written over, so it is refused by its size.
 */
function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) createFile(path);
  else if (size > 0 && size < smallestDatabase) throw damaged(path, 'it is no SQLite file', undefined);
  chmodSync(path, 0o600);
}

function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
  }
}

/**
 * Nothing is written before the file is known to be ours and not newer than we are: by one reading, because another process
 * may be setting it up at this moment.
 */
function setUp(database: DatabaseSync, path: string): void {
  database.exec('BEGIN');
  const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
  const version = pragma(database, 'user_version');
  const id = pragma(database, 'application_id');
  database.exec('COMMIT');
  if (tables > 0 && id !== applicationId) {
    throw new NavigatorError('refused', `${path} is an SQLite file of another program; name another file`);
  }
  if (version > schemaVersion) {
    throw new NavigatorError(
      'unsupported',
      `${path} is of a newer Navigator (layout ${version}, known ${schemaVersion})`,
      {
        advice: ['Use the Navigator that wrote it, or a later one; the file was not touched.'],
      },
    );
  }
  whileBusy(() => database.exec('PRAGMA journal_mode = WAL'));
  database.exec('PRAGMA synchronous = FULL');
  const [check] = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
  if (check?.quick_check !== 'ok') throw damaged(path, check?.quick_check ?? 'it cannot be checked', undefined);
  database.exec(`BEGIN IMMEDIATE; PRAGMA application_id = ${applicationId}; ${table};
    PRAGMA user_version = ${schemaVersion}; COMMIT`);
}

/** SQLite does not wait for another process that changes the mode of the journal at the same moment. */
function whileBusy(work: () => void): void {
  for (let tries = 1; ; tries++) {
    try {
      return work();
    } catch (error) {
      const isBusy = ((error as { errcode?: number }).errcode ?? 0) % 256 === result.busy;
      if (!isBusy || tries >= busyTriesMax) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyTimeoutMs / busyTriesMax);
    }
  }
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number>;
  return row[name] ?? 0;
}

function storeError(error: unknown, path: string): NavigatorError {
  if (error instanceof NavigatorError) return error;
  const { code, errcode, message } = error as { code?: string; errcode?: number; message: string };
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'EISDIR') {
    return new NavigatorError('forbidden', `${path} cannot be opened: ${message}`, { cause: error });
  }
  if (code !== 'ERR_SQLITE_ERROR' || errcode === undefined) return NavigatorError.from(error);
  switch (errcode & 0xff) {
    case result.corrupt:
    case result.notADatabase:
      return damaged(path, message, error);
    case result.busy:
    case result.locked:
      return new NavigatorError('unavailable', `${path} is busy: another process writes to it`, { cause: error });
    case result.full:
      return new NavigatorError('exhausted', `no room is left to write ${path}`, { cause: error });
    case result.readOnly:
    case result.cannotOpen:
      return new NavigatorError('forbidden', `${path} cannot be opened for writing: ${message}`, { cause: error });
    case result.inputOutput:
      return new NavigatorError('unavailable', `the disk below ${path} fails: ${message}`, { cause: error });
    default:
      return new NavigatorError('internal', `${path}: ${message}`, { cause: error });
  }
}

function damaged(path: string, detail: string, cause: unknown): NavigatorError {
  return new NavigatorError('internal', `${path} is damaged: ${detail}`, {
    ...(cause === undefined ? {} : { cause }),
    advice: [
      'Nothing was changed or deleted, and the databases run on.',
      `Stop Navigator and copy ${path}, ${path}-wal and ${path}-shm aside.`,
      `Put a backup in its place, or try: sqlite3 ${path} .recover | sqlite3 recovered.db`,
      `Without either, move ${path} away and apply your manifests again: permits and terms begin anew, ` +
        'so stop all pilots first.',
    ],
  });
}
