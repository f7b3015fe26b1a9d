/** What a pilot must not forget when it dies: the terms it obeyed, what it was told to be. */
import { join } from 'node:path';
import { realDisk, writeDurably, type Disk } from '../../shared/durable.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { same } from '../../shared/same.ts';
import type { Desired, MemberSpec } from '../model.ts';
import type { Remembered, StateFile } from './ports.ts';

/** Its name in the member's directory. */
export const STATE_FILE = 'pilot.json';

const NOTHING: Remembered = { highestTerm: 0, highestRevision: 0 };

/**
 * Opens `pilot.json` in the member's directory. It never throws: an unreadable file is put aside as
 * `pilot.json.corrupt`, logged as an error, and nothing is remembered, for a pilot that does not start helps nobody.
 */
export function openState(directory: string, log: Logger, disk: Disk = realDisk): StateFile {
  const path = join(directory, STATE_FILE);
  let current = read(path, log, disk);
  return {
    current: () => current,
    remember(change) {
      const next: Remembered = {
        ...current,
        ...change,
        highestTerm: Math.max(current.highestTerm, change.highestTerm ?? 0),
        highestRevision: Math.max(current.highestRevision, change.highestRevision ?? 0),
      };
      if (!same(next, current)) {
        writeDurably(path, JSON.stringify(next), disk);
        current = next;
      }
      return current;
    },
  };
}

function read(path: string, log: Logger, disk: Disk): Remembered {
  let text: string;
  try {
    text = disk.read(path);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.error({ err, path }, 'what this pilot remembered cannot be read: it starts with nothing');
    }
    return NOTHING;
  }
  try {
    return parse(JSON.parse(text));
  } catch (err) {
    log.error(
      { err, path, movedTo: `${path}.corrupt` },
      'what this pilot remembered is corrupt: it starts with nothing',
    );
    putAside(path, log, disk);
    return NOTHING;
  }
}

function putAside(path: string, log: Logger, disk: Disk): void {
  try {
    disk.rename(path, `${path}.corrupt`);
  } catch (err) {
    log.error({ err, path }, 'the corrupt file cannot be put aside; the next write replaces it');
  }
}

/** Throws where it is not a state that a pilot wrote. */
function parse(value: unknown): Remembered {
  const found = asObject(value, 'the file');
  const desired = found['desired'];
  const applied = found['applied'];
  return {
    highestTerm: asCount(found['highestTerm'], 'highestTerm'),
    highestRevision: asCount(found['highestRevision'], 'highestRevision'),
    ...(found['left'] === true && { left: true }),
    ...(applied === undefined ? {} : { applied: parseSpec(asObject(applied, 'applied'), 'applied') }),
    ...(desired === undefined ? {} : { desired: parseDesired(asObject(desired, 'desired')) }),
  };
}

function parseDesired(found: Record<string, unknown>): Desired {
  asCount(found['revision'], 'desired.revision');
  if (!['running', 'stopped', 'decommissioned'].includes(found['phase'] as string)) throw wrong('desired.phase');
  parseSpec(asObject(found['spec'], 'desired.spec'), 'desired.spec');
  return found as unknown as Desired;
}

function parseSpec(spec: Record<string, unknown>, at: string): MemberSpec {
  for (const field of ['hash', 'version']) if (typeof spec[field] !== 'string') throw wrong(`${at}.${field}`);
  for (const field of ['roles', 'plugins', 'seeds']) if (!Array.isArray(spec[field])) throw wrong(`${at}.${field}`);
  for (const field of ['heapBytes', 'quorum']) asCount(spec[field], `${at}.${field}`);
  asObject(spec['config'], `${at}.config`);
  return spec as unknown as MemberSpec;
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what);
  return value as Record<string, unknown>;
}

function asCount(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(what);
  return value;
}

function wrong(what: string): NavigatorError {
  return new NavigatorError('invalid', `${what} is not what a pilot writes`);
}
