/** What is being done, in words for people. Pure. */
import { openPermits } from '../coordination/permits.ts';
import type { Ledger, MemberRecord } from '../model/ledger.ts';
import type { Observation } from '../model/observation.ts';
import type { Verb } from '../model/permit.ts';
import type { Doing } from '../model/plan.ts';
import { leavingMembers } from './topology.ts';

/** Why a pilot asks for an upgrade that is none of the version: its own words. */
const replacement = 'to run in another pod';

const words: Readonly<Record<Verb, string>> = {
  start: 'starting',
  restart: 'restarting',
  stop: 'stopping',
  leave: 'leaving',
  failover: 'failing over',
  rebalance: 'rebalancing',
  upgrade: 'upgrading',
  wipe: 'wiping',
};

/** One line for each member that something is being done to. */
export function describe(ledger: Ledger, observed: Observation): readonly Doing[] {
  const leaving = new Set(leavingMembers(ledger).map((record) => record.name));
  return Object.values(ledger.members).flatMap((record) => {
    const message = line(ledger, observed, record, leaving.has(record.name));
    return message === '' ? [] : [{ member: record.name, message }];
  });
}

function line(ledger: Ledger, observed: Observation, record: MemberRecord, leaving: boolean): string {
  const member = observed.members.get(record.name);
  const permit = openPermits(ledger).find((candidate) => candidate.member === record.name);
  if (record.left) return 'removing';
  if (permit?.state === 'used') {
    if (permit.verb !== 'upgrade') return words[permit.verb];
    return permit.reason === replacement ? 'being replaced by another pod' : `upgrading to ${ledger.spec.version}`;
  }
  if (permit !== undefined) return `about to begin: ${words[permit.verb]}`;
  if (ledger.deleting || ledger.stopping !== undefined) return member?.process.phase === 'stopped' ? '' : 'stopping';
  if (leaving) {
    const shards = member?.node?.shards;
    return shards === undefined ? 'draining' : `draining, ${shards} shards left`;
  }
  if (!record.joinedOnce) return 'starting';
  if (member?.request !== undefined && member.request.verb !== 'leave') return `waiting: ${words[member.request.verb]}`;
  return '';
}
