/**
 * What goes with the status of a refused call, beside its text. gRPC's trailers carry 8 KiB in all, so it is compressed,
 * and where it is still too long the last problems are left out and counted: nobody takes a part for the whole.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Problem } from '../manifest/parse.ts';

/** The trailer that carries it. */
export const ERROR_DETAIL_TRAILER = 'navigator-error-bin';

export interface ErrorDetail {
  readonly code: string;
  readonly advice: readonly string[];
  readonly problems: readonly Problem[];
  /** Problems that there are besides. */
  readonly omitted: number;
}

const plainBytesMax = 2 ** 20;

/** At most `bytesMax` bytes. */
export function writeErrorDetail(detail: ErrorDetail, bytesMax: number): Buffer {
  const bytes = deflateRawSync(JSON.stringify(detail));
  const { problems, omitted } = detail;
  if (bytes.length <= bytesMax || problems.length === 0) return bytes;
  return writeErrorDetail({ ...detail, problems: problems.slice(0, -1), omitted: omitted + 1 }, bytesMax);
}

/** Undefined where it is none: what another server has sent, or what was cut on the way. */
export function readErrorDetail(bytes: unknown): Partial<Record<keyof ErrorDetail, unknown>> | undefined {
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: plainBytesMax }).toString('utf8');
    const told = JSON.parse(text) as Partial<Record<keyof ErrorDetail, unknown>> | null;
    return told ?? undefined;
  } catch {
    return undefined;
  }
}

/** A text of at most `charsMax` characters: whole lines as far as there is room, and how many are left out. */
export function cutLines(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const lines = text.split('\n');
  const kept: string[] = [];
  const more = (): string => `  … and ${lines.length - kept.length} more`;
  for (const line of lines) {
    if ([...kept, line, more()].join('\n').length > charsMax) break;
    kept.push(line);
  }
  return kept.length === 0 ? `${text.slice(0, charsMax - 1)}…` : [...kept, more()].join('\n');
}
