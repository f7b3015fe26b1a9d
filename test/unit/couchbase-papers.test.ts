/** Certificates of the nodes of an embedded Couchbase cluster. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { nodePapers } from '../../server/runtime/local/couchbase-papers.ts';

const dayMs = 24 * 3_600_000;

describe('the certificate of a node', () => {
  const state = mkdtempSync(join(tmpdir(), 'navigator-papers-'));
  after(() => rmSync(state, { recursive: true, force: true }));
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  const made = async (atMs: number, address = '127.0.0.1') => {
    const { caFile, directory } = await nodePapers(state, { namespace: 'default', name: 'demo' }, address, atMs);
    return { ca: readFileSync(caFile, 'utf8'), chain: readFileSync(join(directory, 'chain.pem'), 'utf8'), directory };
  };

  it('is of the authority of its cluster and for its address, and its key for its owner alone', async () => {
    const { ca, chain, directory } = await made(nowMs);
    const certificate = new X509Certificate(chain);
    expect(certificate.verify(new X509Certificate(ca).publicKey)).to.equal(true);
    expect(certificate.checkIP('127.0.0.1')).to.equal('127.0.0.1');
    expect(statSync(join(directory, 'pkey.key')).mode & 0o077).to.equal(0);
    const other = await made(nowMs, '127.0.0.2');
    expect([other.ca === ca, other.chain === chain]).to.deep.equal([true, false]);
  });

  it('is of the same authority where several are made at once', async () => {
    const id = { namespace: 'default', name: 'many' };
    const all = await Promise.all(
      ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((at) => nodePapers(state, id, at, nowMs)),
    );
    const ca = new X509Certificate(readFileSync(all[0]!.caFile));
    for (const { directory } of all) {
      const certificate = new X509Certificate(readFileSync(join(directory, 'chain.pem')));
      expect(certificate.verify(ca.publicKey)).to.equal(true);
    }
  });

  it('is made again when a third of its time is left, and not before, by the same authority', async () => {
    const first = await made(nowMs);
    expect((await made(nowMs + 59 * dayMs)).chain).to.equal(first.chain);
    const second = await made(nowMs + 61 * dayMs);
    expect(second.chain).to.not.equal(first.chain);
    expect(second.ca).to.equal(first.ca);
  });
});
