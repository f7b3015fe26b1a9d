/** What is wrong with a manifest: values, all of them told at once. */
import { NavigatorError } from '../../shared/errors.ts';

/** One thing that a person has to change before the manifest can be applied. */
export interface Problem {
  /** Where it stands, such as `spec.nodePools[1].roles[0]`. */
  readonly path: string;
  /** What stands there, as JSON, at most 120 characters; empty where nothing does. */
  readonly value: string;
  /** Why it is refused and what to write instead. */
  readonly reason: string;
}

/** The steps from the top of a manifest to one place in it. */
export type Path = readonly (string | number)[];

const shownMax = 120;
const problemsMax = 100;

/** A manifest that cannot be applied; `problems` is never empty, and holds what was found but for `omitted` more. */
export class ManifestError extends NavigatorError {
  readonly problems: readonly Problem[];
  readonly omitted: number;

  constructor(problems: readonly Problem[], omitted = 0) {
    const told = inOrder(problems).slice(0, problemsMax);
    const all = problems.length + omitted;
    const untold = all - told.length;
    const title = all === 1 ? 'the manifest has a problem' : `the manifest has ${all} problems`;
    const lines = told.map((problem) => `  ${writeProblem(problem)}`);
    if (untold > 0) lines.push(`  … and ${untold} more`);
    super('invalid', [`${title}:`, ...lines].join('\n'));
    this.name = 'ManifestError';
    this.problems = told;
    this.omitted = untold;
  }
}

/** Makes a problem of a place, of what stands there (`undefined`: nothing), and of the reason. */
export function problemAt(path: Path, value: unknown, reason: string): Problem {
  return { path: writePath(path), value: showValue(value), reason };
}

/** Writes a problem as one line for people. */
function writeProblem(problem: Problem): string {
  const place = problem.path === '' ? '' : `${problem.path}: `;
  return `${place}${problem.reason}${problem.value === '' ? '' : ` (here: ${problem.value})`}`;
}

/** Writes a path as people read it: dots between names, brackets around places in a list and unusual names. */
export function writePath(path: Path): string {
  let written = '';
  for (const step of path) {
    if (typeof step === 'number') written += `[${step}]`;
    else if (!/^[\w.$/*-]{1,253}$/.test(step)) written += `[${showValue(step)}]`;
    else written += written === '' ? step : `.${step}`;
  }
  return written;
}

/** Writes a value as bounded JSON; empty for `undefined`. */
export function showValue(value: unknown): string {
  if (value === undefined) return '';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length <= shownMax ? text : `${text.slice(0, shownMax - 1)}…`;
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
}
