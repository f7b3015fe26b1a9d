/** Plays scenarios on a ground and measures what they cost. */
import { sleep, systemClock } from '../../shared/clock.ts';
import type { Ground, Outcome, Scenario, Tally } from './scenario.ts';

const clock = systemClock();
const watchMs = 400;

interface Measured {
  readonly before: Tally;
  readonly after: Tally;
  readonly away: number;
  readonly seconds: number;
}

/** Plays one scenario. Rejects where it does not come to its end; what it costs too much is a fault in the outcome. */
export async function play<S extends Ground<Start>, Start>(
  ground: S,
  scenario: Scenario<S, Start>,
  usual: Start,
): Promise<Outcome> {
  await ground.bring(scenario.start ?? usual);
  const before = await ground.count();
  const beganAtMs = clock.monotonicMs();
  const watch = watchServing(ground, await ground.serving());
  try {
    await scenario.play(ground);
  } finally {
    watch.end();
  }
  const seconds = (clock.monotonicMs() - beganAtMs) / 1_000;
  return judge(scenario, { before, after: await ground.count(), away: await watch.away(), seconds });
}

/** What is wrong with what was measured. */
export function judge<S, Start>(scenario: Scenario<S, Start>, measured: Measured): Outcome {
  const { before, after, away, seconds } = measured;
  const { name, title, rebalances: needed, adds = 0 } = scenario;
  const begun = after.rebalances - before.rebalances;
  const faults: string[] = [];
  const expected = before.items + adds;
  if (after.items !== expected) faults.push(`${after.items} items, of ${expected}`);
  if (after.lost > 0) faults.push(`${after.lost} vBuckets are active nowhere`);
  if (begun > needed) faults.push(`${begun - needed} needless rebalances`);
  if (begun < needed) faults.push(`${begun} rebalances were seen, and ${needed} are the least`);
  if (away > (scenario.away ?? 0)) faults.push(`${away} members were away at once, and ${scenario.away ?? 0} may be`);
  const counts = { itemsBefore: before.items, itemsAfter: after.items, lost: after.lost };
  return { name, title, ...counts, rebalances: begun, needed, away, seconds, faults };
}

/** The outcome of a scenario that has not come to its end. */
export function failed<S, Start>({ name, title, rebalances }: Scenario<S, Start>, thrown: unknown): Outcome {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const nothing = { itemsBefore: 0, itemsAfter: 0, lost: 0, rebalances: 0, away: 0, seconds: 0 };
  return { name, title, ...nothing, needed: rebalances, faults: [why] };
}

/** Looks again and again how many members serve, against how many did before or do at the end, whichever is less. */
function watchServing(ground: Ground<never>, before: number): { end(): void; away(): Promise<number> } {
  const seen = [before];
  let goesOn = true;
  const looking = (async () => {
    while (goesOn) {
      seen.push(await ground.serving());
      await sleep(clock, watchMs);
    }
  })();
  return {
    end: () => {
      goesOn = false;
    },
    away: async () => {
      await looking;
      const least = Math.min(before, await ground.serving());
      return Math.max(0, least - Math.min(...seen));
    },
  };
}
