/** PURE: the cluster-wide settings, as they are and as they are to become. */
import { NavigatorError } from '../../../shared/errors.ts';
import type { Allocation, Settings } from '../../model.ts';
import type { Family } from './family.ts';

const excludeKey = 'cluster.routing.allocation.exclude._name';
const allocationKey = 'cluster.routing.allocation.enable';
const quorumKey = 'discovery.zen.minimum_master_nodes';

type Flat = Readonly<Record<string, unknown>>;

/** The answer of `_cluster/settings?flat_settings=true`. A transient value hides a persistent one. */
export interface ClusterSettings {
  readonly persistent: Flat;
  readonly transient: Flat;
}

/** What to PUT to `_cluster/settings`; null takes a key away. */
export interface SettingsChange {
  readonly persistent: Record<string, string | number | null>;
  readonly transient: Record<string, null>;
}

/** Reads an answer of the database, or rejects as `unavailable` where it is not one. */
export function parseSettings(answer: unknown): ClusterSettings {
  const { persistent, transient } = (answer ?? {}) as Partial<Record<'persistent' | 'transient', unknown>>;
  if (!isFlat(persistent) || !isFlat(transient)) {
    throw new NavigatorError('unavailable', 'the cluster settings are not in the shape that is known');
  }
  return { persistent, transient };
}

/** The excluded names that hold now, sorted; they may be patterns with `*`. */
export function excludedNames(settings: ClusterSettings): string[] {
  return names(effective(settings, excludeKey));
}

/** Whether the exclusions that hold now cover a node's name. */
export function isExcluded(settings: ClusterSettings, name: string): boolean {
  return excludedNames(settings).some((pattern) => matches(pattern, name));
}

/** Which shards the database may allocate now. */
export function allocationOf(settings: ClusterSettings): Allocation {
  const value = asWord(effective(settings, allocationKey), 'all');
  switch (value) {
    case 'all':
    case 'primaries':
    case 'new_primaries':
    case 'none':
      return value;
    default:
      throw new NavigatorError('unavailable', `the allocation "${value}" is unknown`);
  }
}

/** The minimum of master nodes by a live setting, or undefined where only the files say it. */
export function quorumOf(settings: ClusterSettings): number | undefined {
  return asCount(effective(settings, quorumKey));
}

/** A count that the database wrote as a number or as text; undefined for anything else. */
export function asCount(value: unknown): number | undefined {
  const count = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof count === 'number' && Number.isInteger(count) && count >= 0 ? count : undefined;
}

/** Whether two readings say the same. */
export function sameSettings(one: ClusterSettings, other: ClusterSettings): boolean {
  const text = (settings: ClusterSettings): string =>
    JSON.stringify([excludedNames(settings), allocationOf(settings), quorumOf(settings) ?? null]);
  return text(one) === text(other);
}

/**
 * The changes that make the wanted settings true, in the order in which they must be tried; none where they are true.
 * The minimum of masters comes last and alone, because the database may refuse it and must not refuse the rest for it.
 * A name that is not `owned` stays excluded, wherever it stood. A transient key that hides ours is cleared.
 */
export function settingsChanges(current: ClusterSettings, wanted: Settings, family: Family): SettingsChange[] {
  const owned = new Set(wanted.owned);
  const foreign = [current.persistent, current.transient].flatMap((at) => names(at[excludeKey]));
  const excluded = names([...foreign.filter((name) => !owned.has(name)), ...wanted.excluded].join(','));
  const first = draft();
  differ(first, current, {
    key: excludeKey,
    value: excluded.length > 0 ? excluded.join(',') : null,
    same: (value) => names(value).join(',') === excluded.join(','),
  });
  differ(first, current, {
    key: allocationKey,
    value: wanted.allocation === 'all' ? null : wanted.allocation,
    same: (value) => asWord(value, 'all') === wanted.allocation,
  });
  const second = draft();
  if (wanted.quorum > 0 && hasMinimumMasters(family)) {
    differ(second, current, {
      key: quorumKey,
      value: wanted.quorum,
      same: (value) => asCount(value) === wanted.quorum,
    });
  }
  return [first, second].filter((change) => Object.keys({ ...change.persistent, ...change.transient }).length > 0);
}

interface Wanted {
  readonly key: string;
  readonly value: string | number | null;
  readonly same: (value: unknown) => boolean;
}

function differ(change: SettingsChange, current: ClusterSettings, wanted: Wanted): void {
  const { key, value, same } = wanted;
  if (!same(current.persistent[key])) change.persistent[key] = value;
  if (key in current.transient && !same(current.transient[key])) change.transient[key] = null;
}

function asWord(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value.toLowerCase() : otherwise;
}

function draft(): SettingsChange {
  return { persistent: {}, transient: {} };
}

function hasMinimumMasters(family: Family): boolean {
  switch (family) {
    case '5':
    case '6':
      return true;
  }
}

function effective(settings: ClusterSettings, key: string): unknown {
  return settings.transient[key] ?? settings.persistent[key];
}

function names(value: unknown): string[] {
  const parts = Array.isArray(value) ? value.map(String) : typeof value === 'string' ? value.split(',') : [];
  return [...new Set(parts.map((part) => part.trim()).filter((part) => part !== ''))].sort();
}

function matches(pattern: string, name: string): boolean {
  const source = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${source.join('.*')}$`, 's').test(name);
}

function isFlat(value: unknown): value is Flat {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
