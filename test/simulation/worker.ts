/** Simulates the seeds that it is sent, one at a time, beside others. */
import { parentPort } from 'node:worker_threads';
import type { Choice } from './script.ts';
import { simulate } from './simulation.ts';

parentPort?.on('message', ({ seed, choice }: { readonly seed: number; readonly choice: Choice }) => {
  void simulate(seed, choice).then((outcome) => parentPort?.postMessage(outcome));
});
