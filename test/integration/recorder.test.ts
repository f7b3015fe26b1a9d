/** What the flight recorder keeps of a whole scale-down, and what can be told and shown from it afterwards. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readJournals } from '../../replay/journals.ts';
import { storyOf, type Act } from '../../replay/story.ts';
import { verify } from '../../replay/verify.ts';
import { actLines } from '../../replay/words.ts';
import { createProgram } from '../../server/cli/program.ts';
import type { ClusterSpec } from '../../server/model/cluster.ts';
import { systemClock } from '../../shared/clock.ts';
import { JOURNAL_FILE } from '../../shared/journal.ts';
import { journalBegin, lineOf, type JournalRecord } from '../../shared/journal-lines.ts';
import { navigatorVersion } from '../../shared/version.ts';
import { Sink } from '../unit/cli.fixture.ts';
import { pool } from '../support/model.ts';
import { demo, Scene } from './scene.ts';

const last = 'demo-node-2';

/** Of members whose directory stays when they leave. */
function kept(replicas: number): ClusterSpec {
  const persistence = { sizeBytes: 2 ** 30, onDelete: 'Retain', onScaleDown: 'Retain' } as const;
  return demo(0, { nodePools: [{ ...pool('node', replicas), persistence }] });
}

/** Writes records anew, with checksums that are right: what somebody could do who wants to be believed. */
function forge(path: string, records: readonly JournalRecord[]): void {
  let end = journalBegin;
  let text = '';
  for (const { kind, at, body } of records) {
    const line = lineOf(end, kind, at, body);
    end = line.end;
    text += line.text;
  }
  writeFileSync(path, text);
}

describe('the flight recorder of a scale-down', function () {
  this.timeout(60_000);
  let scene: Scene;
  let path: string;

  before(async () => {
    scene = await Scene.ready(kept(3));
    path = join(scene.directory, JOURNAL_FILE);
    scene.database.createIndex('songs', 4, 1, 100);
    scene.database.eager = false;
    await scene.apply(kept(2));
    await scene.until('the leave to be held by what it holds', () =>
      scene.cluster.snapshot?.plan.holds.some(({ name }) => name === 'data_node_still_has_shards'),
    );
    await scene.until('the exclusion of the member', () => scene.database.excluded.includes(last));
    scene.database.eager = true;
    scene.database.changed();
    await scene.until('the member to be forgotten', () => scene.ledger.members[last] === undefined);
    await scene.untilReady();
  });
  after(() => scene.close());

  async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const [stdout, stderr] = [new Sink(), new Sink()];
    const none = async (): Promise<number> => 0;
    const surroundings = { stdin: process.stdin, stdout, stderr, env: {}, clock: systemClock(), userName: () => 'ada' };
    const program = createProgram({ up: none, server: none }, { ...surroundings, onInterrupt: () => () => undefined });
    return { code: await program.run(['replay', ...args]), out: stdout.text, err: stderr.text };
  }

  function leave(): Act {
    const acts = storyOf(readJournals(scene.directory).map(({ records }) => records));
    const found = acts.filter(({ act, member }) => act === 'leave' && member === last);
    expect(found).to.have.length(1);
    return found[0]!;
  }

  it('tells of the leave: asked, held, granted on evidence, used, done, and what its pilot did', () => {
    const { passages, held } = leave();
    const lines = actLines(leave()).join('\n');
    expect(passages.filter(({ what }) => what !== 'pilot').map(({ what }) => what)).to.deep.equal([
      'asked',
      'granted',
      'used',
      'ended',
    ]);
    const granted = passages.find(({ what }) => what === 'granted');
    expect(granted?.words).to.match(/^by server \(no hold was left\), on evidence: 0 shards, .* excluded/);
    expect(lines).to.match(/used {4}judged again on (the same evidence|evidence: 0 shards)/);
    expect(lines).to.contain('pilot   stops its database');
    expect(lines).to.contain('pilot   its database has ended with code 143');
    expect(held.map(({ name }) => name)).to.include('data_node_still_has_shards');
    expect(held.every(({ open, from, to }) => !open && to >= from)).to.equal(true);
  });

  it('tells of the order that drained it, of its removal, and of the ruling that it followed', async () => {
    const { code, out } = await run(scene.directory);
    expect(out).to.match(/: order\n.*excluded are demo-node-2, allocation all[^]*the leader has made it true/);
    expect(out).to.match(/demo-node-2: removal\n.*it has left; its data stays\n.*it is removed/);
    expect(out).to.match(/: ruling\n.*generation 2 is desired/);
    expect(out).to.match(/: leadership\n.*leads, term 1/);
    expect(code).to.equal(0);
  });

  it('every decision of the server and of the pilots comes out the same', async () => {
    const [server, ...pilots] = readJournals(scene.directory);
    expect(server?.by).to.equal('server');
    expect(pilots.map(({ by }) => by)).to.deep.equal([0, 1, 2].map((ordinal) => `pilot demo-node-${ordinal}`));
    for (const { records } of [server!, ...pilots]) {
      const { rerun, unfounded, difference } = verify(records, navigatorVersion());
      expect({ unfounded, difference }).to.deep.equal({ unfounded: 0, difference: undefined });
      expect(rerun).to.be.greaterThan(3);
    }
    const { code, out } = await run('--verify', scene.directory);
    expect(out.trimEnd().split('\n')).to.have.length(4);
    expect(out).to.match(/journal: \d+ decisions were made again, and came out the same/);
    expect(code).to.equal(0);
  });

  it('an observation that was altered is found out, with checksums that are right, too', async () => {
    const copy = join(scene.directory, 'forged');
    const records = readJournals(path)[0]!.records;
    const text = JSON.stringify(records);
    const forged = text.replaceAll('"excluded":true', '"excluded":false');
    expect(forged).to.not.equal(text);
    forge(copy, JSON.parse(forged) as JournalRecord[]);
    const { code, out } = await run('--verify', copy);
    expect(out).to.match(
      /came out differently:\n {2}.*forged line \d+, record \d+, default\/demo\n {2}holds recorded: .*data_node_still_has_shards/,
    );
    expect(code).to.equal(1);
  });

  it('an altered byte is named by file and line, for people and for programs', async () => {
    const copy = join(scene.directory, 'altered');
    cpSync(path, copy);
    const lines = readFileSync(copy, 'utf8').split('\n');
    lines[4] = lines[4]!.replace(/"at":(\d)/, '"at":9$1');
    writeFileSync(copy, lines.join('\n'));
    const { code, err } = await run(copy);
    expect(err).to.match(/^error: .*altered line 5: its checksum is \w+ and should be \w+/);
    expect(code).to.equal(1);
    expect(JSON.parse((await run(copy, '-o', 'json')).err)).to.have.nested.property('error.code', 'invalid');
  });

  it('decisions of another version are not judged, and that is said', async () => {
    const copy = join(scene.directory, 'other');
    const text = JSON.stringify(readJournals(path)[0]!.records);
    const other = `"navigator":"${navigatorVersion()}"`;
    forge(copy, JSON.parse(text.replaceAll(other, '"navigator":"9.9.9"')) as JournalRecord[]);
    const { code, out } = await run('--verify', copy);
    expect(out).to.match(/\d+ decisions were made by Navigator 9\.9\.9 and are not judged: this is /);
    expect(out).to.contain(': 0 decisions were made again');
    expect(code).to.equal(1);
  });

  it('speaks JSON, and says what is wrong with a path', async () => {
    const story = JSON.parse((await run(path, '-o', 'json')).out) as { journals: unknown[]; acts: Act[] };
    expect(story.journals).to.have.length(1);
    expect(story.acts.map(({ act }) => act)).to.include.members(['leave', 'order', 'removal', 'leadership']);
    const verified = JSON.parse((await run('--verify', path, '-o', 'json')).out) as { journals: { rerun: number }[] };
    expect(verified.journals[0]?.rerun).to.be.greaterThan(3);
    expect((await run(join(scene.directory, 'none'))).err).to.match(/^error: there is no file or directory .*none\n/);
    writeFileSync(join(scene.directory, 'text'), 'Once upon a time\n');
    expect((await run(join(scene.directory, 'text'))).err).to.match(/^error: .*text is no journal\n/);
    expect((await run('--state-directory', import.meta.dirname)).err).to.match(/^error: there is no journal in /);
    expect((await run('--help')).out).to.contain('navigator replay --verify');
  });
});
