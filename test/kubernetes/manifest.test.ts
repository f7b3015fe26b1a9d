/** What the real API server says to every manifest of the tables, by which the embedded runtime is held, too. */
import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ownedSettings, type OwnedSetting } from '../../server/manifest/config.ts';
import type { Answer } from '../support/kubernetes/call.ts';
import { useKubernetes } from '../support/kubernetes/shared.ts';
import { couchbaseChangeRows, couchbaseRows, goodCouchbase } from '../unit/couchbase.table.ts';
import { legacyManifests } from '../unit/legacy.table.ts';
import { acceptedChanges, changeRows } from '../unit/manifest.change.table.ts';
import { goodManifest, rows, type Row, type Tree } from '../unit/manifest.table.ts';
import { couchbaseVersionWays, versionWays } from '../unit/manifest.version.table.ts';

const kubernetes = useKubernetes();
const examples = join(import.meta.dirname, '../../deploy/examples');
const keep = (): void => {};

interface Cause {
  readonly field: string;
  readonly message: string;
}

/** What was refused, where; a refusal without causes has no place. It writes `limits[memory]`, or `limits.[memory]`. */
function causesOf({ body }: Answer): readonly Cause[] {
  const causes = (body.details?.causes ?? [{ field: '', message: body.message }]) as readonly Cause[];
  return causes.map(({ field, message }) => ({
    field: field.replaceAll('.[', '[').replace(/\[\.?([^\d\]][^\]]*)\]/g, '.$1'),
    message,
  }));
}

/** As `kubectl create` does it by default: what the schema does not know is refused. */
function create(namespace: string, manifest: Tree, plural: string): Promise<Answer> {
  const path = `/apis/navigator.jetstack.io/v1alpha1/namespaces/${namespace}/${plural}?fieldValidation=Strict`;
  return kubernetes().call('POST', path, manifest);
}

function replace(created: Answer, manifest: Tree, plural: string): Promise<Answer> {
  const { namespace, name, resourceVersion } = created.body.metadata as Record<string, string>;
  const path = `/apis/navigator.jetstack.io/v1alpha1/namespaces/${namespace}/${plural}/${name}?fieldValidation=Strict`;
  return kubernetes().call('PUT', path, { ...manifest, metadata: { ...manifest.metadata, resourceVersion } });
}

function expectVerdict(row: Row, answer: Answer): void {
  if (row.kubernetes === 'server') {
    expect(answer.status, JSON.stringify(answer.body)).to.be.oneOf([200, 201]);
    return;
  }
  const path = row.kubernetes?.path ?? row.path;
  const reason = row.kubernetes?.reason ?? row.reason;
  expect(answer.status, JSON.stringify(answer.body)).to.be.oneOf([400, 422]);
  const found = causesOf(answer);
  const told = found.some((cause) => cause.field === path && cause.message.includes(reason));
  expect(told, `${path}: ${reason}; found ${JSON.stringify(found)}`).to.equal(true);
}

function changed(good: () => Tree, change: (manifest: Tree) => unknown): Tree {
  const manifest = good();
  change(manifest);
  return manifest;
}

const kinds = [
  { plural: 'elasticsearchclusters', good: goodManifest, rows, changeRows },
  { plural: 'couchbaseclusters', good: goodCouchbase, rows: couchbaseRows, changeRows: couchbaseChangeRows },
];

for (const { plural, good, rows: refused, changeRows: refusedChanges } of kinds) {
  describe(`the API server on ${plural}`, () => {
    it('takes the good manifest, and fills in the defaults', async () => {
      const { status, body } = await create(await kubernetes().namespace(), good(), plural);
      expect(status, JSON.stringify(body)).to.equal(201);
      expect(body.spec).to.deep.include({
        paused: false,
        securityContext: { runAsUser: 1000, fsGroup: 1000 },
        updateStrategy: { maxUnavailable: 1, ...(plural === 'couchbaseclusters' && { type: 'SwapRebalance' }) },
      });
    });

    for (const row of refused) {
      it(`refuses: ${row.rule}`, async () => {
        expectVerdict(row, await create(await kubernetes().namespace(), changed(good, row.change), plural));
      });
    }

    for (const row of refusedChanges) {
      it(`refuses the change: ${row.rule}`, async () => {
        const created = await create(await kubernetes().namespace(), changed(good, row.after ?? keep), plural);
        expect(created.status, JSON.stringify(created.body)).to.equal(201);
        expectVerdict(row, await replace(created, changed(good, row.change), plural));
        expect((await replace(created, changed(good, row.after ?? keep), plural)).status).to.equal(200);
      });
    }

    it('passes through what is for Kubernetes alone', async () => {
      const forPods = {
        nodeSelector: { 'example.com/disk': 'fast' },
        tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
        affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1 }] } },
        schedulerName: 'own',
        podTemplate: { metadata: { labels: { a: 'b' } }, spec: { priorityClassName: 'high' } },
        resources: { limits: { memory: '4Gi', cpu: 2 }, requests: { 'example.com/device': 1 } },
      };
      const manifest = changed(good, (m) => Object.assign(m.spec.nodePools[0], forPods));
      const { status, body } = await create(await kubernetes().namespace(), manifest, plural);
      expect(status, JSON.stringify(body)).to.equal(201);
      expect(body.spec.nodePools[0]).to.deep.include(forPods);
    });

    it('refuses a field that nobody knows, and names it', async () => {
      const answer = await create(
        await kubernetes().namespace(),
        changed(good, (m) => (m.spec.replica = 3)),
        plural,
      );
      expect([answer.status, answer.body.message]).to.deep.equal([400, answer.body.message]);
      expect(answer.body.message).to.include('unknown field "spec.replica"');
    });
  });
}

describe('the API server on a change that may be', () => {
  for (const [what, from, change] of acceptedChanges) {
    it(`takes ${what}`, async () => {
      const before = (m: Tree): unknown => (m.spec.version = from);
      const created = await create(
        await kubernetes().namespace(),
        changed(goodManifest, before),
        'elasticsearchclusters',
      );
      const after = changed(goodManifest, (m) => {
        before(m);
        change(m);
      });
      const answer = await replace(created, after, 'elasticsearchclusters');
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    });
  }
});

describe('the API server on the way from one version to the next', () => {
  for (const [plural, good, ways] of [
    ['elasticsearchclusters', goodManifest, versionWays],
    ['couchbaseclusters', goodCouchbase, couchbaseVersionWays],
  ] as const) {
    for (const { rule, status, from, to, refused } of ways) {
      it(`${refused === undefined ? 'takes' : 'refuses'} of ${plural}: ${rule}`, async () => {
        const at = (version: string): Tree => changed(good, (m) => (m.spec.version = version));
        const created = await create(await kubernetes().namespace(), at(from), plural);
        const { namespace, name } = created.body.metadata as Record<string, string>;
        const path = `/apis/navigator.jetstack.io/v1alpha1/namespaces/${namespace}/${plural}/${name}/status`;
        const told = await kubernetes().call('PATCH', path, { status }, 'application/merge-patch+json');
        expect(told.status, JSON.stringify(told.body)).to.equal(200);
        const answer = await replace(told, at(to), plural);
        if (refused === undefined) expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
        else expectVerdict({ rule, change: keep, path: 'spec.version', reason: refused }, answer);
      });
    }
  }
});

describe('the API server on settings that belong to Navigator', () => {
  const natural: Readonly<Record<OwnedSetting['type'], unknown>> = {
    string: 'mine',
    strings: ['mine'],
    integer: 9200,
    boolean: true,
  };
  for (const { key, type, reason } of ownedSettings.filter((setting) => setting.key.includes('.'))) {
    it(`refuses ${key}, in the cluster and in a pool, flat or nested`, async () => {
      const value = natural[type];
      const nested = key.split('.').reduceRight<unknown>((below, name) => ({ [name]: below }), value);
      const namespace = await kubernetes().namespace();
      for (const config of [{ [key]: value }, nested]) {
        for (const place of ['spec.config', 'spec.nodePools[1].config']) {
          const manifest = changed(goodManifest, (m) => {
            (place === 'spec.config' ? m.spec : m.spec.nodePools[1]).config = config;
          });
          const answer = await create(namespace, manifest, 'elasticsearchclusters');
          const row = { rule: key, change: keep, path: `${place}.${key}`, reason };
          // The whole of `path` is Navigator's.
          const whole = { ...row, path: `${place}.path` };
          expectVerdict(key.startsWith('path.') && config === nested ? whole : row, answer);
        }
      }
    });
  }

  it('takes every other setting', async () => {
    const config = { 'node.attr.rack': 'r1', node: { attr: { zone: 'z1' } }, 'indices.query.bool.max_clause_count': 1 };
    const manifest = changed(goodManifest, (m) => (m.spec.config = config));
    const answer = await create(await kubernetes().namespace(), manifest, 'elasticsearchclusters');
    expect(answer.body.spec?.config, JSON.stringify(answer.body)).to.deep.equal(config);
  });
});

describe('the API server takes unchanged', () => {
  for (const name of readdirSync(examples)) {
    it(`deploy/examples/${name}`, async () => {
      const manifest = parse(readFileSync(join(examples, name), 'utf8')) as Tree;
      const answer = await create(await kubernetes().namespace(), manifest, `${String(manifest.kind).toLowerCase()}s`);
      expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    });
  }

  for (const [what, manifest] of legacyManifests) {
    it(`${what} of the first Navigator, once and again`, async () => {
      const created = await create(await kubernetes().namespace(), manifest, 'elasticsearchclusters');
      expect(created.status, JSON.stringify(created.body)).to.equal(201);
      expect((await replace(created, manifest, 'elasticsearchclusters')).status).to.equal(200);
    });
  }
});
