/** Which pools may lose one member to an eviction now. Pure. */
import type { Snapshot } from '../cluster-loop.ts';
import { isPaused } from '../model/ledger.ts';
import { serves } from '../model/observation.ts';
import { isOpen } from '../model/permit.ts';
import { quorumOf, votes } from '../reconcile/quorum.ts';

/**
 * An eviction is a SIGTERM that cannot be taken back: it is let through only when a permit to stop could be granted at
 * once, to any one member of the pool. Whether it is, the pilot then asks, as always.
 */
export function poolsThatMayGo({ stored, observed, plan }: Snapshot): ReadonlySet<string> {
  const { ledger } = stored;
  const records = Object.values(ledger.members);
  const { cluster } = observed;
  const isQuiet = cluster?.health === 'green' && cluster.moving === 0 && plan.settled;
  const isWhole = records.every((record) => !record.left && serves(observed.members.get(record.name)));
  const isBusy = ledger.permits.some(isOpen) || plan.doing.length > 0;
  if (isPaused(ledger) || ledger.deleting || !isQuiet || !isWhole || isBusy) return new Set();
  if (observed.unrecordable !== undefined) return new Set();
  const voters = records.filter(votes).length;
  const needed = Math.max(quorumOf(voters), ledger.spec.minimumMasters ?? 1, cluster.quorum ?? 1);
  const pools = new Set(records.map(({ pool }) => pool));
  return new Set(
    [...pools].filter((pool) => {
      const hasVoters = records.some((record) => record.pool === pool && votes(record));
      return !hasVoters || voters - 1 >= needed;
    }),
  );
}
