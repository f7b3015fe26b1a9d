/** What a simulated database is to the rest of the simulation, whatever its application. */
import type { Engine } from '../../pilot/engine/engine.ts';
import type { Settings } from '../../pilot/model.ts';
import type { ClusterSpec } from '../../server/model/cluster.ts';
import type { Ledger } from '../../server/model/ledger.ts';
import type { SimulatedDisk } from './disk.ts';
import type { LivePilot } from './host.ts';
import type { SeededRandom } from './random.ts';
import type { ActorClock } from './time.ts';

/** What one life of a pilot gives to its engine. */
export interface EnginePorts {
  readonly clock: ActorClock;
  readonly random: SeededRandom;
  /** The pilot's own files. */
  readonly files: SimulatedDisk;
  /** Called at the moment at which a pilot sets out to change settings. */
  readonly onApply: (settings: Settings) => void;
  readonly pilot: LivePilot;
}

/** What the data is like that a cluster is given. */
export interface Filling {
  readonly shards: number;
  readonly replicas: number;
}

export interface SimulatedDatabase {
  start(member: string, version: string): void;
  /** Its process is gone; its disk is not. */
  kill(member: string): void;
  /** Whether its process is stopped, as by SIGSTOP. */
  isHung(member: string): boolean;
  hang(member: string): void;
  goOn(member: string): void;
  /** These members and the others do not reach each other any more. */
  split(apart: ReadonlySet<string>): void;
  rejoin(): void;
  /** Its disk is gone; `meant`: with all that a person has given up. */
  destroy(member: string, meant: boolean): void;
  addressOf(member: string): string;
  engine(member: string, ports: EnginePorts): Engine;
  /** The cluster is up, and is given its data. */
  fill(filling: Filling): void;
  /** A ledger was written. */
  written(ledger: Ledger): void;
  /** Held against what really is, after every event. */
  check(): void;
  /** What only this member has, by its names. */
  lastCopiesOn(member: string): readonly string[];
  /** Why it may not stop for good, in words; undefined: nothing speaks against it. */
  staysBecause(member: string): string | undefined;
  /** How many voters would be left without those that do not stay, where that is too few; in words. */
  outvoted(stays: (member: string) => boolean): string | undefined;
  /** What this member lacks to be as desired, in words; empty: nothing. */
  lacks(member: string, version: string): string;
  /** What is not well with the data, in words; empty: nothing. */
  unwell(): string;
  /** What else of the database is not as desired; settings that have leaked begin with "settings". Empty: nothing. */
  leftOver(spec: ClusterSpec, ledger: Ledger): string;
  /** For people: the state of the data. */
  trouble(): string;
}
