/**
 * Makes dist/images/server and dist/images/pilot, the folders that the Dockerfiles beside this file build images of: one
 * bundled file each, and what cannot be bundled. Prints the sizes. With an entry and a file as its arguments it makes nothing
 * but that one file, of another program of this tree.
 */
import { build } from 'esbuild';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const modules = join(root, 'node_modules');
const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'));

/** In a bundle there is no package.json to look into. */
const versionIsKnown = {
  name: 'version',
  setup({ onLoad }) {
    const contents = `export const navigatorVersion = () => ${JSON.stringify(version)};`;
    onLoad({ filter: /[\\/]shared[\\/]version\.ts$/ }, () => ({ contents, loader: 'js' }));
  },
};

/** Some packages are CommonJS, and look for files beside themselves. */
const commonJs = [
  `import { createRequire as navigatorRequire } from 'node:module';`,
  'const require = navigatorRequire(import.meta.url);',
  'const __filename = import.meta.filename;',
  'const __dirname = import.meta.dirname;',
].join('\n');

async function bundle(entry, file) {
  await build({
    entryPoints: [join(root, entry)],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    keepNames: true,
    legalComments: 'linked',
    banner: { js: commonJs },
    external: ['koffi'],
    plugins: [versionIsKnown],
    logLevel: 'warning',
  });
}

function fresh(name) {
  const folder = join(root, 'dist/images', name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/** The proto files lie where both the server's code and two packages look from bin/server/server.mjs. */
async function server() {
  const folder = fresh('server');
  await bundle('server/main.ts', join(folder, 'bin/server/server.mjs'));
  const isProto = (path) => fs.statSync(path).isDirectory() || path.endsWith('.proto');
  fs.cpSync(join(root, 'proto'), join(folder, 'proto'), { recursive: true, filter: isProto });
  for (const beside of ['grpc-health-check/proto', '@grpc/reflection/build/proto']) {
    fs.cpSync(join(modules, beside), join(folder, 'proto'), { recursive: true });
  }
  return folder;
}

async function pilot() {
  const folder = fresh('pilot');
  await bundle('pilot/main.ts', join(folder, 'pilot.mjs'));
  fs.cpSync(join(here, 'pilot/install.mjs'), join(folder, 'install.mjs'));
  const koffi = join(folder, 'node_modules/koffi');
  for (const part of ['package.json', 'LICENSE.txt', 'index.js', 'src/koffi/index.js', 'src/koffi/src/static.js']) {
    fs.cpSync(join(modules, 'koffi', part), join(koffi, part));
  }
  const native = `@koromix/koffi-linux-${process.arch}`;
  const filter = (path) => !/[\\/]musl_[^\\/]*$/.test(path);
  fs.cpSync(join(modules, native), join(folder, 'node_modules', native), { recursive: true, filter });
  return folder;
}

function bytesOf(path) {
  if (!fs.statSync(path).isDirectory()) return fs.statSync(path).size;
  return fs.readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

const [entry, file] = process.argv.slice(2);
if (entry !== undefined && file !== undefined) {
  await bundle(entry, file);
  process.exit(0);
}

for (const make of [server, pilot]) {
  const folder = await make();
  console.log(`${make.name.padEnd(6)} ${(bytesOf(folder) / 2 ** 20).toFixed(1)} MiB beside Node`);
  for (const name of fs.readdirSync(folder)) {
    console.log(`         ${(bytesOf(join(folder, name)) / 2 ** 20).toFixed(2).padStart(6)} MiB ${name}`);
  }
}
