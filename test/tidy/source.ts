/** Files of this clone, read the way a rule wants them. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** One file. `path` is relative to the root, with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** One broken rule, said so that a reader can go and mend it. */
export interface Violation {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export type Rule = (source: Source) => readonly Violation[];

const root = dirname(dirname(import.meta.dirname));
const leftOut = new Set(['.git', 'node_modules', 'coverage', 'dist', '.cache']);

/** Everything that is tracked, or would be; where git does not answer (an unpacked archive), everything that is not left out. */
export function listFiles(): readonly string[] {
  try {
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const out = execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const paths = out.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
    if (paths.length > 0) return paths;
  } catch {
    // Not a git checkout.
  }
  const entries = readdirSync(root, { withFileTypes: true }).filter((entry) => !leftOut.has(entry.name));
  return entries.flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(join(root, entry.name), { recursive: true, withFileTypes: true })
          .filter((inner) => inner.isFile())
          .map((inner) => join(inner.parentPath, inner.name).slice(root.length + 1))
      : [entry.name],
  );
}

/** Whether it is a symbolic link, which not every copy of a tree keeps. */
export function isLink(path: string): boolean {
  return lstatSync(join(root, path)).isSymbolicLink();
}

/** Reads a file, or undefined where it holds no text. */
export function readSource(path: string): Source | undefined {
  const bytes = readFileSync(join(root, path));
  return bytes.includes(0) ? undefined : { path, text: bytes.toString('utf8') };
}

export function exists(path: string): boolean {
  return existsSync(join(root, path));
}

/** Parses TypeScript; types are not resolved. */
export function parse(source: Source): ts.SourceFile {
  return ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
}

/** Calls `visit` on every node below `node`. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  ts.forEachChild(node, (child) => {
    visit(child);
    walk(child, visit);
  });
}

/** The line of a position, from 1. */
export function lineAt(file: ts.SourceFile, position: number): number {
  return file.getLineAndCharacterOfPosition(position).line + 1;
}

/** Whether a path is one of the places. `a/b.ts` is that file, `a/` all below it, and `a/*` the files right in it. */
export function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => {
    if (place.endsWith('/*')) return `${dirname(path)}/*` === place;
    return place.endsWith('/') ? path.startsWith(place) : path === place;
  });
}
