/** Names and digests that must come out the same everywhere. */
import { hash } from 'node:crypto';

/** 16 hex digits that stand for a JSON value; the order of object keys makes no difference. Pure. */
export function digest(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'hex').slice(0, 16);
}

/** JSON with sorted keys: equal values make equal texts. Undefined members are left out. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return `"${value}"`;
  if (value === undefined) return 'null';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = value as Record<string, unknown>;
  const keys = Object.keys(members).sort();
  const said = keys.flatMap((key) =>
    members[key] === undefined ? [] : `${JSON.stringify(key)}:${canonicalJson(members[key])}`,
  );
  return `{${said.join(',')}}`;
}
