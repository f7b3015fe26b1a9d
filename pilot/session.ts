/**
 * The one stream to the server: opened, greeted, opened again when it is lost. It holds no decisions.
 * Losing it has no effect on anything but what can be said; whoever waits for an answer finds out by time.
 */
import { credentials, Metadata } from '@grpc/grpc-js';
import { PilotServiceClient, type ConnectRequest, type ConnectResponse } from '../proto/navigator/v1/pilot.ts';
import { backoffMs } from '../shared/backoff.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import { NavigatorError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { Random } from '../shared/random.ts';
import { fromWire, helloToWire, type FromServer, type Greeting } from './wire.ts';

/** What a pilot needs of its stream: the session has it, and so has a simulated one. */
export interface Line {
  /** Opens the stream, and every one after it, until `close`. */
  open(): void;
  /** Whether it could be said. */
  say(message: ConnectRequest): boolean;
  close(): Promise<void>;
}

/** What is used of a gRPC call. */
export interface CallStream {
  /** Messages that wait to be sent. */
  readonly writableLength: number;
  write(message: ConnectRequest): unknown;
  end(): unknown;
  cancel(): void;
  on(event: 'data', listener: (response: ConnectResponse) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  once(event: 'error' | 'end', listener: () => void): unknown;
}

/** One call of `Connect`, on a connection of its own. */
export interface Call {
  readonly stream: CallStream;
  /** Gives up the connection. */
  close(): void;
}

export interface SessionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Begins a call on a new connection. */
  readonly dial: () => Call;
}

export interface SessionOptions {
  /** What to greet with, at every new stream. */
  readonly hello: () => Greeting;
  readonly onMessage: (message: FromServer) => void;
  /** Called when a stream is welcomed, and when it is lost. */
  readonly onChange: (connected: boolean) => void;
  /** The first wait after a loss is chosen from 0 to so many ms. Absent: a moment, as on one machine. */
  readonly spreadMs?: number;
}

/** Where the server is reached over a network, thousands may lose it at once, and are not to come back at once. */
export const NETWORK_SPREAD_MS = 5_000;

/** grpc-js has no limit of its own for connecting: a mute peer would be waited for without end. */
const connectWithinMs = 10_000;
/** Messages that may wait for a server that does not read. */
const waitingMax = 256;
/** How long the server may take to end a stream that the pilot has ended. */
const closeWithinMs = 1_000;
const reconnectRule = { firstMs: 250, capMs: 5_000 };

const channelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 1_048_576,
  // No proxy stands between a pilot and its server, whatever the environment says.
  'grpc.enable_http_proxy': 0,
  // A new channel after every loss must mean a new connection.
  'grpc.use_local_subchannel_pool': 1,
} as const;

/** What a call is made with, read anew for each one: tokens and CAs are rotated. */
export interface Papers {
  readonly token: () => string;
  /** PEM of the CAs that the server's certificate may come from. Absent: no TLS. */
  readonly ca?: () => Buffer;
}

/** Calls over gRPC. `server` is a target: `unix:/path` or `host:port`. A call throws what reading its papers throws. */
export function dialer(server: string, papers: Papers): () => Call {
  return () => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${papers.token()}`);
    const secured = papers.ca === undefined ? credentials.createInsecure() : credentials.createSsl(papers.ca());
    const client = new PilotServiceClient(server, secured, channelOptions);
    return { stream: client.connect(metadata), close: () => client.close() };
  };
}

export class Session implements Line {
  readonly #options: SessionOptions;
  readonly #ports: SessionPorts;
  #call: Call | undefined;
  #timer: Timer | undefined;
  #welcomed = false;
  #failures = 0;
  #closed = false;

  constructor(options: SessionOptions, ports: SessionPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  get connected(): boolean {
    return this.#welcomed;
  }

  /** Opens the stream, and every one after it, until `close`. */
  open(): void {
    if (this.#closed) return;
    let call: Call;
    try {
      call = this.#ports.dial();
    } catch (thrown) {
      // A token or a CA that cannot be read now is there at another try.
      return this.#retry(NavigatorError.from(thrown).message);
    }
    const { stream } = call;
    this.#call = call;
    this.#timer = this.#ports.clock.after(connectWithinMs, () => this.#lose(call, 'no welcome came in time'));
    stream.on('data', (response: ConnectResponse) => this.#receive(call, response));
    stream.on('error', (error) => this.#lose(call, error.message));
    stream.on('end', () => this.#lose(call, 'the server has ended the stream'));
    stream.write(helloToWire(this.#options.hello()));
  }

  /** Says it where a stream is welcomed; says whether it could. What is lost with a stream is said anew by its owner. */
  say(message: ConnectRequest): boolean {
    const call = this.#call;
    if (!this.#welcomed || call === undefined) return false;
    if (call.stream.writableLength >= waitingMax) {
      this.#lose(call, 'the server does not read');
      return false;
    }
    call.stream.write(message);
    return true;
  }

  /** Ends the stream for good, once the server has had what was said last, or after a moment. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    const call = this.#call;
    if (call !== undefined && this.#welcomed) {
      const { stream } = call;
      await new Promise<void>((done) => {
        this.#ports.clock.after(closeWithinMs, done);
        stream.once('end', done);
        stream.once('error', () => done());
        stream.end();
      });
    }
    this.#welcomed = false;
    this.#call?.close();
  }

  #receive(call: Call, response: ConnectResponse): void {
    if (call !== this.#call) return;
    let message: FromServer;
    try {
      message = fromWire(response);
    } catch (thrown) {
      this.#ports.log.warn({ err: thrown }, 'the server has said something that is passed over');
      return;
    }
    if (message.kind === 'welcome') {
      this.#timer?.cancel();
      this.#welcomed = true;
      this.#failures = 0;
      this.#options.onMessage(message);
      this.#options.onChange(true);
      return;
    }
    this.#options.onMessage(message);
  }

  #lose(call: Call, why: string): void {
    if (call !== this.#call || this.#closed) return;
    this.#timer?.cancel();
    this.#call = undefined;
    call.stream.on('error', () => undefined);
    call.stream.cancel();
    call.close();
    this.#retry(why);
  }

  #retry(why: string): void {
    const { clock, log } = this.#ports;
    const waitMs = this.#waitMs();
    this.#failures++;
    const reason = new NavigatorError('unavailable', why).message;
    if (this.#welcomed || this.#failures === 1) log.warn({ waitMs }, `the stream to the server is lost: ${reason}`);
    if (this.#welcomed) {
      this.#welcomed = false;
      this.#options.onChange(false);
    }
    this.#timer = clock.after(waitMs, () => this.open());
  }

  #waitMs(): number {
    const { random } = this.#ports;
    const { spreadMs } = this.#options;
    if (this.#failures === 0 && spreadMs !== undefined) return Math.round(spreadMs * random.fraction());
    return backoffMs(reconnectRule, this.#failures, random);
  }
}
