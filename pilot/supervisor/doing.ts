/** What a pilot is at, in a few words for people. Pure. */
import type { State } from './step.ts';

export interface Circumstances {
  /** Why what it was told cannot be kept; empty: it can. */
  readonly keeping: string;
  /** Why nothing destructive can be begun: it could not be recorded. Empty: it can. */
  readonly recording: string;
  /** The holds of what it asks for; empty: none is known. */
  readonly held: string;
}

/** Empty where there is nothing to say. */
export function doing({ asking, grant, replaced, left, trouble }: State, around: Circumstances): string {
  if (around.keeping !== '') return around.keeping;
  if (replaced) return 'stopped for its upgrade';
  if (left) return 'has left';
  if (trouble !== '') return trouble;
  if (grant !== undefined) return `${grant.verb} permitted`;
  if (asking === undefined) return '';
  if (around.recording !== '')
    return `does not ask to ${asking.verb}: its journal cannot be written (${around.recording})`;
  return `asks to ${asking.verb}${around.held === '' ? '' : `, held by ${around.held}`}`;
}
