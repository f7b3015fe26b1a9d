import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Desired } from '../../pilot/model.ts';
import type { StateFile } from '../../pilot/supervisor/ports.ts';
import { openState, STATE_FILE } from '../../pilot/supervisor/state.ts';
import type { Logger } from '../../shared/log.ts';

const NOTHING = { highestTerm: 0, highestRevision: 0 };
const DESIRED: Desired = {
  revision: 4,
  phase: 'running',
  spec: {
    hash: 'h',
    version: '8.1.0',
    roles: ['data'],
    plugins: [],
    config: { a: { b: [1] } },
    heapBytes: 1024,
    seeds: ['one:9300'],
    quorum: 2,
  },
};

describe('state file', () => {
  let directory = '';
  let path = '';
  let errors: string[] = [];

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'navigator-state-')), 'member');
    path = join(directory, STATE_FILE);
    errors = [];
  });

  afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

  function open(): StateFile {
    const log = { error: (_: unknown, message: string) => errors.push(message) };
    return openState(directory, log as unknown as Logger);
  }

  it('remembers across lives', () => {
    expect(open().current()).to.deep.equal(NOTHING);
    open().remember({ highestTerm: 3, highestRevision: 4, desired: DESIRED });
    expect(open().current()).to.deep.equal({ highestTerm: 3, highestRevision: 4, desired: DESIRED });
    expect(readdirSync(directory)).to.deep.equal([STATE_FILE]);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(errors).to.deep.equal([]);
  });

  it('never falls back to a lower term or revision', () => {
    const state = open();
    state.remember({ highestTerm: 5, highestRevision: 9 });
    expect(state.remember({ highestTerm: 4, highestRevision: 8 })).to.deep.equal({
      highestTerm: 5,
      highestRevision: 9,
    });
    expect(open().current().highestTerm).to.equal(5);
  });

  it('does not write what it knows', () => {
    const state = open();
    state.remember({ highestTerm: 5 });
    rmSync(path);
    state.remember({ highestTerm: 5 });
    expect(existsSync(path)).to.equal(false);
  });

  const corrupt = {
    'a file cut short': '{"highestTerm": 3, "highestRe',
    'an empty file': '',
    'no object': 'null',
    'a term that is no count': JSON.stringify({ ...NOTHING, highestTerm: '3' }),
    'a negative term': JSON.stringify({ ...NOTHING, highestTerm: -1 }),
    'a phase that does not exist': JSON.stringify({ ...NOTHING, desired: { ...DESIRED, phase: 'wiped' } }),
    'a desired state without a spec': JSON.stringify({ ...NOTHING, desired: { revision: 1, phase: 'running' } }),
  };
  for (const [what, text] of Object.entries(corrupt)) {
    it(`puts aside ${what} and starts with nothing`, () => {
      mkdirSync(directory);
      writeFileSync(path, text);
      const state = open();
      expect(state.current()).to.deep.equal(NOTHING);
      expect(errors).to.have.length(1);
      expect(readFileSync(`${path}.corrupt`, 'utf8')).to.equal(text);
      state.remember({ highestTerm: 1 });
      expect(open().current()).to.deep.equal({ ...NOTHING, highestTerm: 1 });
    });
  }

  it('says so where it cannot be read or written, and remembers what it did', () => {
    mkdirSync(path, { recursive: true });
    const state = open();
    expect(errors).to.have.length(1);
    expect(() => state.remember({ highestTerm: 1 })).to.throw('cannot write');
    expect(state.current()).to.deep.equal(NOTHING);
  });
});
