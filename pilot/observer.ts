/**
 * Looks at the database again and again, and keeps the latest view. A database that is slow or silent delays nothing
 * but the view: heartbeats go on without it, and what is too old is unknown.
 */
import type { Clock, Timer } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { Engine } from './engine/engine.ts';
import type { ClusterObservation, Evidence, MemberSpec, NodeObservation, Settings } from './model.ts';

export interface Views {
  readonly node?: NodeObservation;
  readonly cluster?: ClusterObservation;
  /** The order that was made true just before the cluster was read; empty: none. */
  readonly appliedOrder: string;
}

/** Settings to make true while this pilot leads in the term. */
export interface Order {
  readonly id: string;
  readonly term: number;
  readonly settings: Settings;
}

interface ObserverPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly engine: Engine;
}

const nothing: Views = { appliedOrder: '' };

/** What the pilot knows and the observer asks it for, each time anew. */
export interface ObserverOwner {
  readonly intervalMs: () => number;
  /** The term that the pilot leads in at this very moment, 0 where it does not. */
  readonly leadingTerm: () => number;
  /** What the node is meant to be, as far as that is known. */
  readonly spec: () => MemberSpec | undefined;
  /** Called after every look, whatever came of it. */
  readonly onLook: () => void;
}

/** A view that is older than this many looks is unknown. */
const freshLooks = 5;

export class Observer {
  readonly #ports: ObserverPorts;
  readonly #intervalMs: () => number;
  readonly #onLook: () => void;
  readonly #leadingTerm: () => number;
  readonly #spec: () => MemberSpec | undefined;
  #views: Views = nothing;
  #seenAtMs = 0;
  #life = 0;
  #order: Order | undefined;
  #timer: Timer | undefined;
  #ended = false;
  #trouble = '';

  constructor(ports: ObserverPorts, owner: ObserverOwner) {
    this.#ports = ports;
    this.#intervalMs = owner.intervalMs;
    this.#onLook = owner.onLook;
    this.#leadingTerm = owner.leadingTerm;
    this.#spec = owner.spec;
  }

  begin(): void {
    void this.#look();
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** The last view, or nothing where it is too old. */
  latest(): Views {
    const age = this.#ports.clock.monotonicMs() - this.#seenAtMs;
    return age <= freshLooks * this.#intervalMs() ? this.#views : nothing;
  }

  /** What was seen belongs to another state of the process. */
  forget(): void {
    this.#life++;
    this.#views = nothing;
  }

  /** Settings to make true, and to keep true, for as long as this pilot leads in that term. */
  order(order: Order): void {
    this.#order = order;
  }

  /** What this node holds, read now. Nothing where it cannot be read. */
  async evidence(): Promise<Evidence | undefined> {
    return this.#ports.engine.readEvidence().catch((thrown: unknown) => this.#note(thrown));
  }

  async #look(): Promise<void> {
    const life = this.#life;
    const begunAtMs = this.#ports.clock.monotonicMs();
    const views = await this.#readViews();
    if (life === this.#life) {
      this.#views = views;
      this.#seenAtMs = begunAtMs;
    }
    if (this.#ended) return;
    this.#onLook();
    this.#timer = this.#ports.clock.after(this.#intervalMs(), () => void this.#look());
  }

  async #readViews(): Promise<Views> {
    const { engine } = this.#ports;
    const spec = this.#spec();
    if (spec !== undefined) await engine.settle?.(spec).catch((thrown: unknown) => this.#note(thrown));
    const node = await engine.observeNode().catch((thrown: unknown) => this.#note(thrown));
    if (node === undefined) return nothing;
    // A node of Couchbase that sees no majority tells what there is of its cluster all the same.
    if (this.#leadingTerm() === 0 || (!node.joined && node.standing !== 'active')) return { node, appliedOrder: '' };
    const appliedOrder = await this.#applyOrder();
    const cluster = await engine.observeCluster().catch((thrown: unknown) => this.#note(thrown));
    return { node, appliedOrder, ...(cluster && { cluster }) };
  }

  /**
   * Makes the ordered settings true, and answers with the order's id where they are. Whether the pilot still leads is
   * asked right before every write: a pilot that was stopped for a while must not write what its successor has changed since.
   */
  async #applyOrder(): Promise<string> {
    const order = this.#order;
    const mayWrite = (): boolean => order?.term === this.#leadingTerm();
    if (order === undefined || !mayWrite()) return '';
    try {
      await this.#ports.engine.applySettings(order.settings, mayWrite);
      return order.id;
    } catch (thrown) {
      this.#note(thrown);
      return '';
    }
  }

  /** Each trouble is logged once until another one comes. */
  #note(thrown: unknown): undefined {
    const { message } = NavigatorError.from(thrown);
    if (message !== this.#trouble) this.#ports.log.warn({ err: thrown }, `the database: ${message}`);
    this.#trouble = message;
    return undefined;
  }
}
