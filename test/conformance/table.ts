/** Outcomes as a table of Markdown, which is as easy to read in a terminal, and into a page. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Outcome } from './scenario.ts';

const heads = [
  'scenario',
  'items before → after',
  'vBuckets lost',
  'rebalances: begun / needed',
  'most away at once',
  'seconds',
];

function cells(outcome: Outcome): readonly string[] {
  const { itemsBefore, itemsAfter, lost, rebalances, needed, away, seconds } = outcome;
  const counts = [`${itemsBefore} → ${itemsAfter}`, String(lost), `${rebalances} / ${needed}`, String(away)];
  return [outcome.title, ...counts, seconds.toFixed(0)];
}

/** The whole table, without a line end. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = [heads, heads.map(() => '---'), ...outcomes.map(cells)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

const begin = '<!-- conformance -->';
const end = '<!-- /conformance -->';

/** Puts the table between its marks on a page. Throws where there are none. */
export function writeTable(page: string, table: string): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table: ${begin} … ${end}`);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${table}\n\n${text.slice(to)}`);
}
