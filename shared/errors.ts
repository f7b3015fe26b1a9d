/** The one error of Navigator: a closed set of codes, and whether trying again can help. */

export type ErrorCode =
  | 'invalid'
  | 'not_found'
  | 'already_exists'
  | 'conflict'
  | 'refused'
  | 'unauthenticated'
  | 'forbidden'
  | 'unavailable'
  | 'timeout'
  | 'exhausted'
  | 'unsupported'
  | 'missing_tool'
  | 'internal';

export interface ErrorOptions {
  readonly retryable?: boolean;
  readonly cause?: unknown;
  /** What the reader can do about it, one line each. */
  readonly advice?: readonly string[];
}

export class NavigatorError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly advice: readonly string[];

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NavigatorError';
    this.code = code;
    this.retryable = options.retryable ?? (code === 'unavailable' || code === 'timeout' || code === 'conflict');
    this.advice = options.advice ?? [];
  }

  /** Makes anything that was thrown into one of these. */
  static from(thrown: unknown): NavigatorError {
    if (thrown instanceof NavigatorError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const system = (thrown as { code?: unknown } | null)?.code;
    const away = ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH'];
    if (typeof system === 'string' && away.includes(system) && system !== 'ENOENT') {
      return new NavigatorError('unavailable', message, { cause: thrown });
    }
    return new NavigatorError('internal', message, { cause: thrown });
  }
}
