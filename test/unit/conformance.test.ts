/** What the runner of scenarios calls a fault, and how it puts a table into a page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { couchbaseScenarios } from '../conformance/couchbase/scenarios.ts';
import { failed, judge } from '../conformance/play.ts';
import type { Scenario } from '../conformance/scenario.ts';
import { tableOf, writeTable } from '../conformance/table.ts';

const scenario: Scenario<unknown, unknown> = {
  ...{ name: 'one', title: 'a scenario', rebalances: 1, away: 1, adds: 10 },
  play: () => Promise.resolve(),
};
const earlier = { items: 300, lost: 0, rebalances: 4 };
const later = { items: 310, lost: 0, rebalances: 5 };
const good = { before: earlier, after: later, away: 1, seconds: 12.4 };

describe('a scenario', () => {
  it('holds where nothing is lost, needless, or away beyond what it says', () => {
    expect(judge(scenario, good)).to.include({ lost: 0, rebalances: 1, needed: 1 }).and.deep.include({ faults: [] });
  });

  const faults: readonly (readonly [string, Parameters<typeof judge>[1]])[] = [
    ['309 items, of 310', { ...good, after: { ...later, items: 309 } }],
    ['2 vBuckets are active nowhere', { ...good, after: { ...later, lost: 2 } }],
    ['1 needless rebalances', { ...good, after: { ...later, rebalances: 6 } }],
    ['0 rebalances were seen, and 1 are the least', { ...good, after: { ...later, rebalances: 4 } }],
    ['2 members were away at once, and 1 may be', { ...good, away: 2 }],
  ];
  for (const [words, measured] of faults) {
    it(`fails: ${words}`, () => expect(judge(scenario, measured).faults).to.deep.equal([words]));
  }

  it('fails where it does not come to its end', () => {
    expect(failed(scenario, new Error('in vain')).faults).to.deep.equal(['in vain']);
  });

  it('has a name that is its own, and there are 25 of Couchbase at least', () => {
    const names = couchbaseScenarios.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    expect(names.length).to.be.at.least(25);
    for (const name of names) expect(name).to.match(/^[a-z]+(-[a-z]+)*$/);
  });
});

describe('the table of outcomes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'navigator-table-'));
  const page = join(directory, 'page.md');
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('has a row for each, and stands between its marks on a page', () => {
    const table = tableOf([judge(scenario, good)]);
    expect(table.split('\n')[2]).to.equal('| a scenario | 300 → 310 | 0 | 1 / 1 | 1 | 12 |');
    writeFileSync(page, 'Before.\n\n<!-- conformance -->\nold\n<!-- /conformance -->\n\nAfter.\n');
    writeTable(page, table);
    expect(readFileSync(page, 'utf8')).to.equal(
      `Before.\n\n<!-- conformance -->\n\n${table}\n\n<!-- /conformance -->\n\nAfter.\n`,
    );
    writeFileSync(page, 'no place');
    expect(() => writeTable(page, table)).to.throw('has no place for the table');
  });
});
