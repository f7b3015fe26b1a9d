/** Programs that are built once from published Go modules, and kept in Navigator's cache, outside the clone. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../../server/runtime/local/places.ts';
import { onPath } from './debian.ts';
import { run } from './run.ts';

export interface GoProgram {
  readonly program: string;
  /** What `go build` is asked for. */
  readonly package: string;
  /** The folder below e2e/ whose go.mod names it. */
  readonly module: string;
  /** The module in go.mod whose version is that of the program. */
  readonly versionOf: string;
  readonly linkerFlags?: (version: string) => readonly string[];
}

const modules = join(import.meta.dirname, '../../../e2e');
const tries = 3;
/** Measured: 7.5 minutes for a kube-apiserver, cold, on two busy cores. */
const buildWithinMs = 40 * 60_000;

/** The path of the program, built where it is missing. Its folder is named after everything that decides what is built. */
export async function goProgram(wanted: GoProgram, say: (line: string) => void): Promise<string> {
  const directory = join(modules, wanted.module);
  const goMod = readFileSync(join(directory, 'go.mod'), 'utf8');
  const version = new RegExp(`${wanted.versionOf} (v[\\d.]+)`).exec(goMod)?.[1] ?? 'v0.0.0';
  const main = join(directory, 'main.go');
  const source = createHash('sha256').update(goMod);
  if (existsSync(main)) source.update(readFileSync(main));
  const hash = source.digest('hex').slice(0, 8);
  const cache = join(cacheDirectory(process.env), 'tools', `${wanted.module}-${version}-${hash}`);
  const path = join(cache, wanted.program);
  if (existsSync(path)) return path;
  const go = onPath('go');
  if (go === undefined) {
    throw new Error(
      `${wanted.program} is built by Go ≥ 1.24, and there is no Go here. Debian: apt-get install golang-go`,
    );
  }
  mkdirSync(cache, { recursive: true });
  say(`building ${wanted.program} ${version} from its published modules, once (minutes) …`);
  const temporary = `${path}.${process.pid}`;
  const flags = ['-s -w', ...(wanted.linkerFlags?.(version) ?? [])].join(' ');
  const args = ['build', '-trimpath', '-o', temporary, '-ldflags', flags, wanted.package];
  const options = { cwd: directory, env: { CGO_ENABLED: '0' }, limitMs: buildWithinMs };
  for (let left = tries; left > 0; left -= 1) {
    const { ok, output } = await run(go, args, options);
    if (ok) break;
    // A download that fails is tried again; what was compiled is kept.
    if (left === 1) throw new Error(`${wanted.program} cannot be built:\n${output.slice(-2000)}`);
  }
  renameSync(temporary, path);
  return path;
}
