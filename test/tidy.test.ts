/** The tree keeps to its own rules, and each rule can fail. */
import { expect } from 'chai';
import { holdNames } from '../server/model/hold.ts';
import { filesAreShort, functionsAreShort, namesSayWhatItIs, timeAndChanceArePassedIn } from './tidy/code.ts';
import { importsPointOneWay } from './tidy/imports.ts';
import { isLink, listFiles, readSource, type Rule, type Source } from './tidy/source.ts';
import { holdFaults, linksResolve, lockHasNoAddresses, noMachinePathIsNamed, noRegistryIsNamed } from './tidy/text.ts';

const lines = (count: number): string => 'x();\n'.repeat(count);

/** `breaks` and `keeps` are files (path, text) that a rule must object to, and must let pass. */
const rules: readonly {
  readonly sentence: string;
  readonly rule: Rule;
  readonly breaks: readonly (readonly [string, string])[];
  readonly keeps: readonly (readonly [string, string])[];
}[] = [
  {
    sentence: 'imports point one way',
    rule: importsPointOneWay,
    breaks: [
      ['server/model/a.ts', `import { a } from '../reconcile/a.ts';`],
      ['server/reconcile/a.ts', `import type { A } from '../loop.ts';`],
      ['server/reconcile/a.ts', `import { readFileSync } from 'node:fs';`],
      ['server/coordination/a.ts', `import { status } from '@grpc/grpc-js';`],
      ['server/coordination/a.ts', `import { createLogger } from '../../shared/log.ts';`],
      ['pilot/supervisor/step.ts', `import { spawn } from 'child_process';`],
      ['pilot/supervisor/step.ts', `import { start } from './process.ts';`],
      ['server/loop.ts', `import { openStore } from './store/sqlite.ts';`],
      ['server/loop.ts', `import { Verb } from '../proto/navigator/v1/types.ts';`],
      ['server/rpc/a.ts', `const a = await import('../store/sqlite.ts');`],
      ['server/cli/get.ts', `import { localRuntime } from '../runtime/local/runtime.ts';`],
      ['server/cli/get.ts', `import { Verb } from '../../proto/navigator/v1/types.ts';`],
      ['server/cli/up.ts', `export { b } from '../main.ts';`],
      ['server/rpc/a.ts', `import type { Verb } from '../../pilot/model.ts';`],
      ['pilot/session.ts', `type Verb = import('../server/model/permit.ts').Verb;`],
      ['pilot/agent.ts', `import { elasticsearch } from './engine/elasticsearch/engine.ts';`],
      ['pilot/engine/couchbase/a.ts', `import { reap } from '../../supervisor/reaper.ts';`],
      ['shared/a.ts', `import { holdNames } from '../server/model/hold.ts';`],
      ['server/extra/a.ts', `import { a } from '../../shared/random.ts';`],
    ],
    keeps: [
      ['server/main.ts', `import { openStore } from './store/sqlite.ts'; import { up } from './cli/up.ts';`],
      ['server/embedded.ts', `import { localRuntime } from './runtime/local/runtime.ts';`],
      ['server/cli/client.ts', `import { Verb } from '../../proto/navigator/v1/types.ts';`],
      ['server/loop.ts', `import type { Store } from './store/store.ts'; import { plan } from './reconcile/plan.ts';`],
      ['server/reconcile/a.ts', `import semver from 'semver'; import type { Clock } from '../../shared/clock.ts';`],
      ['pilot/wire.ts', `import { Verb } from '../proto/navigator/v1/types.ts';`],
      [
        'pilot/supervisor/process.ts',
        `import { spawn } from 'node:child_process'; import { reap } from './reaper.ts';`,
      ],
      ['test/unit/a.test.ts', `import { openStore } from '../../server/store/sqlite.ts';`],
    ],
  },
  {
    sentence: 'a file has at most 400 lines',
    rule: filesAreShort,
    breaks: [['server/a.ts', lines(401)]],
    keeps: [
      ['server/a.ts', lines(400)],
      ['proto/a.ts', lines(401)],
    ],
  },
  {
    sentence: 'a function has at most 70 lines and 4 parameters',
    rule: functionsAreShort,
    breaks: [
      ['server/a.ts', `function long() {\n${lines(69)}}`],
      ['pilot/a.ts', `class A { long = () => {\n${lines(69)}} }`],
      ['shared/a.ts', `const wide = (a: 1, b: 1, c: 1, d: 1, e: 1) => a;`],
      ['shared/a.ts', `class A { wide(a: 1, b: 1, c: 1, d: 1, e: 1) {} }`],
    ],
    keeps: [
      ['server/a.ts', `function long() {\n${lines(68)}}`],
      ['shared/a.ts', `function wide(this: A, a: 1, b: 1, c: 1, d: 1) {}`],
      ['shared/a.ts', `interface LibC { prctl(option: 1, a: 1, b: 1, c: 1, d: 1): number }`],
    ],
  },
  {
    sentence: 'time and chance are passed in',
    rule: timeAndChanceArePassedIn,
    breaks: [
      'Date.now()',
      'const now = Date.now;',
      'Math.random()',
      'setTimeout(f, 1)',
      'globalThis.setInterval(f, 1)',
      'new Date()',
      'performance.now()',
      `Date['now']()`,
      `import { setTimeout as sleep } from 'node:timers/promises';`,
    ].map((text) => ['server/a.ts', text] as const),
    keeps: [
      ['shared/clock.ts', 'Date.now()'],
      ['shared/random.ts', 'Math.random()'],
      ['pilot/a.ts', `// Date.now()\nconst said = 'Math.random()'; socket.setTimeout(1); new Date(wallMs);`],
    ],
  },
  {
    sentence: 'the name of a file says what it is',
    rule: namesSayWhatItIs,
    breaks: [
      ['server/store/storeManager.ts', ''],
      ['shared/utils.ts', ''],
      ['test/unit/helpers.ts', ''],
      ['server/rpc/handle.ts', ''],
    ],
    keeps: [['server/store/store.ts', '']],
  },
  {
    sentence: 'no file names a package registry',
    rule: noRegistryIsNamed,
    breaks: [['deploy/Dockerfile', `RUN npm ci --registry=https://${['registry', 'npmjs', 'org'].join('.')}/`]],
    keeps: [['README.md', 'See https://www.npmjs.com/package/koffi']],
  },
  {
    sentence: 'no file names a path of one machine',
    rule: noMachinePathIsNamed,
    breaks: ['work', 'root', 'home'].map((top) => ['e2e/run.sh', `cd "/${top}/someone"`] as const),
    keeps: [['e2e/run.sh', 'cd ./work/x; cd deploy/home/x; curl https://example.com/work/x; ls "$TMP/root/x"']],
  },
  {
    sentence: 'the lock file names no download address',
    rule: lockHasNoAddresses,
    breaks: [['package-lock.json', `{\n  "resolved": "https://example.com/a.tgz"\n}`]],
    keeps: [['package-lock.json', `{\n  "integrity": "sha512-"\n}`]],
  },
  {
    sentence: 'every relative link of a page leads to a file',
    rule: linksResolve,
    breaks: [
      ['docs/a.md', 'See [there](nowhere.md).'],
      ['a.md', '![picture](docs/nowhere.png "title")'],
      ['a.md', '[there]: docs/nowhere.md'],
    ],
    keeps: [
      ['docs/a.md', '[lock](../package.json#scripts), [web](https://example.com/a.md), [here](#here)'],
      ['a.md', '```\n[there](nowhere.md)\n```\nand `[there](nowhere.md)`'],
    ],
  },
];

function objections(rule: Rule, sources: readonly Source[]): readonly string[] {
  return sources.flatMap(rule).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

describe('tidy', () => {
  const tree = listFiles()
    .map(readSource)
    .filter((source) => source !== undefined);

  it('the tree is there to be looked at', () => {
    expect(tree.map(({ path }) => path)).to.include.members([
      'package.json',
      'package-lock.json',
      'server/model/hold.ts',
    ]);
  });

  it('no file is a symbolic link', () => {
    expect(listFiles().filter(isLink)).to.deep.equal([]);
  });

  for (const { sentence, rule, breaks, keeps } of rules) {
    describe(sentence, () => {
      it('throughout the tree', () => {
        expect(objections(rule, tree)).to.deep.equal([]);
      });
      for (const [path, text] of breaks) {
        it(`objects to ${path}: ${text.slice(0, 80).split('\n').join(' ')}`, () => {
          expect(objections(rule, [{ path, text }])).to.not.deep.equal([]);
        });
      }
      it('lets pass what keeps it', () => {
        const sources = keeps.map(([path, text]) => ({ path, text }));
        expect(objections(rule, sources)).to.deep.equal([]);
      });
    });
  }

  describe('docs/holds.md describes every hold', () => {
    const words = 'What it means, what Navigator waits for, and what a person can do about it, in some words.';

    it('and no other', () => {
      const page = readSource('docs/holds.md');
      expect(page, 'docs/holds.md').to.not.equal(undefined);
      expect(holdFaults(holdNames, page?.text ?? '')).to.deep.equal([]);
    });
    it('objects to a missing, an unknown, a doubled and an empty one', () => {
      expect(holdFaults(['a'], '')).to.deep.equal(['a is not described']);
      expect(holdFaults([], `### \`a\`\n\n${words}\n`)).to.deep.equal(['a is described and is no hold']);
      expect(holdFaults(['a'], `### \`a\`\n\n${words}\n\n### \`a\`\n\n${words}\n`)).to.deep.equal([
        'a is described twice',
      ]);
      expect(holdFaults(['a'], '### `a`\n\nShort.\n')).to.deep.equal(['`a` is described in too few words']);
    });
  });
});
