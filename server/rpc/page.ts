/** Lists in pages: bounded whatever is asked for. Pure. */
import { NavigatorError } from '../../shared/errors.ts';

const usual = 100;
const most = 1_000;

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** The page after the item whose key is `token`; `size` 0 means 100. A token of nothing that is there is refused. */
export function page<T>(all: readonly T[], size: number, token: string, keyOf: (item: T) => string): Page<T> {
  if (size < 0) throw new NavigatorError('invalid', `page_size is ${size}; it must be 0 to ${most}`);
  const begin = token === '' ? 0 : all.findIndex((item) => keyOf(item) === token) + 1;
  if (token !== '' && begin === 0)
    throw new NavigatorError('invalid', 'page_token is not of this list any more; start over');
  const items = all.slice(begin, begin + Math.min(size === 0 ? usual : size, most));
  const last = items.at(-1);
  const more = begin + items.length < all.length;
  return { items, nextPageToken: more && last !== undefined ? keyOf(last) : '' };
}
