/** Brings the plugins in a home to the wanted set, with Elasticsearch's own tool. */
import { constants } from 'node:fs';
import { copyFile, lchown, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { NavigatorError } from '../../../shared/errors.ts';
import type { Place } from '../engine.ts';
import { exists, removeAll, writeWhole } from '../files.ts';
import { lastLines, runTool } from '../tool.ts';

const installLimitMs = 300_000;

/** What was installed last, by entry of the specification: only this tells under which name a URL was installed. */
export interface PluginRecord {
  readonly version: string;
  /** False while a change is under way: a home that was left so is made anew. */
  readonly settled: boolean;
  readonly folders: Readonly<Record<string, string>>;
}

export interface PluginPlan {
  /** Folders. */
  readonly remove: readonly string[];
  /** Entries of the specification. */
  readonly install: readonly string[];
}

/** PURE: what must change so that exactly the wanted entries are installed. */
export function planPlugins(
  wanted: readonly string[],
  folders: Readonly<Record<string, string>>,
  installed: readonly string[],
): PluginPlan {
  const entries = [...new Set(wanted)];
  const folderOf = (entry: string): string => folders[entry] ?? entry;
  const kept = new Set(entries.map(folderOf));
  return {
    remove: installed.filter((folder) => !kept.has(folder)),
    install: entries.filter((entry) => !installed.includes(folderOf(entry))),
  };
}

/** The record of a member, or undefined where there is none that can be read. */
export async function readPluginRecord(directory: string): Promise<PluginRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(recordPath(directory), 'utf8')) as Partial<PluginRecord>;
    if (typeof record.version !== 'string' || typeof record.settled !== 'boolean') return undefined;
    return { version: record.version, settled: record.settled, folders: record.folders ?? {} };
  } catch {
    return undefined;
  }
}

/** A home and everything that its plugin tool needs. */
export interface PluginWork {
  readonly place: Place;
  readonly version: string;
  readonly home: string;
  readonly tmp: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes the installed set equal to the wanted one; runs no tool where it is already. `folders` is what the record
 * says of this very home. Rejects naming the plugin, and the next prepare makes the home anew.
 */
export async function applyPlugins(
  work: PluginWork,
  wanted: readonly string[],
  folders: Readonly<Record<string, string>>,
): Promise<void> {
  wanted.forEach(checkEntry);
  const plan = planPlugins(wanted, folders, await installedPlugins(work.home));
  if (plan.remove.length + plan.install.length > 0) await writeRecord(work, false, folders);
  for (const folder of plan.remove) await removePlugin(work, folder);
  const next: Record<string, string> = {};
  for (const entry of new Set(wanted)) {
    next[entry] = plan.install.includes(entry) ? await installPlugin(work, entry) : (folders[entry] ?? entry);
  }
  await writeRecord(work, true, next);
}

/** The folders of the installed plugins, sorted. */
export async function installedPlugins(home: string): Promise<string[]> {
  const entries = await readdir(join(home, 'plugins'), { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
}

function checkEntry(entry: string): void {
  // A name must not pass for an option of the tool. A colon is part of Maven coordinates, which the tool takes too.
  if (/^(file|https?):/.test(entry) ? URL.canParse(entry) : /^[A-Za-z0-9][A-Za-z0-9_.:-]*$/.test(entry)) return;
  throw new NavigatorError('invalid', `the plugin "${entry}" is neither a name nor a file:, http: or https: URL`);
}

async function removePlugin(work: PluginWork, folder: string): Promise<void> {
  const { ok, output } = await runPluginTool(work, ['remove', folder]);
  if (!ok) throw new NavigatorError('refused', `plugin ${folder} could not be removed: ${lastLines(output, 5)}`);
}

async function installPlugin(work: PluginWork, entry: string): Promise<string> {
  const before = await installedPlugins(work.home);
  const local = entry.startsWith('file:') ? await bringFile(work, entry) : undefined;
  const source = local ? pathToFileURL(local).href : entry;
  const { ok, output } = await runPluginTool(work, ['install', '-b', source]);
  if (local) await removeAll(local);
  if (!ok) throw new NavigatorError('refused', `plugin ${entry} could not be installed: ${lastLines(output, 5)}`);
  const added = (await installedPlugins(work.home)).filter((folder) => !before.includes(folder));
  if (added.length !== 1) throw new NavigatorError('internal', `plugin ${entry} left ${added.length} new folders`);
  return added[0] as string;
}

/** The tool runs as the database's user, who may not be able to read where the file lies: it gets its own copy. */
async function bringFile(work: PluginWork, entry: string): Promise<string> {
  const from = fileURLToPath(entry);
  if (!(await exists(from))) throw new NavigatorError('not_found', `plugin ${entry}: there is no such file`);
  const to = join(work.tmp, `plugin-${basename(from)}`);
  await removeAll(to);
  await copyFile(from, to, constants.COPYFILE_EXCL);
  if (work.place.uid !== undefined) await lchown(to, work.place.uid, work.place.uid);
  return to;
}

function runPluginTool(work: PluginWork, args: readonly string[]): ReturnType<typeof runTool> {
  return runTool({
    command: join(work.home, 'bin/elasticsearch-plugin'),
    args,
    env: work.env,
    cwd: work.tmp,
    limitMs: installLimitMs,
    ...(work.place.uid === undefined ? {} : { uid: work.place.uid }),
  });
}

function writeRecord(work: PluginWork, settled: boolean, folders: Readonly<Record<string, string>>): Promise<void> {
  const record: PluginRecord = { version: work.version, settled, folders };
  return writeWhole(recordPath(work.place.directory), `${JSON.stringify(record, null, 2)}\n`);
}

function recordPath(directory: string): string {
  return join(directory, 'plugins.json');
}
