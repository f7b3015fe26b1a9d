/** A supervisor that a test steps by hand: events in, effects out, all of them remembered. */
import type { Desired, MemberSpec } from '../../pilot/model.ts';
import { initial, step, type Effect, type Event, type State } from '../../pilot/supervisor/step.ts';

export function memberSpec(change: Partial<MemberSpec> = {}): MemberSpec {
  return {
    hash: 'one',
    version: '6.8.23',
    roles: [],
    plugins: [],
    config: {},
    heapBytes: 0,
    seeds: [],
    quorum: 1,
    ...change,
  };
}

export function desired(revision: number, change: Partial<Desired> = {}): Desired {
  return { revision, phase: 'running', spec: memberSpec(), ...change };
}

export class Supervised {
  state: State = initial('0123456789abcdef', '6.8.23');
  nowMs = 1_000;
  /** What the last event led to. */
  effects: readonly Effect[] = [];
  readonly all: Effect[] = [];

  on(event: Event): this {
    const next = step(this.state, event, this.nowMs);
    this.state = next.state;
    this.effects = next.effects;
    this.all.push(...next.effects);
    return this;
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  get kinds(): readonly string[] {
    return this.effects.map((effect) => effect.kind);
  }

  get stops(): number {
    return this.all.filter((effect) => effect.kind === 'stop').length;
  }

  run(wanted = desired(1)): this {
    return this.on({ kind: 'desired', desired: wanted }).on({ kind: 'prepared' }).on({ kind: 'joined' });
  }

  exit(retryInMs = 1_000): this {
    return this.on({ kind: 'exited', message: 'it has ended', retryInMs });
  }

  decide(state: 'waiting' | 'granted' | 'ended', forMs = 30_000, requestId = this.state.asking?.id ?? ''): this {
    const permitId = `permit-of-${requestId}`;
    return this.on({ kind: 'decision', decision: { requestId, permitId, state, expiresAtMs: this.nowMs + forMs } });
  }

  /** The answer to the use of what it holds. */
  answer(ok: boolean, permitId = this.state.grant?.permitId ?? ''): this {
    return this.on({ kind: 'use_answer', permitId, ok });
  }
}
