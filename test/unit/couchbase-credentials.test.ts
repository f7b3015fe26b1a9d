/** The administrator's password of an embedded Couchbase, from its secret and step by step to the next one. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ClusterSpec } from '../../server/model/cluster.ts';
import { credentialsFile, rotateCredentials, secretsDirectory } from '../../server/runtime/local/couchbase.ts';
import { couchbase, couchbaseLedger } from './reconcile/couchbase.scene.ts';

interface Held {
  readonly username: string;
  readonly password: string;
  readonly next?: { readonly password: string; readonly id: string };
  readonly last?: { readonly password: string };
}

describe("an administrator's credentials", () => {
  let state = '';
  const { spec: base } = couchbaseLedger(3);
  const spec: ClusterSpec = { ...base, couchbase: { ...couchbase, adminSecret: 'admin' } };
  const held = (): Held => JSON.parse(readFileSync(credentialsFile(state, spec), 'utf8')) as Held;
  const secret = (password: string, mode = 0o600): void => {
    const file = join(secretsDirectory(state, 'default'), 'admin.json');
    mkdirSync(secretsDirectory(state, 'default'), { recursive: true });
    writeFileSync(file, JSON.stringify({ username: 'boss', password }));
    chmodSync(file, mode);
  };

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'navigator-credentials-'));
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));

  it('are generated where there is no secret, for their owner alone', () => {
    expect(held().password).to.have.length(32);
    expect(statSync(credentialsFile(state, spec)).mode & 0o077).to.equal(0);
    const before = held();
    rotateCredentials(state, spec, '');
    expect(held()).to.deep.equal(before);
  });

  it('are those of the secret where there is one', () => {
    secret('secret-1');
    expect(held()).to.deep.equal({ username: 'boss', password: 'secret-1' });
  });

  it('come into force only when the database is said to take those very ones', () => {
    secret('secret-1');
    held();
    secret('secret-2');
    rotateCredentials(state, spec, '');
    const waiting = held();
    expect(waiting).to.deep.include({ password: 'secret-1' });
    expect(waiting.next?.password).to.equal('secret-2');
    rotateCredentials(state, spec, 'of an earlier rotation');
    expect(held()).to.deep.equal(waiting);
    secret('secret-3');
    rotateCredentials(state, spec, '');
    expect(held().next?.password, 'one that may be in force already is not forgotten').to.equal('secret-2');
    rotateCredentials(state, spec, waiting.next?.id ?? '');
    expect(held()).to.deep.equal({
      username: 'boss',
      password: 'secret-2',
      last: { username: 'boss', password: 'secret-1' },
    });
    rotateCredentials(state, spec, '');
    expect(held().next?.password).to.equal('secret-3');
  });

  it('are refused where others can read the secret, or it is too short', () => {
    secret('secret-1', 0o644);
    expect(() => held()).to.throw('can be read by others');
    secret('five5');
    expect(() => held()).to.throw('no password of 6 characters');
  });
});
