/** How a call of people ends that is not answered: a status, and beside it what can be done about it. */
import { Metadata, status } from '@grpc/grpc-js';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { ManifestError } from '../manifest/parse.ts';
import { cutLines, ERROR_DETAIL_TRAILER, writeErrorDetail } from './error-detail.ts';
import { statusOf } from './wire.ts';

/** Bytes of an error's text, and of what comes with it: together they must fit gRPC's 8 KiB of trailers. */
const detailsMax = 2_500;

/** What a caller is told of what was thrown. What nobody should have thrown is logged, and not told. */
export function callError(log: Logger, thrown: unknown): { code: status; details: string; metadata: Metadata } {
  const error = NavigatorError.from(thrown);
  const metadata = new Metadata();
  if (error.code === 'internal') {
    log.error({ err: thrown }, 'a call has failed');
    return { code: status.INTERNAL, details: 'internal error; the server has logged it', metadata };
  }
  const { problems, omitted } = thrown instanceof ManifestError ? thrown : noProblems;
  const more = { code: error.code, advice: error.advice, problems, omitted };
  metadata.set(ERROR_DETAIL_TRAILER, writeErrorDetail(more, detailsMax));
  return { code: statusOf(error.code), details: cutLines(error.message, detailsMax), metadata };
}

const noProblems = { problems: [], omitted: 0 };
