import { expect } from 'chai';
import fc from 'fast-check';
import { parseManifest } from '../../server/manifest/parse.ts';
import { changed, expectRefused, problemsOf } from './manifest.ask.ts';
import { goodManifest, type Tree } from './manifest.table.ts';

describe('the text of a manifest', () => {
  const texts: readonly (readonly [string, string, string, string])[] = [
    ['bad syntax is told by line and column', 'a: 1\nb: [1,\nc: 2', 'line 3, column 1', 'not YAML'],
    ['a field that is there twice is told by line and column', 'a: 1\nb: {c: 1, c: 2}', 'line 2, column 11', 'twice'],
    ['an empty file is refused', '# nothing\n', '', 'empty'],
    ['two documents are refused', 'a: 1\n---\nb: 2\n', '', '2 documents'],
    ['a list is refused', '- a', '', 'is a map'],
    ['a cycle is refused', 'a: &a [*a, *a]', '', 'too deep'],
    ['aliases that unfold without end are refused', bomb(), '', 'manifest'],
    ['deep nesting is refused', `a: ${'['.repeat(60)}${']'.repeat(60)}`, '', 'too deep'],
    ['a large file is refused', 'a'.repeat(300_000), '', 'characters'],
    ['infinity is refused', 'a: .inf', 'a', 'JSON'],
    ['the name of a prototype is refused', 'a: {__proto__: {b: 1}}', 'a.__proto__', 'not a name'],
  ];
  for (const [what, text, path, reason] of texts) {
    it(what, () => expectRefused({ rule: what, change: () => {}, path, reason }, problemsOf(text)));
  }

  it('a leading separator and trailing empty documents are harmless', () => {
    expect(problemsOf(`---\n${changed(() => {})}---\n# the end\n`)).to.deep.equal([]);
  });

  it('hostile texts are refused in seconds', function () {
    this.timeout(60_000);
    const keys = Array.from({ length: 20_000 }, (_, at) => `k${at}: 1`).join('\n');
    for (const text of ['['.repeat(5e4), '- '.repeat(3e4), '{"a":'.repeat(2e4), 'a: 1\n'.repeat(2e4), keys]) {
      expect(problemsOf(text)).to.not.deep.equal([]);
    }
  });

  function bomb(): string {
    const lines = ['a0: &a0 [x, x]'];
    for (let at = 1; at < 30; at += 1) lines.push(`a${at}: &a${at} [*a${at - 1}, *a${at - 1}]`);
    return lines.join('\n');
  }
});

describe('whatever the text', () => {
  const names = [
    'spec',
    'nodePools',
    'roles',
    'name',
    'version',
    'metadata',
    'persistence',
    'size',
    'replicas',
    'config',
  ];
  const hostile = [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'length',
    'state',
    'resources',
  ];
  const key = fc.oneof(fc.constantFrom(...names, ...hostile), fc.string());
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        fc.string(),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.constantFrom('master', '1Gi'),
      ),
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(key, tie('json'), { maxKeys: 5 }),
    ),
  }));
  const spec = fc.record(
    { version: json, nodePools: fc.array(json), config: json, plugins: json, minimumMasters: json, image: json },
    { requiredKeys: [] },
  );

  function expectCalm(text: string, old?: string): void {
    const found = problemsOf(text, old);
    for (const problem of found) expect(problem.reason).to.be.a('string').that.is.not.equal('');
    expect(({} as Tree)['b']).to.equal(undefined);
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
  }

  it('arbitrary JSON throws nothing but ManifestError', () => {
    fc.assert(
      fc.property(json, (value) => expectCalm(JSON.stringify(value))),
      { numRuns: 300 },
    );
  });

  it('an arbitrary spec, as new and as old one, throws nothing but ManifestError', () => {
    const property = fc.property(spec, spec, (one, other) => {
      const text = JSON.stringify({ ...goodManifest(), spec: { ...goodManifest().spec, ...one } });
      expectCalm(text, JSON.stringify({ ...goodManifest(), spec: { ...goodManifest().spec, ...other } }));
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('arbitrary text throws nothing but ManifestError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => expectCalm(text)),
      { numRuns: 500 },
    );
  });

  it('nothing reaches a prototype', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const inner = `{"${name}": {"b": 1, "prototype": {"b": 1}}}`;
      expectCalm(
        `{"kind":"ElasticsearchCluster","spec":{"config":${inner},"nodePools":[${inner}]},"metadata":${inner}}`,
      );
    }
    const { spec: built } = parseManifest(changed((m) => (m.spec.config = { 'constructor.prototype.b': 1 })));
    expect(built.config).to.deep.equal({ 'constructor.prototype.b': 1 });
  });
});
