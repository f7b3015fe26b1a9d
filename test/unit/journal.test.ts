/** The journal's file: what was appended is read back, whatever was cut off, altered, or could not be written. */
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { readJournals, type Journal as Read } from '../../replay/journals.ts';
import { Journal, olderSegment, type JournalDisk } from '../../shared/journal.ts';

describe('the journal', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nav-journal-'));
    path = join(directory, 'journal');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function open(segmentBytes = 1e6, disk?: JournalDisk): Journal {
    return new Journal(path, { by: 'test', version: '1.2.3', segmentBytes, wallMs: () => 5, ...(disk && { disk }) });
  }

  function read(): Read {
    return readJournals(path)[0]!;
  }

  /** What was appended, without what the journal says of itself. */
  function words(): readonly unknown[] {
    return read()
      .records.filter(({ kind }) => kind === 'said')
      .map(({ body }) => body['text']);
  }

  function say(journal: Journal, text: string, durably = false): number {
    return journal.append('said', () => ({ text }), durably);
  }

  it('gives back what was appended, in order and with its numbers, over lives of its writer', () => {
    const journal = open();
    expect(say(journal, 'ä')).to.equal(2);
    expect(say(journal, 'two\nlines')).to.equal(3);
    journal.close();
    expect(say(open(), 'three')).to.equal(5);
    const { records, torn, by } = read();
    expect(records.map(({ n, kind, at, line }) => [n, kind, at, line])).to.deep.equal([
      [1, 'header', 5, 1],
      [2, 'said', 5, 2],
      [3, 'said', 5, 3],
      [4, 'header', 5, 4],
      [5, 'said', 5, 5],
    ]);
    expect(words()).to.deep.equal(['ä', 'two\nlines', 'three']);
    expect({ torn, by }).to.deep.equal({ torn: 0, by: 'test' });
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('writes nothing before the first record', () => {
    open();
    expect(statSync(path, { throwIfNoEntry: false })).to.equal(undefined);
  });

  it('is bounded: two segments, each of its bytes and one record', () => {
    const journal = open(2_000);
    const segments = new Set<number>();
    for (let index = 0; index < 200; index++) {
      journal.append('said', (segment) => {
        segments.add(segment);
        return { text: `${index}` };
      });
      for (const file of [path, olderSegment(path)]) {
        expect(statSync(file, { throwIfNoEntry: false })?.size ?? 0).to.be.lessThan(2_000 + 300);
      }
    }
    expect(segments.size).to.be.greaterThan(5);
    const kept = words();
    expect(kept.length).to.be.greaterThan(10);
    expect(kept).to.deep.equal(Array.from({ length: kept.length }, (_, index) => `${200 - kept.length + index}`));
    expect(read().records[0]!.n).to.be.greaterThan(1);
  });

  it('goes on from the older segment when it was killed between the segments', () => {
    const journal = open(300);
    for (const text of ['a', 'b', 'c']) say(journal, text);
    const { n } = read().records.at(-1)!;
    writeFileSync(olderSegment(path), readFileSync(path));
    rmSync(path);
    expect(say(open(300), 'd')).to.equal(n + 2);
    expect(words().at(-1)).to.equal('d');
  });

  it('tolerates a record that was being written, says so, and cuts it off before the next', () => {
    say(open(), 'whole');
    appendFileSync(path, '{"sum":"0123456789abcdef","n":3,"at":');
    expect(read().torn).to.equal(37);
    expect(words()).to.deep.equal(['whole']);
    say(open(), 'next');
    expect(words()).to.deep.equal(['whole', 'next']);
    expect(read().records[2]!.body).to.include({ cutOff: 37 });
  });

  it('names the line that was altered, left out, doubled or is of another format', () => {
    const journal = open();
    for (const text of ['a', 'b', 'c']) say(journal, text);
    const lines = readFileSync(path, 'utf8').split('\n');
    const [header, a, b, c] = lines as [string, string, string, string];
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[header, a, b.replace('"b"', '"x"'), c], /journal line 3: its checksum is/],
      [[header, a.replace('"at":5', '"at":6'), b, c], /journal line 2: its checksum is/],
      [[header, b, c], /journal line 2: its checksum is/],
      [[header, a, a, b], /journal line 3: its checksum is/],
      [[header, a, 'nonsense', c], /journal line 3: this is no record/],
      [[a, b], /journal line 1: a journal begins with its header/],
      [[header.replace('"format":1', '"format":2'), a], /journal line 1: it is of format 2 \(Navigator 1\.2\.3\)/],
    ];
    for (const [altered, message] of cases) {
      writeFileSync(path, `${altered.join('\n')}\n`);
      expect(read, message.source).to.throw(message);
    }
  });

  it('names a segment that does not go on from the one before it', () => {
    const journal = open(300);
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) say(journal, text);
    const older = readFileSync(olderSegment(path), 'utf8').trimEnd().split('\n');
    writeFileSync(olderSegment(path), `${older.slice(0, -1).join('\n')}\n`);
    expect(read).to.throw(/journal line 1: it does not go on from record \d+/);
  });

  it('a damaged one is put aside by the next writer, which begins anew', () => {
    say(open(), 'old');
    const text = readFileSync(path, 'utf8').replace('"old"', '"new"');
    writeFileSync(path, text);
    say(open(), 'after');
    expect(words()).to.deep.equal(['after']);
    expect(readFileSync(`${path}.corrupt`, 'utf8')).to.equal(text);
  });

  it('what could not be written is not there in part, is counted, and told by the next record', () => {
    let full = false;
    const write = (file: number, text: string): void => {
      writeSync(file, full ? text.slice(0, 10) : text);
      if (full) throw new Error('ENOSPC: no space left');
    };
    const journal = open(1e6, { write, sync: () => undefined });
    say(journal, 'before');
    full = true;
    for (const _ of [1, 2]) expect(() => say(journal, 'lost')).to.throw(/journal cannot be written: ENOSPC/);
    journal.retry();
    expect(journal.trouble).to.equal('ENOSPC: no space left');
    expect(read().torn).to.equal(0);
    full = false;
    journal.retry();
    expect(journal.trouble).to.equal('');
    say(journal, 'after');
    expect(words()).to.deep.equal(['before', 'after']);
    expect(read().records.find(({ kind }) => kind === 'gap')?.body).to.deep.equal({
      lost: 2,
      why: 'ENOSPC: no space left',
    });
  });

  it('is flushed where it must last, at a rotation, and at no other time', () => {
    let flushed = 0;
    const journal = open(600, { write: writeFileSync, sync: () => flushed++ });
    say(journal, 'a');
    say(journal, 'b', true);
    expect(flushed).to.equal(1);
    while (read().records.at(-1)!.n < 12) say(journal, 'c');
    expect(flushed).to.be.greaterThan(1);
  });

  it('what cannot be flushed was not written', () => {
    const sync = (): void => {
      throw new Error('EIO');
    };
    const journal = open(1e6, { write: writeFileSync, sync });
    say(journal, 'a');
    expect(() => say(journal, 'b', true)).to.throw(/EIO/);
    expect(words()).to.deep.equal(['a']);
  });

  it('whatever is appended and wherever it is cut off, what is read back is what was written so far', () => {
    const life = fc.record({
      texts: fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 12 }),
      cut: fc.nat({ max: 200 }),
    });
    const lives = fc.array(life, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(lives, fc.constantFrom(400, 1_500, 1e6), (all, segmentBytes) => {
        for (const file of [path, olderSegment(path)]) rmSync(file, { force: true });
        let written: string[] = [];
        for (const { texts, cut } of all) {
          const journal = open(segmentBytes);
          for (const text of texts) say(journal, text);
          journal.close();
          written.push(...texts);
          const size = statSync(path, { throwIfNoEntry: false })?.size;
          if (size === undefined) continue;
          truncateSync(path, Math.max(0, size - cut));
          const kept = words();
          const before = written.slice(0, written.length);
          // Of the oldest, some may have been rotated away; of the youngest, some were cut off: the rest is one piece.
          const at = before.findIndex((_, from) => kept.every((text, index) => text === before[from + index]));
          expect(kept.length === 0 || at >= 0).to.equal(true);
          const lost = Math.ceil(cut / 60) + 1;
          if (segmentBytes === 1e6) expect(kept).to.deep.equal(written.slice(0, kept.length));
          expect(written.length - (at < 0 ? 0 : at) - kept.length).to.be.at.most(kept.length === 0 ? Infinity : lost);
          written = [...written.slice(0, Math.max(0, at)), ...(kept as string[])];
        }
      }),
      { numRuns: 200 },
    );
  });
});
