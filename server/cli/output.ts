/** What a command says in the end: JSON of any view, and errors with their advice. Pure. */
import type { NavigatorError } from '../../shared/errors.ts';
import { ManifestError } from '../manifest/parse.ts';

/** How a command prints: for people, or for programs. */
export type OutputFormat = 'table' | 'json';

/** JSON of a view: bigints are numbers where they are safe, else strings; times are ISO; unknown values are left out. */
export function toJson(view: unknown, indent = 2): string {
  return JSON.stringify(view, (_, part: unknown) => (typeof part === 'bigint' ? plainNumber(part) : part), indent);
}

function plainNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** An error for people: what went wrong, every problem on a line, then what can be done. */
export function errorLines(error: NavigatorError): readonly string[] {
  return [...`error: ${error.message}`.split('\n'), ...error.advice.map((line) => `  → ${line}`)];
}

/** An error for programs, with the problems of a manifest as values. */
export function errorView(error: NavigatorError) {
  const isManifest = error instanceof ManifestError;
  const message = isManifest ? (error.message.split(':\n')[0] ?? '') : error.message;
  const problems = isManifest ? error.problems : [];
  return { error: { code: error.code, message, advice: error.advice, problems } };
}
