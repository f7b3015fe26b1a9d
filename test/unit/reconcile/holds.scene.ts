/** What the rules of the holds are tried on: three members, one of which asks. */
import type { Verb } from '../../../server/model/permit.ts';
import type { Asking } from '../../../server/reconcile/asking.ts';
import { evidence, permit, process, record, seen } from '../../support/model.ts';

export const name = 'demo-node-2';
export const three = [record(0), record(1), record(2)];

export const every: readonly Verb[] = ['start', 'restart', 'stop', 'leave', 'failover', 'rebalance', 'upgrade', 'wipe'];
export const away: readonly Verb[] = ['restart', 'upgrade', 'stop'];
export const taking: readonly Verb[] = ['leave', ...away];
export const told = (change: Parameters<typeof evidence>[1]): Partial<Asking> => ({ evidence: evidence(name, change) });
export const master = (ordinal: number): ReturnType<typeof record> => record(ordinal, { roles: ['master'] });
export const down = seen(name, { process: process('backoff') });

export const granted = (member: string, state: 'granted' | 'used' | 'queued' = 'granted'): ReturnType<typeof permit> =>
  permit(member, 'restart', { state });
