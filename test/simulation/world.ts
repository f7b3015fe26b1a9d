/** What all parts of one simulation share: its time, its chance, the weather, the transcript, and the first violation. */
import { createHash } from 'node:crypto';
import type { Recorder } from '../../shared/journal.ts';
import { MemoryRecorder } from '../fakes/recorder.ts';
import { SimulatedJournal } from './journal.ts';
import { type SeededRandom } from './random.ts';
import { VirtualTime } from './time.ts';

export const invariants = {
  I0: 'no server and no pilot ends by an error of its own',
  I1: 'at most one leader per term, and terms only grow',
  I2: 'members away by permit, with all others away, never exceed the budget',
  I3: 'no permit takes the last copy of a shard',
  I4: 'no permit costs the voting quorum',
  I5: 'no destructive step without a permit that is used, unexpired and of this life',
  I6: 'a permit is in the ledger before its pilot knows of it',
  I7: 'every reversible setting is undone in bounded time, and what others set stays',
  I8: 'with faults healed, the cluster reaches what is desired in bounded time',
  I9: 'the database is never stopped because the control plane is away',
} as const;

export type Invariant = keyof typeof invariants;

/** One line of the transcript. */
export interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
}

export interface Violation {
  readonly invariant: Invariant;
  readonly message: string;
  readonly atMs: number;
}

/** What is rough in a storm, all the time and by chance; each can be calmed, to find out what a violation needs. */
export const weathers = [
  'slow_network',
  'slow_database',
  'silent_database',
  'blind_evidence',
  'slow_starts',
  'slow_store',
  'lost_races',
  'lost_answers',
  'lost_replies',
  'full_disks',
  'freezes_at_permits',
] as const;

export type Weather = (typeof weathers)[number];

const tailLines = 40;

export class World {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  /** Whether anything may be slow, lost or refused now. */
  stormy = false;
  readonly #calmed: ReadonlySet<Weather>;
  /** When a database process last ended without a permit, or was lost from sight. */
  disturbedAtMs = Number.NEGATIVE_INFINITY;
  violation: Violation | undefined;
  /** Whether journals are kept, which takes time. */
  records = false;
  /** One of each life of a server and of a pilot. */
  readonly journals: MemoryRecorder[] = [];
  readonly tail: string[] = [];
  readonly #hash = createHash('sha256');
  readonly #listener: ((line: Line) => void) | undefined;

  constructor(random: SeededRandom, calmed: readonly Weather[] = [], listener?: (line: Line) => void) {
    this.random = random;
    this.#calmed = new Set(calmed);
    this.#listener = listener;
  }

  /** Whether this is rough now. */
  rough(weather: Weather): boolean {
    return this.stormy && !this.#calmed.has(weather);
  }

  /** The journal of one life, on a disk that may be full. */
  journal(isFull: () => boolean): Recorder {
    const kept = this.records ? new MemoryRecorder() : undefined;
    if (kept !== undefined) this.journals.push(kept);
    return new SimulatedJournal(isFull, kept);
  }

  /** Writes one line of the transcript. */
  say(who: string, what: string): void {
    const line = `${(this.time.nowMs / 1_000).toFixed(3).padStart(9)}  ${who.padEnd(14)} ${what}`;
    this.#hash.update(line).update(String(this.time.events));
    this.tail.push(line);
    if (this.tail.length > tailLines) this.tail.shift();
    this.#listener?.({ atMs: this.time.nowMs, who, what });
  }

  /** The first violation ends the simulation. */
  fail(invariant: Invariant, message: string): void {
    if (this.violation !== undefined) return;
    this.say('VIOLATION', `${invariant}: ${message}`);
    this.violation = { invariant, message, atMs: this.time.nowMs };
  }

  disturb(): void {
    this.disturbedAtMs = this.time.nowMs;
  }

  /** Stands for all that was said, and when. */
  digest(): string {
    return this.#hash.copy().update(String(this.time.nowMs)).digest('hex').slice(0, 16);
  }
}
