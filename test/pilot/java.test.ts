/** Which Java an image's database runs on. */
import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findJavaHome } from '../../pilot/engine/elasticsearch/java.ts';

describe('the Java of an image', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'navigator-java-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function java(home: string): string {
    const path = join(folder, home, 'bin/java');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '', { mode: 0o755 });
    return join(folder, home);
  }

  it('is the one that JAVA_HOME names', () => {
    java('es/jdk');
    expect(findJavaHome(join(folder, 'es'), { JAVA_HOME: java('chosen') })).to.equal(join(folder, 'chosen'));
  });
  it('is the one that the distribution brings where JAVA_HOME is unset, or names nothing', () => {
    const bundled = java('es/jdk');
    expect(findJavaHome(join(folder, 'es'), {})).to.equal(bundled);
    expect(findJavaHome(join(folder, 'es'), { JAVA_HOME: join(folder, 'nowhere') })).to.equal(bundled);
  });
  it('is otherwise that of the program on PATH, whose links are followed', () => {
    const home = java('jvm');
    mkdirSync(join(folder, 'bin'));
    symlinkSync(join(home, 'bin/java'), join(folder, 'bin/java'));
    expect(findJavaHome(join(folder, 'es'), { PATH: `:${join(folder, 'bin')}` })).to.equal(home);
  });
  it('is missing by name', () => {
    expect(() => findJavaHome(join(folder, 'es'), { PATH: '' })).to.throw('no Java was found');
  });
});
