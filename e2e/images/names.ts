/** What the images are called, as the manifests in deploy/ say it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Names } from './images.ts';

interface Deployment {
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
}

interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}

/** Of the Deployment that is shipped, and of the database's makers. */
export function shippedNames(): Names {
  const file = join(import.meta.dirname, '../../deploy/server/deployment.yaml');
  const { spec } = parse(readFileSync(file, 'utf8')) as Deployment;
  const container = spec.template.spec.containers[0];
  const pilot = container?.env.find(({ name }) => name === 'NAVIGATOR_PILOT_IMAGE')?.value;
  if (container === undefined || pilot === undefined) throw new Error(`${file} names no images`);
  return {
    server: container.image,
    pilot,
    couchbase: (version) => `docker.io/couchbase/server:${version}`,
    elasticsearch: (version) => `docker.elastic.co/elasticsearch/elasticsearch:${version}`,
  };
}
