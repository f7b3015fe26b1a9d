/** How the tests of manifests ask, and what they expect of an answer. */
import { expect } from 'chai';
import { stringify } from 'yaml';
import { ManifestError, parseManifest, type Problem } from '../../server/manifest/parse.ts';
import { goodManifest, type Row, type Tree } from './manifest.table.ts';

/** Every problem of a manifest; an error of another kind fails the test. */
export function problemsOf(text: string, old?: string): readonly Problem[] {
  try {
    parseManifest(text, old);
    return [];
  } catch (error) {
    if (error instanceof ManifestError) return error.problems;
    throw error;
  }
}

/** The good manifest after a change, as YAML. */
export function changed(change: (manifest: Tree) => unknown): string {
  const manifest = goodManifest();
  change(manifest);
  return stringify(manifest);
}

/** Fails where `found` has not what `row` expects, or shows a value without bounds. */
export function expectRefused(row: Row, found: readonly Problem[]): void {
  const told = found.some((problem) => problem.path === row.path && problem.reason.includes(row.reason));
  expect(told, `${row.path}: ${row.reason}; found ${JSON.stringify(found)}`).to.equal(true);
  for (const problem of found) expect(problem.value.length).to.be.at.most(120);
}
