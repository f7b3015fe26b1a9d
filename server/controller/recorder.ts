/** Events of Kubernetes: what has happened, beside the object that it happened to. Few, and never worth a failure. */
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { Random } from '../../shared/random.ts';
import { kinds } from '../kubernetes/kinds.ts';
import { keyOf, type KubeObject, type KubeObjects } from '../kubernetes/objects.ts';

export interface RecorderPorts {
  readonly objects: Pick<KubeObjects, 'create'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The pod that tells. */
  readonly instance: string;
}

export interface Happening {
  readonly reason: string;
  readonly isWarning: boolean;
  readonly message: string;
}

/** How many events an object gets at once, and how long one of these takes to come back. */
const burst = 25;
const refillMs = 10_000;
/** The same is not said again sooner than this. */
const repeatMs = 5 * 60_000;
const openMax = 50;
const objectsMax = 2_000;
const messageMax = 1_000;

interface Allowance {
  left: number;
  atMs: number;
  readonly said: Map<string, number>;
}

export class EventRecorder {
  readonly #ports: RecorderPorts;
  readonly #allowances = new Map<string, Allowance>();
  #open = 0;

  constructor(ports: RecorderPorts) {
    this.#ports = ports;
  }

  /** Tells it, unless too much has been told. */
  record(about: KubeObject, happening: Happening): void {
    if (this.#open >= openMax || !this.#isAllowed(keyOf(about), happening)) return;
    const { objects, log } = this.#ports;
    this.#open += 1;
    objects
      .create(kinds.event, this.#eventOf(about, happening))
      .catch((err: unknown) => log.warn({ err, about: keyOf(about) }, 'an event could not be told'))
      .finally(() => (this.#open -= 1));
  }

  #isAllowed(key: string, { reason, message }: Happening): boolean {
    const nowMs = this.#ports.clock.monotonicMs();
    const known = this.#allowances.get(key);
    const allowance = known ?? { left: burst, atMs: nowMs, said: new Map<string, number>() };
    this.#allowances.delete(key);
    this.#allowances.set(key, allowance);
    const oldest = this.#allowances.keys().next().value;
    if (this.#allowances.size > objectsMax && oldest !== undefined) this.#allowances.delete(oldest);
    const back = Math.floor((nowMs - allowance.atMs) / refillMs);
    allowance.left = Math.min(burst, allowance.left + back);
    allowance.atMs += back * refillMs;
    for (const [words, atMs] of allowance.said) if (nowMs >= atMs + repeatMs) allowance.said.delete(words);
    const words = `${reason} ${message}`;
    if (allowance.left === 0 || allowance.said.has(words)) return false;
    allowance.left -= 1;
    allowance.said.set(words, nowMs);
    return true;
  }

  #eventOf(about: KubeObject, { reason, isWarning, message }: Happening): KubeObject {
    const { name, namespace, uid } = about.metadata;
    const at = new Date(this.#ports.clock.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${this.#ports.random.hex(8)}`, namespace },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid },
      reason,
      message: message.slice(0, messageMax),
      type: isWarning ? 'Warning' : 'Normal',
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component: 'navigator' },
      reportingComponent: 'navigator',
      reportingInstance: this.#ports.instance,
    };
    return event;
  }
}
