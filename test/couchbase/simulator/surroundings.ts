/**
 * What one simulated node stands on: time, peers, a disk and chance. A node that is a process of its own has those of the
 * machine, one in the deterministic simulator has virtual ones. What the node does on them is the same code.
 */
import type { Disk } from './disk.ts';

/** How long things take. */
export interface Pace {
  /** Every time that was measured on a real cluster is divided by it. */
  readonly scale: number;
  /** Waits for as long as `ms` are here. */
  wait(ms: number): Promise<void>;
  /** A time somewhere between two. */
  between(leastMs: number, mostMs: number): number;
  /** Milliseconds of simulated time since some moment. */
  now(): number;
}

/** How a node reaches the others. */
export interface Peers {
  /** Rejects where the other node is not reached, refuses, or does not answer in time. */
  ask<T>(host: string, method: string, body: unknown, limitMs: number): Promise<T>;
  /** Whether a name leads to an address. */
  resolves(host: string): Promise<boolean>;
  /** What answers on a port that is to speak TLS. */
  probe(host: string, port: number): Promise<'fine' | 'no TLS' | 'away'>;
}

/** How much there is to move, and how fast it moves. */
export interface Size {
  /** Of each bucket. */
  readonly vBuckets: number;
  /** How many move at once. */
  readonly batch: number;
  readonly perMoveMs: number;
}

/** As on Linux. */
export const realSize: Size = { vBuckets: 1024, batch: 64, perMoveMs: 6 };

export interface Surroundings {
  readonly pace: Pace;
  readonly peers: Peers;
  readonly disk: Disk;
  readonly size: Size;
  /** So many random bytes, as digits. */
  hex(bytes: number): string;
}
