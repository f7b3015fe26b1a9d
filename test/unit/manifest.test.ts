import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { celProblems } from '../../server/manifest/cel.ts';
import { couchbaseClusterSchema } from '../../server/manifest/couchbasecluster.schema.ts';
import { elasticsearchClusterSchema } from '../../server/manifest/elasticsearchcluster.schema.ts';
import { ManifestError, parseManifest } from '../../server/manifest/parse.ts';
import { quantityOf } from '../../server/manifest/quantity.ts';
import type { StructuralSchema } from '../../server/manifest/schema.ts';
import { NavigatorError } from '../../shared/errors.ts';
import { changed, expectRefused, problemsOf } from './manifest.ask.ts';
import { acceptedChanges, changeRows } from './manifest.change.table.ts';
import { goodCouchbase } from './couchbase.table.ts';
import { goodManifest, ownedRows, rows, type Tree } from './manifest.table.ts';
import { couchbaseVersionWays, versionWays } from './manifest.version.table.ts';

const examples = new URL('../../deploy/examples/', import.meta.url);
const mebibyte = 2 ** 20;

describe('a manifest is refused where it breaks a rule', () => {
  for (const row of rows) it(row.rule, () => expectRefused(row, problemsOf(changed(row.change))));

  for (const [setting, reason] of ownedRows) {
    it(`${setting} belongs to Navigator, in the cluster and in a pool, flat or nested`, () => {
      const nested = setting.split('.').reduceRight<unknown>((below, name) => ({ [name]: below }), 'mine');
      for (const config of [{ [setting]: 'mine' }, nested]) {
        const path = `spec.config.${setting}`;
        expectRefused(
          { rule: '', change: () => {}, path, reason },
          problemsOf(changed((m) => (m.spec.config = config))),
        );
        const found = problemsOf(changed((m) => (m.spec.nodePools[1].config = config)));
        expectRefused({ rule: '', change: () => {}, path: `spec.nodePools[1].config.${setting}`, reason }, found);
      }
    });
  }
});

describe('a change is refused where it breaks a rule', () => {
  for (const row of changeRows) {
    it(row.rule, () => expectRefused(row, problemsOf(changed(row.change), changed(row.after ?? (() => {})))));
  }
});

describe('a change is accepted', () => {
  for (const [what, from, change] of acceptedChanges) {
    it(what, () => {
      const old = changed((m) => (m.spec.version = from));
      const text = changed((m) => {
        m.spec.version = from;
        change(m);
      });
      expect(problemsOf(text, old)).to.deep.equal([]);
    });
  }
});

describe('the way from one version to the next begins where the members are', () => {
  for (const [schema, good, ways] of [
    [elasticsearchClusterSchema, goodManifest, versionWays],
    [couchbaseClusterSchema, goodCouchbase, couchbaseVersionWays],
  ] as const) {
    for (const { rule, status, from, to, refused } of ways) {
      it(`${good().kind as string}: ${rule}`, () => {
        const [old, wanted] = [good(), good()].map((manifest): Tree => ({ ...manifest, status }));
        old!.spec.version = from;
        wanted!.spec.version = to;
        const found = celProblems(schema, wanted, old, true).filter(({ path }) => path === 'spec.version');
        if (refused === undefined) expect(found).to.deep.equal([]);
        else expectRefused({ rule, change: () => {}, path: 'spec.version', reason: refused }, found);
      });
    }
  }

  it('a status that somebody writes into a manifest says nothing', () => {
    const old = changed((m) => (m.spec.version = '6.8.23'));
    const wanted = changed((m) => {
      m.spec.version = '5.6.16';
      m.status = { observedGeneration: 1, version: '5.6.16', acceptedVersion: '5.6.16' };
    });
    const row = { rule: '', change: () => {}, path: 'spec.version', reason: 'downgrade from 6.8.23' };
    expectRefused(row, problemsOf(wanted, old));
  });
});

describe('a manifest that is accepted', () => {
  it('has every default filled in', () => {
    const text = changed((m) => delete m.spec.nodePools[0].replicas);
    const { spec, warnings, manifest } = parseManifest(text);
    expect(manifest).to.equal(text);
    expect(warnings).to.deep.equal([]);
    expect(spec).to.deep.equal({
      id: { namespace: 'default', name: 'demo' },
      application: 'elasticsearch',
      version: '5.6.16',
      paused: false,
      plugins: [],
      config: {},
      maxUnavailable: 1,
      runAsUser: 1000,
      deletionProtected: false,
      nodePools: [
        { name: 'node', replicas: 1, roles: ['master', 'data', 'ingest'], config: {}, heapBytes: 128 * mebibyte },
        {
          name: 'data',
          replicas: 2,
          roles: ['data'],
          config: {},
          heapBytes: 128 * mebibyte,
          persistence: { sizeBytes: 10 * 2 ** 30, storageClass: 'fast', onDelete: 'Retain', onScaleDown: 'Retain' },
        },
      ],
    });
  });

  it('may be JSON, and null is as good as nothing', () => {
    const manifest = goodManifest();
    manifest.spec.minimumMasters = null;
    manifest.spec.nodePools[0].replicas = null;
    const { spec } = parseManifest(JSON.stringify(manifest));
    expect(spec.nodePools[0]?.replicas).to.equal(1);
    expect(spec).to.not.have.property('minimumMasters');
  });

  it('has flat settings, whichever way they were written', () => {
    const { spec } = parseManifest(changed((m) => (m.spec.config = { a: { b: 1, 'c.d': [1, 'x'] }, 'e.f': false })));
    expect(spec.config).to.deep.equal({ 'a.b': 1, 'a.c.d': [1, 'x'], 'e.f': false });
  });

  it('gives half of the memory to the heap, and never more than 31 GiB', () => {
    for (const [memory, heap] of [
      ['2Gi', 1024],
      ['3000Mi', 1500],
      ['256Gi', 31 * 1024],
      [300 * mebibyte, 150],
    ] as const) {
      const { spec } = parseManifest(changed((m) => (m.spec.nodePools[0].resources = { limits: { memory } })));
      expect(spec.nodePools[0]?.heapBytes).to.equal(heap * mebibyte);
    }
  });

  it('of one pool has as many members as kubectl scale has set', () => {
    const text = changed((m) => {
      m.spec.nodePools.length = 1;
      m.spec.replicas = 5;
    });
    expect(parseManifest(text).spec.nodePools.map(({ replicas }) => replicas)).to.deep.equal([5]);
  });

  it('may be protected against deletion', () => {
    const annotations = { 'navigator.jetstack.io/deletion-protection': 'true' };
    expect(parseManifest(changed((m) => (m.metadata.annotations = annotations))).spec.deletionProtected).to.equal(true);
  });

  it('names every field that it ignored, with a guess at what was meant', () => {
    const { warnings } = parseManifest(
      changed((m) => {
        m.spec.nodePools[0].replica = 3;
        m.spec.sysctls = ['a=b'];
        m.spec.unheardOf = 1;
      }),
    );
    expect(warnings).to.have.length(3);
    expect(warnings.join('\n')).to.include('spec.nodePools[0].replica is not a known field');
    expect(warnings.join('\n'))
      .to.include('did you mean replicas?')
      .and.include('spec.sysctls')
      .and.include('unheardOf');
  });
});

describe('manifests of the first Navigator', () => {
  it('list plugins as maps with a name', () => {
    const { spec } = parseManifest(
      changed((m) => (m.spec.plugins = [{ name: 'analysis-icu' }, 'x-pack', 'file:/a.zip'])),
    );
    expect(spec.plugins).to.deep.equal(['analysis-icu', 'x-pack', 'file:/a.zip']);
  });

  it('switch persistence off by enabled: false', () => {
    for (const persistence of [{ enabled: false }, { enabled: false, size: '1Gi' }]) {
      const { spec } = parseManifest(changed((m) => (m.spec.nodePools[1].persistence = persistence)));
      expect(spec.nodePools[1]).to.not.have.property('persistence');
    }
  });

  it('keep their volumes, whichever level they stand at', () => {
    const { spec, warnings } = parseManifest(readFileSync(new URL('legacy.yaml', examples), 'utf8'));
    expect(spec.nodePools.map((pool) => pool.persistence?.sizeBytes)).to.deep.equal([10 * 2 ** 30, 5 * 2 ** 30]);
    expect(warnings.join('\n')).to.include('sysctls').and.include('nodePools[1].state').and.include('spec.pilotImage');
  });
});

describe('examples', () => {
  for (const name of readdirSync(examples).filter((entry) => /\.(ya?ml|json)$/.test(entry))) {
    it(`${name} applies, once and again`, () => {
      const text = readFileSync(new URL(name, examples), 'utf8');
      expect(problemsOf(text)).to.deep.equal([]);
      expect(problemsOf(text, text)).to.deep.equal([]);
      if (name !== 'legacy.yaml') expect(parseManifest(text).warnings).to.deep.equal([]);
    });
  }
});

describe('problems', () => {
  it('are told all at once, in order, with the value that stands there', () => {
    const text = changed((m) => {
      m.apiVersion = 'v1';
      m.spec.version = '7.17.0';
      m.spec.config = { node: { name: 'x'.repeat(300) } };
      m.spec.plugins = [{ nom: 'a' }];
      m.spec.nodePools[0].replicas = -1;
      m.spec.nodePools[1].roles = ['data', 'dta'];
      m.spec.nodePools[1].persistence.size = '1Gi';
    });
    const found = problemsOf(
      text,
      changed(() => {}),
    );
    expect(found.map((problem) => problem.path)).to.deep.equal([
      'apiVersion',
      'spec.config.node.name',
      'spec.nodePools',
      'spec.nodePools[0].replicas',
      'spec.nodePools[1].persistence.size',
      'spec.nodePools[1].roles',
      'spec.nodePools[1].roles[1]',
      'spec.plugins[0]',
      'spec.version',
    ]);
    expect(found[7]?.value).to.equal('{"nom":"a"}');
    expect(found[1]?.value).to.have.length(120);
  });

  it('make one error that says it all, of the code invalid', () => {
    const work = (): unknown => parseManifest(changed((m) => (m.spec.nodePools[1].roles = ['dta'])));
    expect(work).to.throw(ManifestError, 'spec.nodePools[1].roles[0]: must be one of');
    expect(work).to.throw(NavigatorError).that.has.property('code', 'invalid');
  });
});

describe('quantities', () => {
  const known: readonly (readonly [unknown, number | undefined])[] = [
    ['1', 1],
    ['10Gi', 10 * 2 ** 30],
    ['1.5Ki', 1536],
    ['500M', 5e8],
    ['100m', 0.1],
    ['1e3', 1000],
    ['2E', 2e18],
    [7, 7],
    ['.5', 0.5],
    ['', undefined],
    ['Gi', undefined],
    ['1 Gi', undefined],
    ['1GB', undefined],
    ['1e999', undefined],
    ['0x10', undefined],
    [true, undefined],
    [null, undefined],
    [Number.NaN, undefined],
    ['1'.repeat(50), undefined],
  ];
  for (const [written, value] of known) {
    it(`${JSON.stringify(written)} is ${value ?? 'none'}`, () => expect(quantityOf(written)).to.equal(value));
  }
});

describe('the schema', () => {
  it('is structural: every node has a type, or says why not, and bounds what CEL walks over', () => {
    const visit = (schema: StructuralSchema, path: string): void => {
      const free = schema['x-kubernetes-int-or-string'] ?? schema['x-kubernetes-preserve-unknown-fields'] ?? false;
      expect(schema.type !== undefined || free, path).to.equal(true);
      if (schema.type === 'array') expect(schema.maxItems, path).to.be.a('number');
      for (const rule of schema['x-kubernetes-validations'] ?? []) expect(rule.message, path).to.not.equal('');
      for (const [name, below] of Object.entries(schema.properties ?? {})) visit(below, `${path}.${name}`);
      if (schema.items !== undefined) visit(schema.items, `${path}[]`);
      if (schema.additionalProperties !== undefined) visit(schema.additionalProperties, `${path}{}`);
    };
    visit(elasticsearchClusterSchema, '');
  });

  it('is plain JSON, so that it can be written into a CustomResourceDefinition', () => {
    expect(JSON.parse(JSON.stringify(elasticsearchClusterSchema))).to.deep.equal(elasticsearchClusterSchema);
  });
});
