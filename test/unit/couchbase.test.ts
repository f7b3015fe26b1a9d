/** The rules of a CouchbaseCluster as the embedded runtime evaluates them, and the spec that comes of a good one. */
import { celProblems } from '../../server/manifest/cel.ts';
import { couchbaseClusterSchema } from '../../server/manifest/couchbasecluster.schema.ts';
import { openApiProblems } from '../../server/manifest/openapi.ts';
import type { Problem } from '../../server/manifest/problem.ts';
import { shapeObject } from '../../server/manifest/shape.ts';
import { expect } from 'chai';
import { couchbaseChangeRows, couchbaseRows, goodCouchbase } from './couchbase.table.ts';
import { parseManifest } from '../../server/manifest/parse.ts';
import { expectRefused } from './manifest.ask.ts';
import { goodManifest, type Tree } from './manifest.table.ts';
import { stringify } from 'yaml';

function problemsOf(manifest: Tree, old?: Tree): readonly Problem[] {
  const object = shapeObject(manifest, couchbaseClusterSchema, []);
  const former = old === undefined ? undefined : shapeObject(old, couchbaseClusterSchema, []);
  const shape = openApiProblems(couchbaseClusterSchema, object);
  return [...shape, ...celProblems(couchbaseClusterSchema, object, former, shape.length === 0)];
}

function changed(change: (manifest: Tree) => unknown): Tree {
  const manifest = goodCouchbase();
  change(manifest);
  return manifest;
}

describe('a CouchbaseCluster', () => {
  it('is accepted where it is good, once and again', () => {
    expect(problemsOf(goodCouchbase(), goodCouchbase())).to.deep.equal([]);
  });
  for (const row of couchbaseRows) {
    it(`is refused: ${row.rule}`, () => expectRefused(row, problemsOf(changed(row.change))));
  }
  for (const row of couchbaseChangeRows) {
    it(`is refused after another one: ${row.rule}`, () => {
      expectRefused(row, problemsOf(changed(row.change), changed(row.after ?? ((): void => {}))));
    });
  }

  it('may go back to an older version, as far as a schema can see', () => {
    expect(
      problemsOf(
        changed((m) => (m.spec.version = '6.6.5')),
        goodCouchbase(),
      ),
    ).to.deep.equal([]);
  });

  it('has users and groups with roles as the database writes them', () => {
    const access = changed((m) => {
      m.spec.groups = [{ name: 'readers', roles: ['bucket_admin[travel]', 'ro_admin', 'data_reader[a:b.c]'] }];
      m.spec.users = [{ name: 'app', secretName: 'app', groups: ['readers'] }];
    });
    expect(problemsOf(access)).to.deep.equal([]);
    const { users, groups } = parseManifest(stringify(access)).spec.couchbase ?? {};
    expect(users).to.deep.equal([{ name: 'app', secretName: 'app', roles: [], groups: ['readers'] }]);
    expect(groups?.[0]?.roles).to.include('bucket_admin[travel]');
  });

  it('is upgraded by swaps unless it says otherwise', () => {
    expect(parseManifest(stringify(goodCouchbase())).spec.couchbase?.upgrade).to.equal('swap');
    const inPlace = changed((m) => (m.spec.updateStrategy = { type: 'InPlace' }));
    expect(parseManifest(stringify(inPlace)).spec.couchbase?.upgrade).to.equal('in_place');
  });

  it('becomes a spec with its services as roles, its buckets and its quotas', () => {
    const { spec } = parseManifest(stringify(goodCouchbase()));
    expect(spec.application).to.equal('couchbase');
    expect(spec.nodePools[0]?.roles).to.include('data');
    expect(spec.couchbase?.autoFailover).to.have.keys('enabled', 'timeout', 'maxCount');
    expect(spec.couchbase?.memoryQuotas['data']).to.be.at.least(256);
  });

  it('cannot replace a cluster of another application, nor carry raw settings', () => {
    const problems = (text: string, old?: string): string => {
      try {
        parseManifest(text, old);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const good = stringify(goodCouchbase());
    expect(problems(good, stringify(goodManifest()))).to.contain('is the kind of another cluster');
    const raw = goodCouchbase();
    (raw.spec as Tree).config = { 'some.setting': 1 };
    expect(problems(stringify(raw))).to.contain('are not carried out');
  });
});
