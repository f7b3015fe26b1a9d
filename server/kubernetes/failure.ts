/** What the Kubernetes API answers where it does not do what it is asked, as errors of ours. */
import { NavigatorError, type ErrorCode } from '../../shared/errors.ts';

/** The parts of a `Status` that tell failures apart. */
interface Status {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly name?: string; readonly kind?: string };
}

/** The API server cannot be reached, or has not answered in time: it may have done what it was asked, or not. */
export function networkError(server: string, thrown: unknown): NavigatorError {
  const causes = [thrown, (thrown as { cause?: unknown } | null)?.cause].filter((cause) => cause instanceof Error);
  const why = causes.map(({ message }) => message).at(-1) ?? String(thrown);
  return new NavigatorError('unavailable', `the Kubernetes API at ${server} is away: ${why}`, { cause: thrown });
}

/** An answer that is no success. */
export function answerError(server: string, status: number, text: string): NavigatorError {
  const told = statusOf(text);
  const message = told.message ?? text.slice(0, 500);
  if (status === 404 && told.reason === undefined) {
    return new NavigatorError('unsupported', `the Kubernetes API at ${server} does not know Navigator's resources`, {
      advice: ["install Navigator's definitions: kubectl apply -f deploy/crds/"],
    });
  }
  return new NavigatorError(codeOf(status, told.reason, message), `the Kubernetes API says: ${message}`);
}

/** Whether the object itself is not there; a namespace that is not there is another matter. */
export function isObjectMissing(error: unknown): boolean {
  return error instanceof NavigatorError && error.code === 'not_found' && !/^[^"]*namespaces "/.test(error.message);
}

function statusOf(text: string): Status {
  try {
    const parsed = JSON.parse(text) as Status | null;
    return parsed ?? {};
  } catch {
    return {};
  }
}

function codeOf(status: number, reason: string | undefined, message: string): ErrorCode {
  // etcd refuses a request that is too large, and the API server tells it with one of several codes.
  if (/request is too large|message larger than max|limit is \d+/.test(message)) return 'exhausted';
  if (reason === 'AlreadyExists') return 'already_exists';
  if (reason === 'Expired' || reason === 'Gone') return 'conflict';
  switch (status) {
    case 400:
    case 422:
      return 'invalid';
    case 401:
      return 'unauthenticated';
    case 403:
      return 'forbidden';
    case 404:
      return 'not_found';
    case 409:
      return 'conflict';
    case 413:
      return 'exhausted';
    default:
      return status === 429 || status >= 500 ? 'unavailable' : 'internal';
  }
}
