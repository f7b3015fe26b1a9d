/** The node and the control plane, where the cluster is one of ours: what a check does to them, and undoes. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.env['NAVIGATOR_E2E_DIRECTORY'];

export type Daemon = 'kubelet' | 'kube-apiserver' | 'etcd';

/** Why a check that needs the machine cannot be run here; undefined on a cluster of ours. */
export const notOurs = directory === undefined ? 'only on a cluster that the e2e has brought up itself' : undefined;

export function pidOf(daemon: Daemon): number {
  return Number(readFileSync(join(directory ?? '', 'pids', daemon), 'utf8'));
}

/** It is started again at once, unless it is held. */
export function kill(daemon: Daemon): void {
  process.kill(pidOf(daemon), 'SIGKILL');
}

/** Keeps a daemon away while `work` runs. */
export async function without<T>(daemon: Daemon, work: () => Promise<T>): Promise<T> {
  const held = join(directory ?? '', 'held', daemon);
  writeFileSync(held, '');
  kill(daemon);
  try {
    return await work();
  } finally {
    rmSync(held, { force: true });
  }
}

/** One call of Navigator's server to the API, as the API server has written it down. */
export interface AuditedCall {
  readonly verb: string;
  readonly group: string;
  /** With its subresource, as RBAC writes it. */
  readonly resource: string;
  readonly code: number;
}

/** All of them so far. */
export function auditedCalls(): readonly AuditedCall[] {
  const lines = readFileSync(join(directory ?? '', 'audit.log'), 'utf8')
    .split('\n')
    .filter(Boolean);
  return lines.map((line) => {
    const {
      verb,
      objectRef = {},
      responseStatus = {},
    } = JSON.parse(line) as {
      verb: string;
      objectRef?: { apiGroup?: string; resource?: string; subresource?: string };
      responseStatus?: { code?: number };
    };
    const { apiGroup = '', resource = '', subresource } = objectRef;
    const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
    return { verb, group: apiGroup, resource: whole, code: responseStatus.code ?? 0 };
  });
}
