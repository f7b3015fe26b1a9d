/** Runs checks one after the other and counts them. One that fails does not keep the next ones from being tried. */
import { systemClock } from '../../shared/clock.ts';

export interface Check {
  /** A sentence that is true when it passes. */
  readonly name: string;
  /** Rejects where it is not true. What it returns is shown beside its name. */
  readonly run: () => Promise<string | undefined>;
  /** Without it nothing after it can pass: the rest is counted as failed and not tried. */
  readonly isFoundation?: boolean;
  /** Why it cannot be run on this cluster; absent: it can. */
  readonly skip?: string | undefined;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const clock = systemClock();

/** Runs those whose name fits `only`, and every foundation. */
export async function runChecks(checks: readonly Check[], only?: string): Promise<Counts> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let broken: string | undefined;
  for (const check of checks) {
    if (only !== undefined && !check.isFoundation && !check.name.toLowerCase().includes(only.toLowerCase())) continue;
    const since = clock.monotonicMs();
    if (check.skip !== undefined) {
      counts.skipped += 1;
      console.log(`skip  ${check.name}: ${check.skip}`);
      continue;
    }
    try {
      if (broken !== undefined) throw new Error(`not tried: "${broken}" has failed`);
      const note = await check.run();
      counts.passed += 1;
      console.log(`ok    ${check.name} (${seconds(since)} s)${note === undefined ? '' : `: ${note}`}`);
    } catch (error) {
      counts.failed += 1;
      console.log(`FAIL  ${check.name} (${seconds(since)} s)`);
      console.log(messagesOf(error).replace(/^/gm, '      '));
      if (check.isFoundation) broken ??= check.name;
    }
  }
  return counts;
}

function seconds(since: number): string {
  return ((clock.monotonicMs() - since) / 1000).toFixed(1);
}

function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error && !error.message.includes(error.cause.message) ? error.cause.message : '';
  return [error.message, cause].filter(Boolean).join('\n').slice(0, 4_000);
}

/** Rejects with the sentence where `fact` is false. */
export function must(fact: boolean, sentence: string): void {
  if (!fact) throw new Error(sentence);
}
