/**
 * The entrypoint of the pilot's image, an init container of every member: copies the pilot with its Node into the folder
 * that is its argument, from where the database's container runs it.
 */
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error('usage: install.mjs FOLDER');
  process.exit(2);
}
mkdirSync(target, { recursive: true });
for (const name of readdirSync(import.meta.dirname)) {
  // Removed first: a program that runs cannot be written to.
  rmSync(join(target, name), { recursive: true, force: true });
  // Node is a link here, so that the image holds it once.
  cpSync(join(import.meta.dirname, name), join(target, name), { recursive: true, dereference: true });
}
console.log(`the pilot is in ${target}`);
