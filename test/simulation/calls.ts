/** Both ends of a gRPC call without a socket: the real session and the real service speak over these. */
import { EventEmitter } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import type { Call, CallStream } from '../../pilot/session.ts';
import { ConnectRequest, ConnectResponse } from '../../proto/navigator/v1/pilot.ts';
import type { ServedStream } from '../../server/rpc/pilot-service.ts';
import type { End, Network, Stream } from './network.ts';
import type { ActorClock } from './time.ts';

/** The pilot's end. */
export class ClientCall extends EventEmitter implements Call, CallStream, End {
  readonly clock: ActorClock;
  readonly stream = this;
  readonly #pipe: Stream;

  constructor(member: string, clock: ActorClock, network: Network) {
    super();
    this.clock = clock;
    this.#pipe = network.dial(member, this);
  }

  get writableLength(): number {
    return this.#pipe.underWay.up;
  }

  write(message: ConnectRequest): void {
    this.#pipe.send('up', ConnectRequest.encode(message).finish());
  }

  end(): void {
    this.#pipe.finish('up', '');
  }

  cancel(): void {
    this.#pipe.cut('cancelled by the pilot');
  }

  close(): void {
    this.#pipe.cut('given up by the pilot');
  }

  receive(bytes: Uint8Array): void {
    this.emit('data', ConnectResponse.decode(bytes));
  }

  ended(why: string): void {
    if (why === '') this.emit('end');
    else this.emit('error', new Error(why));
  }

  lost(why: string): void {
    this.emit('error', new Error(why));
  }
}

/** Sees what passes a server's end. */
export interface Tap {
  heard(request: ConnectRequest): void;
  said(response: ConnectResponse): void;
  gone(): void;
}

/** The server's end. */
export class ServerCall extends EventEmitter implements ServedStream, End {
  readonly clock: ActorClock;
  readonly metadata = new Metadata();
  readonly #pipe: Stream;
  readonly #tap: Tap;

  constructor(pipe: Stream, clock: ActorClock, tap: Tap) {
    super();
    this.clock = clock;
    this.#pipe = pipe;
    this.#tap = tap;
    // As grpc does with an error that the service emits: its status is the last thing that is sent.
    this.on('error', ({ details }: { readonly details: string }) => {
      tap.gone();
      pipe.finish('down', details);
    });
  }

  get writableLength(): number {
    return this.#pipe.underWay.down;
  }

  write(message: ConnectResponse): void {
    this.#tap.said(message);
    this.#pipe.send('down', ConnectResponse.encode(message).finish());
  }

  end(): void {
    this.#pipe.finish('down', '');
  }

  /** A simulated pilot says nothing before its welcome: there is nothing to hold back. */
  pause(): void {}

  resume(): void {}

  receive(bytes: Uint8Array): void {
    const request = ConnectRequest.decode(bytes);
    this.#tap.heard(request);
    this.emit('data', request);
  }

  ended(): void {
    this.#tap.gone();
    this.emit('end');
  }

  lost(): void {
    this.#tap.gone();
    this.emit('cancelled');
  }
}
