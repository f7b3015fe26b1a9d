/** What a mutant is: one mistake that somebody could make, as a change of text. */
import type { Application } from '../../server/model/cluster.ts';
import type { Invariant } from './world.ts';

export interface Patch {
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly breaks: readonly Invariant[];
  readonly patches: readonly Patch[];
  /** It takes hundreds of seeds and more: none for a gate. */
  readonly isRare: boolean;
  /** In whose seeds it shows. */
  readonly choice: Application;
}

export function mutant(name: string, breaks: readonly Invariant[], ...patches: readonly Patch[]): Mutant {
  return { name, breaks, patches, isRare: false, choice: 'elasticsearch' };
}

export function rareMutant(name: string, breaks: readonly Invariant[], ...patches: readonly Patch[]): Mutant {
  return { ...mutant(name, breaks, ...patches), isRare: true };
}

export function patch(file: string, find: string, replace: string): Patch {
  return { file, find, replace };
}
