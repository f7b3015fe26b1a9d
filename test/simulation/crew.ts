/** Runs many seeds on as many cores as there are. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Choice } from './script.ts';
import type { Outcome } from './simulation.ts';

export interface CrewOptions {
  readonly jobs?: number;
  readonly choice: Choice;
  /** Seeds in the order in which they are begun, until there are no more. */
  readonly next: () => number | undefined;
  /** Ends everything at once: what runs has no outcome. */
  readonly signal?: AbortSignal;
  /** In the order in which they end. */
  readonly onOutcome: (outcome: Outcome) => void;
}

/** Resolves once `next` has nothing more and all that was begun has ended. */
export async function runSeeds(options: CrewOptions): Promise<void> {
  const jobs = options.jobs ?? availableParallelism();
  await Promise.all(Array.from({ length: jobs }, () => runOne(options)));
}

function runOne({ choice, next, onOutcome, signal }: CrewOptions): Promise<void> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url));
  return new Promise<void>((resolve, reject) => {
    const feed = (): void => {
      const seed = next();
      if (seed === undefined || signal?.aborted === true) resolve();
      else worker.postMessage({ seed, choice });
    };
    worker.on('message', (outcome: Outcome) => {
      onOutcome(outcome);
      feed();
    });
    worker.on('error', reject);
    signal?.addEventListener('abort', () => resolve());
    feed();
  }).finally(() => worker.terminate());
}
