/**
 * Writes the CustomResourceDefinitions from the schemas in server/manifest/ to where the kustomization and the Helm chart look
 * for them. With a folder as its argument it writes below that instead, so that what is committed can be compared.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crdFiles } from '../server/manifest/crd.ts';

const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
const files = crdFiles();
// A chart cannot name files outside of its folder, and a symbolic link does not survive every copy of a tree.
for (const folder of ['deploy/crds', 'deploy/helm/navigator/crds'].map((path) => join(root, path))) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}
