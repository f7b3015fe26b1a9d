/**
 * The bases of all images of the end-to-end tests: a small Debian, and on it Node or a Java runtime. They stand in for
 * public images where no registry of images can be reached.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../cluster/command.ts';
import type { ImageStore } from './buildah.ts';

const bootstrapWithinMs = 10 * 60_000;

export interface Bases {
  /** Node at the place where the public image has it. */
  readonly node: string;
  readonly java: string;
  readonly javaHome: string;
}

export const javaHome = '/usr/lib/jvm/java';

/** Makes them once. `node` is the program that becomes the one in the image. */
export async function makeBases(store: ImageStore, node: string, say: (line: string) => void): Promise<Bases> {
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'bookworm';
  const debian = `localhost/navigator-e2e/debian:${suite}`;
  if (!(await store.has(debian))) await bootstrap(store, { suite, name: debian, say });
  const hash = createHash('sha256').update(readFileSync(node)).digest('hex').slice(0, 8);
  const withNode = `localhost/navigator-e2e/node:${hash}`;
  await derive(store, { from: debian, name: withNode }, async (container) => {
    await store.buildah('copy', '--chmod', '0755', container, node, '/usr/local/bin/node');
  });
  // The official images have curl, too.
  const withJava = `localhost/navigator-e2e/java:${suite}-17-curl`;
  await derive(store, { from: debian, name: withJava }, async (container) => {
    say('installing a Java runtime into an image, once …');
    const script = `apt-get update -q && apt-get install -q -y --no-install-recommends openjdk-17-jre-headless curl
      apt-get clean && rm -rf /var/lib/apt/lists/* && ln -s /usr/lib/jvm/java-17-openjdk-* ${javaHome} && ${javaHome}/bin/java -version`;
    await store.buildah('run', '--isolation', 'chroot', container, '--', 'sh', '-ec', script);
  });
  return { node: withNode, java: withJava, javaHome };
}

async function bootstrap(
  store: ImageStore,
  { suite, name, say }: { suite: string; name: string; say: (line: string) => void },
): Promise<void> {
  say(`making a Debian ${suite} for images, once …`);
  const folder = join(store.folder, `debootstrap-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await command('debootstrap', ['--variant=minbase', suite, folder], { limitMs: bootstrapWithinMs });
    rmSync(join(folder, 'var/cache/apt/archives'), { recursive: true, force: true });
    await derive(store, { from: 'scratch', name }, async (container) => {
      await store.buildah('copy', '-q', container, folder, '/');
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function derive(
  store: ImageStore,
  { from, name }: { readonly from: string; readonly name: string },
  change: (container: string) => Promise<void>,
): Promise<void> {
  if (await store.has(name)) return;
  const container = (await store.buildah('from', '--pull-never', from)).trim();
  try {
    await change(container);
    await store.buildah('commit', '-q', container, name);
  } finally {
    await store.buildah('rm', container).catch(() => undefined);
  }
}
