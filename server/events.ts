/** What happened, for people: events computed from what changed, and kept for those who watch. */
import type { Ledger } from './model/ledger.ts';
import type { PermitState } from './model/permit.ts';
import type { EventKind } from './model/plan.ts';

export interface ClusterEvent {
  /** Wall clock, ms since the epoch. */
  readonly at: number;
  /** `namespace/name`. */
  readonly cluster: string;
  /** Empty for the whole cluster. */
  readonly member: string;
  readonly kind: EventKind;
  readonly message: string;
}

type Change = Pick<ClusterEvent, 'member' | 'kind' | 'message'>;

const kinds: Readonly<Record<PermitState, EventKind>> = {
  queued: 'changed',
  granted: 'changed',
  used: 'started',
  completed: 'done',
  expired: 'refused',
  denied: 'refused',
  revoked: 'refused',
  withdrawn: 'changed',
};

/** What a person would want to be told of the step from one ledger to the next. Pure. */
export function changesOf(before: Ledger, after: Ledger): readonly Change[] {
  const changes: Change[] = [];
  for (const name of Object.keys(after.members)) {
    if (before.members[name] === undefined)
      changes.push({ member: name, kind: 'started', message: 'member is created' });
  }
  for (const name of Object.keys(before.members)) {
    if (after.members[name] === undefined) changes.push({ member: name, kind: 'done', message: 'member is removed' });
  }
  for (const permit of after.permits) {
    const was = before.permits.find((old) => old.id === permit.id);
    if (was?.state === permit.state) continue;
    const by = permit.decision === '' ? '' : ` (${permit.decision})`;
    changes.push({
      member: permit.member,
      kind: kinds[permit.state],
      message: `permit to ${permit.verb} is ${permit.state}${by}`,
    });
  }
  const { leader, term } = after.leadership;
  if (leader !== before.leadership.leader || term !== before.leadership.term) {
    changes.push({
      member: leader,
      kind: 'changed',
      message: leader === '' ? `term ${term}: the leader hands over` : `leads, term ${term}`,
    });
  }
  if (after.generation !== before.generation)
    changes.push({ member: '', kind: 'changed', message: `generation ${after.generation} is desired` });
  return changes;
}

/** How many events are kept, and how many one watcher may have waiting. */
const kept = 1_000;

/** Keeps the last events and passes new ones on. A watcher that throws is let go. */
export class EventFeed {
  readonly #events: ClusterEvent[] = [];
  readonly #watchers = new Set<(event: ClusterEvent) => void>();

  publish(event: ClusterEvent): void {
    this.#events.push(event);
    if (this.#events.length > kept) this.#events.shift();
    for (const watcher of this.#watchers) watcher(event);
  }

  /** The last events, oldest first. */
  recent(): readonly ClusterEvent[] {
    return this.#events;
  }

  /** Calls back on every event from now on, until the returned function is called. */
  watch(watcher: (event: ClusterEvent) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
