/** What the orchestrator does of its own accord: it ends what its predecessor has left half done, and fails over. */
import { activeNodes, changeNodes, ended, entries, isData, type Config } from './config.ts';
import type { Node } from './node.ts';
import { failedOver } from './rebalance.ts';
import { loneActives } from './vbuckets.ts';

const lookMs = 1_000;
/** How long a new orchestrator waits before it takes a rebalance of its predecessor for dead. */
const graceMs = 6_000;

/** Never ends. */
export async function govern(node: Node): Promise<never> {
  let leadsSince = Infinity;
  for (;;) {
    await node.pace.wait(lookMs);
    const leads = node.orchestrator()?.otp === node.otp;
    leadsSince = leads ? Math.min(leadsSince, node.pace.now()) : Infinity;
    if (!leads || node.pace.now() - leadsSince < graceMs) continue;
    await noteVersions(node).catch(() => undefined);
    await endInterrupted(node).catch(() => undefined);
    await failOverBySelf(node).catch(() => undefined);
  }
}

/** A node that was started again may be of another version. */
async function noteVersions(node: Node): Promise<void> {
  const all = node.config === undefined ? [] : entries(node.config);
  const stale = all.filter(({ otp, version }) => (node.versionOf(otp) ?? version) !== version);
  if (stale.length === 0) return;
  const names = stale.map(({ otp }) => otp);
  await node.change((config) =>
    changeNodes(config, names, ({ otp, version }) => ({ version: node.versionOf(otp) ?? version })),
  );
}

async function endInterrupted(node: Node): Promise<void> {
  const { running } = node.config ?? {};
  if (running === undefined || running.id === node.working) return;
  const { subtype, id: reportId } = running;
  const errorMessage = 'Rebalance failed. See logs for detailed reason. You can try again.';
  await node.change((config) =>
    config.running?.id === reportId ? ended(config, { subtype, reportId, errorMessage }) : config,
  );
}

/** One node at a time, never without a majority, and never one whose vBuckets are active nowhere else. */
async function failOverBySelf(node: Node): Promise<void> {
  const { config } = node;
  if (config === undefined || config.running !== undefined) return;
  const { enabled, timeout, maxCount, count } = config.autoFailover;
  if (!enabled || count >= maxCount) return;
  const silent = activeNodes(config).filter(({ otp }) => !node.isAlive(otp) && node.silentMs(otp) > timeout * 1_000);
  const [victim] = silent;
  if (victim === undefined || silent.length > 1 || (isData(victim) && wouldLose(config, victim.otp))) return;
  await node.change((before) => {
    const after = failedOver(before, [victim.otp]);
    const last = { subtype: 'failover', reportId: `auto-${before.rev}` };
    return { ...after, last, autoFailover: { ...after.autoFailover, count: count + 1 } };
  });
}

function wouldLose(config: Config, otp: string): boolean {
  return Object.values(config.buckets).some(({ map }) => loneActives(map, otp) > 0);
}
