/** What a scenario is, of whatever application, and what is measured of it. */

/** What there is of data, and how often it was moved. */
export interface Tally {
  readonly items: number;
  /** Parts of the data that nobody serves. */
  readonly lost: number;
  readonly rebalances: number;
}

/** A cluster that scenarios are played on, one after another. */
export interface Ground<Start> {
  /** Brings the cluster to where a scenario begins. */
  bring(start: Start): Promise<void>;
  count(): Promise<Tally>;
  /** How many members serve now, by their own word. */
  serving(): Promise<number>;
  end(): Promise<void>;
}

/** One thing that must go well. */
export interface Scenario<S, Start> {
  /** Lower-case words with dashes: how it is chosen. */
  readonly name: string;
  /** What happens, in one line. */
  readonly title: string;
  /** Where it begins. Absent: the application's usual cluster. */
  readonly start?: Start;
  /** The least that is needed. */
  readonly rebalances: number;
  /** How many members may be away at once. Absent: none. */
  readonly away?: number;
  /** How many items it adds. Absent: none. */
  readonly adds?: number;
  /** What it leaves behind is no ground for others. */
  readonly isLast?: boolean;
  readonly play: (ground: S) => Promise<void>;
}

/** What came of one scenario. */
export interface Outcome {
  readonly name: string;
  readonly title: string;
  readonly itemsBefore: number;
  readonly itemsAfter: number;
  readonly lost: number;
  readonly rebalances: number;
  readonly needed: number;
  readonly away: number;
  readonly seconds: number;
  /** What went wrong; none: it holds. */
  readonly faults: readonly string[];
}
