/** A Navigator server with answers made by hand, and what the CLI's tests ask it about. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Metadata, Server, ServerCredentials, type status } from '@grpc/grpc-js';
import * as wire from '../../proto/navigator/v1/navigator.ts';
import { Permit } from '../../proto/navigator/v1/types.ts';
import { socketPath } from '../../server/cli/places.ts';
import { ERROR_DETAIL_TRAILER, writeErrorDetail, type ErrorDetail } from '../../server/rpc/error-detail.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';

export const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
export const hold = { name: 'health_is_red', member: '', message: 'a primary is on no node' };
export const cluster = wire.Cluster.fromPartial({
  ...{ namespace: 'default', name: 'demo', application: 'elasticsearch', version: '9.1.2', health: 'HEALTH_GREEN' },
  ...{ generation: 2n, observedGeneration: 2n, desiredMembers: 2, readyMembers: 2, leader: 'demo-node-0', term: 4n },
  conditions: [{ type: 'Ready', status: true, reason: 'AllMembersReady', message: '2 of 2 members are ready' }],
  documents: 9_007_199_254_740_993n,
});
export const stuck = {
  ...cluster,
  conditions: [{ type: 'Ready', status: false, reason: 'NotReady', message: '1 of 2 members are ready' }],
  holds: [hold],
};
export const members = [
  wire.Member.fromPartial({
    ...{
      name: 'demo-node-0',
      pool: 'node',
      roles: ['master', 'data'],
      phase: 'running',
      version: '9.1.2',
      ready: true,
    },
    ...{ shards: 0n, documents: 12n, leader: true, restarts: 1, lastHeartbeat: new Date(nowMs - 4_000) },
  }),
  wire.Member.fromPartial({ name: 'demo-node-1', pool: 'node', phase: 'not heard of yet', holds: [hold] }),
];
export const permit = Permit.fromPartial({
  ...{
    id: 'demo-node-1.stop.7',
    member: 'demo-node-1',
    verb: 'VERB_STOP',
    state: 'PERMIT_STATE_QUEUED',
    reason: 'scale down',
  },
  ...{ requestedAt: new Date(nowMs - 300_000), changedAt: new Date(nowMs - 60_000), holds: [hold] },
});
export const event = {
  at: new Date(nowMs),
  cluster: 'default/demo',
  member: 'demo-node-1',
  kind: 'held',
  message: 'it waits',
};

/** What an answer throws to be refused. */
export class Refusal extends Error {
  readonly code: status;
  readonly told: ErrorDetail | undefined;

  constructor(code: status, details: string, told?: ErrorDetail) {
    super(details);
    this.code = code;
    this.told = told;
  }
}

export type Answers = { [K in keyof wire.NavigatorServiceServer & string]?: (request: never) => unknown };

const usual: Answers = {
  listClusters: () => ({ clusters: [cluster], nextPageToken: '' }),
  getCluster: () => ({ cluster, manifest: 'kind: ElasticsearchCluster\n' }),
  listMembers: () => ({ members, nextPageToken: '' }),
  listPermits: () => ({ permits: [permit], nextPageToken: '' }),
  why: () => ({ holds: [hold], doing: ['demo-node-1: drains'] }),
  applyCluster: () => ({ cluster, outcome: 'created', warnings: ['spec.old is ignored'] }),
  deleteCluster: () => ({}),
  pause: () => ({ cluster: { ...cluster, paused: true } }),
  resume: () => ({ cluster }),
  approvePermit: () => ({ permit: { ...permit, state: 'PERMIT_STATE_GRANTED' } }),
  denyPermit: () => ({ permit: { ...permit, state: 'PERMIT_STATE_DENIED' } }),
  revokePermit: () => ({ permit: { ...permit, state: 'PERMIT_STATE_REVOKED' } }),
  stepDown: () => ({}),
};

/** Keeps what is written to it. */
export class Sink extends Writable {
  text = '';
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  onText: (text: string) => void = () => undefined;
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.text += chunk.toString('utf8');
    done();
    this.onText(this.text);
  }
}

/** Every wait is short, and the wall stands still for people only: deadlines need the real one. */
export const quick: Clock = {
  ...systemClock(),
  after: (delayMs, callback) => systemClock().after(delayMs / 50, callback),
};

type Callback = (error: unknown, response?: unknown) => void;

/** A state directory with a server on its socket, once it serves. */
export class Scene {
  readonly directory = mkdtempSync(join(tmpdir(), 'navigator-cli-'));
  readonly asked: [string, unknown][] = [];
  #server: Server | undefined;

  get socket(): string {
    return socketPath(this.directory);
  }

  async serve(changes: Answers = {}): Promise<void> {
    const server = new Server();
    this.#server = server;
    const entries = Object.entries({ ...usual, ...changes }).map(([name, answer]) => [
      name,
      (call: { request: never }, callback: Callback) => {
        this.asked.push([name, call.request]);
        this.#answer(() => answer?.(call.request), callback);
      },
    ]);
    const watchEvents = (call: { write: (message: unknown) => void }): void => call.write({ event });
    server.addService(wire.NavigatorServiceService, { ...Object.fromEntries(entries), watchEvents });
    await new Promise<void>((done, fail) => {
      const bound = (error: Error | null): void => (error ? fail(error) : done());
      server.bindAsync(`unix:${this.socket}`, ServerCredentials.createInsecure(), bound);
    });
  }

  #answer(answer: () => unknown, callback: Callback): void {
    try {
      callback(null, answer());
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      const metadata = new Metadata();
      if (thrown.told !== undefined) metadata.set(ERROR_DETAIL_TRAILER, writeErrorDetail(thrown.told, 2_500));
      callback({ code: thrown.code, details: thrown.message, metadata });
    }
  }

  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    rmSync(this.socket, { force: true });
  }

  end(): void {
    this.stop();
    rmSync(this.directory, { recursive: true });
  }
}
