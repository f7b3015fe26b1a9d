/** The Helm chart says the same as the kustomization, and can say less where it is asked to. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { hasGo } from '../support/grpcurl.ts';
import { helmRenderer } from '../support/kubernetes/helm.ts';

const deploy = join(import.meta.dirname, '../../deploy');
const buildWithinMs = 20 * 60_000;

interface Thing {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** By kind, namespace and name. */
function objectsIn(text: string): ReadonlyMap<string, Thing> {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Thing | null);
  const things = documents.filter((thing) => thing !== null);
  const keyOf = ({ kind, metadata }: Thing): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  return new Map(things.map((thing) => [keyOf(thing), thing]));
}

/** The kustomization is a list of files, and nothing is changed on the way. */
function kustomized(): ReadonlyMap<string, Thing> {
  const { apiVersion, kind, resources, ...more } = parse(readFileSync(join(deploy, 'kustomization.yaml'), 'utf8')) as {
    apiVersion: string;
    kind: string;
    resources: readonly string[];
  };
  expect([apiVersion, kind, more]).to.deep.equal(['kustomize.config.k8s.io/v1beta1', 'Kustomization', {}]);
  return objectsIn(resources.map((file) => readFileSync(join(deploy, file), 'utf8')).join('\n---\n'));
}

describe('the Helm chart', function () {
  this.timeout(buildWithinMs);
  let program: string;

  before(async function () {
    if (!hasGo() && process.env['CI'] === undefined) return this.skip();
    program = await helmRenderer((line) => void process.stderr.write(`chart: ${line}\n`));
  });

  it('makes the same objects as the kustomization', () => {
    const chart = join(deploy, 'helm/navigator');
    const rendered = objectsIn(execFileSync(program, [chart, 'navigator-system'], { encoding: 'utf8' }));
    const wanted = kustomized();
    expect([...rendered.keys()].toSorted()).to.deep.equal([...wanted.keys()].toSorted());
    for (const [key, thing] of wanted) expect(rendered.get(key), key).to.deep.equal(thing);
  });

  it('is not compared with nothing', () => {
    expect([...kustomized().keys()]).to.include.members([
      'Deployment navigator-system/navigator',
      'ClusterRole /navigator',
    ]);
  });
});
