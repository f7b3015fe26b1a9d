/** Cuts a script that breaks an invariant down to what it takes to break it. */
import type { Beat, Script } from './script.ts';
import { Simulation, type Outcome } from './simulation.ts';
import { weathers, type Weather } from './world.ts';

/** What is left of a script: which of its beats, by their place in it, and which weather is calm. */
export interface Cut {
  readonly keep: readonly number[];
  readonly calmed: readonly Weather[];
}

export interface Shrunk {
  readonly cut: Cut;
  readonly outcome: Outcome;
  readonly runs: number;
}

export function cutScript(script: Script, { keep, calmed }: Cut): Script {
  const wanted = new Set(keep);
  return { ...script, calmed, beats: script.beats.filter((_, at) => wanted.has(at)) };
}

/** At most `runsMax` simulations; the smallest cut so far that breaks the same invariant. */
export async function shrink(script: Script, broken: Outcome, runsMax: number): Promise<Shrunk> {
  let best: Shrunk = { cut: { keep: script.beats.map((_, at) => at), calmed: [] }, outcome: broken, runs: 0 };
  let runs = 0;

  /** Whether the same invariant is broken with no more than this. */
  async function breaks(cut: Cut): Promise<boolean> {
    if (runs >= runsMax) return false;
    runs++;
    const outcome = await new Simulation(cutScript(script, cut)).run();
    if (outcome.violation?.invariant !== broken.violation?.invariant) return false;
    best = { cut, outcome, runs };
    return true;
  }

  if (!(await breaks({ ...best.cut, calmed: weathers })))
    for (const weather of weathers) await breaks({ ...best.cut, calmed: [...best.cut.calmed, weather] });
  for (let size = Math.ceil(best.cut.keep.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.cut.keep.length;) {
      const keep = best.cut.keep.toSpliced(at, size);
      if (!(await breaks({ ...best.cut, keep }))) at += size;
    }
  }
  return { ...best, runs };
}

/** What a person reads of a beat. */
export function tell(beat: Beat): string {
  return `${(beat.atMs / 1_000).toFixed(1).padStart(7)} s  ${beat.kind === 'wish' ? 'person' : 'fault'}: ${beat.name.replaceAll('_', ' ')}`;
}
