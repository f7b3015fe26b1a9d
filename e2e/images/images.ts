/** Every image that the end-to-end tests need, built or taken from the cache. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '../../shared/log.ts';
import { distributionFor } from '../../server/runtime/local/distribution.ts';
import { cacheDirectory } from '../../server/runtime/local/places.ts';
import { command } from '../cluster/command.ts';
import { corednsImage } from '../cluster/dns.ts';
import { pauseImage } from '../cluster/node.ts';
import type { Programs } from '../cluster/programs.ts';
import { makeBases, type Bases } from './bases.ts';
import { ImageStore, type Image } from './buildah.ts';

const root = join(import.meta.dirname, '../..');
const here = import.meta.dirname;
const bundler = join(root, 'deploy/images/bundle.mjs');

export const elasticsearchVersions = ['5.6.16', '6.8.23'];
const couchbaseVersions = ['7.6.8', '7.6.9'];

export interface Names {
  readonly server: string;
  readonly pilot: string;
  /** What the server takes for a version where the manifest names no image. */
  readonly elasticsearch: (version: string) => string;
  readonly couchbase: (version: string) => string;
}

/** Builds all of them. The order is that of use. */
export async function makeImages(programs: Programs, names: Names, say: (line: string) => void): Promise<Image[]> {
  const folder = join(cacheDirectory(process.env), 'e2e-images');
  const store = new ImageStore(folder);
  const contexts = join(folder, `contexts-${process.pid}`);
  const context = (name: string): string => {
    mkdirSync(join(contexts, name), { recursive: true });
    return join(contexts, name);
  };
  try {
    const images = [await makePause(store, context('pause')), await makeDns(store, context('coredns'), programs)];
    const bases = await makeBases(store, process.execPath, say);
    images.push(...(await makeOurs(store, bases, names)));
    for (const version of elasticsearchVersions) {
      images.push(await makeElasticsearch(store, { bases, version, names, context: context(version) }));
    }
    for (const version of couchbaseVersions) {
      images.push(await makeCouchbase(store, { bases, version, names, context: context(version) }));
    }
    for (const image of images) {
      store.forgetOthers(image);
      say(`image ${image.name} ${(image.bytes / 2 ** 20).toFixed(1)} MiB`);
    }
    return images;
  } finally {
    rmSync(contexts, { recursive: true, force: true });
  }
}

async function makePause(store: ImageStore, context: string): Promise<Image> {
  await command('gcc', ['-Os', '-static', '-s', '-o', join(context, 'pause'), join(here, 'pause/pause.c')]);
  return store.build({ name: pauseImage, dockerfile: join(here, 'pause/Dockerfile'), context, arguments: {} });
}

async function makeDns(store: ImageStore, context: string, programs: Programs): Promise<Image> {
  cpSync(programs.coredns, join(context, 'coredns'));
  return store.build({ name: corednsImage, dockerfile: join(here, 'coredns/Dockerfile'), context, arguments: {} });
}

/** The two that are shipped, of their own Dockerfiles. */
async function makeOurs(store: ImageStore, bases: Bases, names: Names): Promise<Image[]> {
  await command(process.execPath, [bundler], { cwd: root });
  const build = (part: 'server' | 'pilot'): Promise<Image> =>
    store.build({
      name: names[part],
      dockerfile: join(root, 'deploy/images', part, 'Dockerfile'),
      context: join(root, 'dist/images', part),
      arguments: { BASE: bases.node },
    });
  return [await build('server'), await build('pilot')];
}

interface DatabaseOrder {
  readonly bases: Bases;
  readonly version: string;
  readonly names: Names;
  readonly context: string;
}

async function makeElasticsearch(store: ImageStore, order: DatabaseOrder): Promise<Image> {
  const { bases, version, names, context } = order;
  const log = createLogger('e2e', 'warn');
  const distribution = await distributionFor(version, { cacheDir: cacheDirectory(process.env), log });
  cpSync(distribution, join(context, 'elasticsearch'), { recursive: true });
  const library = ['-shared', '-fPIC', '-Os', '-s', '-o', join(context, 'nofile.so')];
  await command('gcc', [...library, join(here, 'elasticsearch/nofile.c')]);
  return await store.build({
    name: names.elasticsearch(version),
    dockerfile: join(here, 'elasticsearch/Dockerfile'),
    context,
    arguments: { BASE: bases.java, JAVA_HOME: bases.javaHome },
  });
}

/** The simulator in place of the database, which no registry that can be reached has. The pilot tells it its version. */
async function makeCouchbase(store: ImageStore, { bases, version, names, context }: DatabaseOrder): Promise<Image> {
  const home = join(context, 'couchbase');
  for (const folder of ['bin', 'var/lib/couchbase']) mkdirSync(join(home, folder), { recursive: true });
  cpSync(join(here, 'couchbase/couchbase-server'), join(home, 'bin/couchbase-server'));
  const file = join(home, 'lib/simulator.mjs');
  await command(process.execPath, [bundler, 'test/couchbase/simulator/main.ts', file], { cwd: root });
  const dockerfile = join(here, 'couchbase/Dockerfile');
  return await store.build({ name: names.couchbase(version), dockerfile, context, arguments: { BASE: bases.node } });
}
