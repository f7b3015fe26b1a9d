/** Which major line of Elasticsearch a version is of. All that differs between lines branches on this. */
import { NavigatorError } from '../../../shared/errors.ts';

export type Family = '5' | '6';

/** The line of a version, or a NavigatorError `unsupported`: 5.6.x and 6.x are known, a 7 is one more member here. */
export function familyOf(version: string): Family {
  if (/^5\.6\.\d+$/.test(version)) return '5';
  if (/^6\.\d+\.\d+$/.test(version)) return '6';
  throw new NavigatorError('unsupported', `Elasticsearch ${version} is not supported`, {
    advice: ['use a version of 5.6 or 6, for example 5.6.16 or 6.8.23'],
  });
}
