import { expect } from 'chai';
import { ManifestError, parseManifest, type Problem } from '../../../server/manifest/parse.ts';
import { cutLines, readErrorDetail, writeErrorDetail } from '../../../server/rpc/error-detail.ts';

const bytesMax = 2_500;

/** A manifest in which `pools` pools are wrong in four ways each. */
function badManifest(pools: number): string {
  const pool = (at: number) => ({ name: `Pool ${at}`, replicas: -at - 1, roles: ['king'], persistence: { size: 0 } });
  const nodePools = Array.from({ length: pools }, (_, at) => pool(at));
  const envelope = { apiVersion: 'navigator.jetstack.io/v1alpha1', kind: 'ElasticsearchCluster' };
  return JSON.stringify({ ...envelope, metadata: { name: 'Bad' }, spec: { version: '5.6', nodePools } });
}

function problemsOf(manifest: string): readonly Problem[] {
  try {
    parseManifest(manifest);
  } catch (thrown) {
    if (thrown instanceof ManifestError) return thrown.problems;
  }
  throw new Error('it is not refused');
}

describe('what goes with the status of a refused call', () => {
  it('holds every problem of a manifest that is wrong in dozens of places', () => {
    const problems = problemsOf(badManifest(15));
    expect(problems.length).to.be.greaterThan(60);
    const refusal = { code: 'invalid', advice: [], problems, omitted: 0 };
    const bytes = writeErrorDetail(refusal, bytesMax);
    expect(bytes.length).to.be.at.most(bytesMax);
    expect(readErrorDetail(bytes)).to.deep.equal(refusal);
  });

  it('counts what has no room, and takes the last ones out first', () => {
    const noise = (at: number): string => Buffer.from(`${Math.sin(at)}${Math.cos(at)}`).toString('base64');
    const problems = Array.from({ length: 100 }, (_, at) => ({ path: noise(at), value: '', reason: noise(at + 0.5) }));
    const bytes = writeErrorDetail({ code: 'invalid', advice: [], problems, omitted: 7 }, bytesMax);
    expect(bytes.length).to.be.at.most(bytesMax);
    const told = readErrorDetail(bytes) as { problems: readonly Problem[]; omitted: number };
    expect(told.problems.length).to.be.within(1, 99);
    expect(told.problems).to.deep.equal(problems.slice(0, told.problems.length));
    expect(told.omitted).to.equal(107 - told.problems.length);
  });

  it('is passed over where it is none', () => {
    for (const bytes of [undefined, 'text', Buffer.alloc(0), Buffer.from('{}'), Buffer.alloc(9, 0xff)])
      expect(readErrorDetail(bytes)).to.equal(undefined);
  });

  it('has beside it a text of whole lines that says how many are left out', () => {
    const lines = Array.from({ length: 50 }, (_, at) => `  line ${at}`);
    const text = cutLines(lines.join('\n'), 100);
    expect(text.length).to.be.at.most(100);
    const kept = text.split('\n').slice(0, -1);
    expect(kept).to.deep.equal(lines.slice(0, kept.length));
    expect(text.split('\n').at(-1)).to.equal(`  … and ${50 - kept.length} more`);
    expect(cutLines('short', 100)).to.equal('short');
    expect(cutLines('x'.repeat(200), 100)).to.equal(`${'x'.repeat(99)}…`);
  });
});

describe('a manifest with more problems than are told', () => {
  it('says how many there are in all', () => {
    const { problems, omitted, message } = new ManifestError(
      Array.from({ length: 120 }, (_, at) => ({ path: `spec.a[${at}]`, value: '', reason: 'is wrong' })),
      3,
    );
    expect([problems.length, omitted]).to.deep.equal([100, 23]);
    expect(message.split('\n')[0]).to.equal('the manifest has 123 problems:');
    expect(message.split('\n').at(-1)).to.equal('  … and 23 more');
  });
});
