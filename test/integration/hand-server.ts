/** A server made by hand: it says to one pilot whatever a test makes it say, in any order, and keeps what it hears. */
import { rmSync } from 'node:fs';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  PilotServiceService,
  type ConnectRequest,
  type ConnectResponse,
  type DesiredState,
  type Heartbeat,
  type Hello,
  type OrderResult,
  type PermissionDecision,
  type PermissionRequest,
  type PermitUse,
} from '../../proto/navigator/v1/pilot.ts';
import type { DesiredPhase, PermitState } from '../../proto/navigator/v1/types.ts';
import { waitFor } from '../support/wait.ts';
import { quick } from './scene.ts';

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>;
type Said = NonNullable<ConnectRequest['message']>;

/** How every heartbeat is answered; undefined: it is not. */
export interface Word {
  readonly term: number;
  readonly yours: boolean;
}

const limitMs = 30_000;

export class HandServer {
  readonly heard: Said[] = [];
  word: Word | undefined;
  readonly #socket: string;
  #server: Server | undefined;
  #stream: Stream | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  async open(): Promise<this> {
    const server = new Server();
    server.addService(PilotServiceService, { connect: (stream: Stream) => this.#serve(stream) });
    await new Promise<void>((done, fail) => {
      server.bindAsync(`unix:${this.#socket}`, ServerCredentials.createInsecure(), (error) =>
        error ? fail(error) : done(),
      );
    });
    this.#server = server;
    return this;
  }

  /** As a server that is killed. */
  close(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#stream = undefined;
    rmSync(this.#socket, { force: true });
  }

  say(message: NonNullable<ConnectResponse['message']>): void {
    if (this.#stream === undefined) throw new Error('no pilot has come');
    this.#stream.write({ message });
  }

  /** Says what the member is meant to be, and what stands for its pod. */
  desire(revision: number, phase: 'RUNNING' | 'STOPPED' | 'DECOMMISSIONED', hash = 'h1', template = ''): void {
    const wanted: DesiredPhase = `DESIRED_PHASE_${phase}`;
    const roles = ['master', 'data'];
    const plain = { hash, version: '6.8.23', roles, plugins: [], config: [], heapBytes: 1n, seeds: [], quorum: 1 };
    const spec = { ...plain, template, couchbase: undefined };
    const value: DesiredState = { revision: BigInt(revision), phase: wanted, spec };
    this.say({ $case: 'desiredState', value });
  }

  /** Orders the exclusion of a member that does not exist. */
  order(id: string, term: number, excluded: string): void {
    const all = { allocation: 'ALLOCATION_ALL' as const, quorum: 0, topology: undefined };
    const settings = { excluded: [excluded], owned: [excluded], ...all };
    this.say({ $case: 'order', value: { id, term: BigInt(term), verb: { $case: 'applySettings', value: settings } } });
  }

  /** Answers an asking. */
  decide(request: PermissionRequest, change: { term: number; state?: PermitState; ttlMs?: number }): string {
    const { term, state = 'PERMIT_STATE_GRANTED', ttlMs = 60_000 } = change;
    const permitId = `permit-for-${request.id}`;
    const { id: requestId, sequence } = request;
    const value: PermissionDecision = {
      requestId,
      permitId,
      state,
      ttlMs,
      holds: [],
      position: 0,
      term: BigInt(term),
      sequence,
    };
    this.say({ $case: 'permissionDecision', value });
    return permitId;
  }

  answerUse(permitId: string, ok: boolean): void {
    this.say({ $case: 'permitUseAnswer', value: { permitId, ok, message: '', approvedHolds: [] } });
  }

  hellos(): readonly Hello[] {
    return this.heard.flatMap((said) => (said.$case === 'hello' ? [said.value] : []));
  }

  beats(): readonly Heartbeat[] {
    return this.heard.flatMap((said) => (said.$case === 'heartbeat' ? [said.value] : []));
  }

  requests(): readonly PermissionRequest[] {
    return this.heard.flatMap((said) => (said.$case === 'permissionRequest' ? [said.value] : []));
  }

  uses(): readonly PermitUse[] {
    return this.heard.flatMap((said) => (said.$case === 'permitUse' ? [said.value] : []));
  }

  result(id: string): OrderResult | undefined {
    return this.heard.flatMap((said) => (said.$case === 'orderResult' && said.value.id === id ? [said.value] : []))[0];
  }

  /** The next heartbeats in which this is true. */
  async beat(what: string, is: (beat: Heartbeat) => boolean): Promise<Heartbeat> {
    const from = this.beats().length;
    return waitFor(() => this.beats().slice(from).find(is), what, limitMs);
  }

  /** The pilot has had the time to do what it was told, had it wanted to: it has looked and beaten some times more. */
  async meanwhile(): Promise<void> {
    const until = this.beats().length + 5;
    await waitFor(() => this.beats().length >= until, 'five more heartbeats', limitMs);
  }

  until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
    return waitFor(condition, what, limitMs);
  }

  #serve(stream: Stream): void {
    stream.on('error', () => undefined);
    stream.on('end', () => stream.end());
    stream.on('data', ({ message }: ConnectRequest) => {
      if (message === undefined) return;
      this.heard.push(message);
      if (message.$case === 'hello') this.#welcome(stream);
      if (message.$case === 'heartbeat' && this.word !== undefined) {
        const { term, yours } = this.word;
        const leadership = { term: BigInt(term), leader: '', yours };
        stream.write({
          message: { $case: 'heartbeatAnswer', value: { sequence: message.value.sequence, leadership } },
        });
      }
    });
  }

  #welcome(stream: Stream): void {
    this.#stream = stream;
    const value = { heartbeatIntervalMs: quick.heartbeatMs, leaseTtlMs: quick.leaseMs };
    stream.write({ message: { $case: 'welcome', value } });
  }
}
