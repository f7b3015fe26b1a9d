/** A client that means no good: it sends bytes of its own making on Connect, and need not read what comes back. */
import { Client, credentials, Metadata, status, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js';
import { ConnectRequest } from '../../proto/navigator/v1/pilot.ts';
import { systemClock, within } from '../../shared/clock.ts';

type Message = NonNullable<ConnectRequest['message']>;

const path = '/navigator.v1.PilotService/Connect';
/** How long the server may take to end a stream, in ms. */
const endWithinMs = 120_000;
const noReader = (): void => undefined;
const asIs = (bytes: Buffer): Buffer => bytes;

/** The bytes of one message. */
export function bytesOf(message: Message): Buffer {
  return Buffer.from(ConnectRequest.encode({ message }).finish());
}

/** The greeting of one member. */
export function hello(member: string, cluster = 'demo', incarnation = 'hostile', namespace = 'default'): Message {
  const who = { namespace, cluster, member, incarnation };
  const rest = { application: 'elasticsearch', pilotVersion: '0', highestTerm: 0n, highestRevision: 0n, permits: [] };
  return { $case: 'hello', value: { ...who, ...rest } };
}

export class Hostile {
  heard = 0;
  readonly #ended: Promise<{ readonly code: string; readonly details: string }>;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;

  constructor(target: string, token: string | undefined, secured = credentials.createInsecure()) {
    this.#client = new Client(target, secured, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_send_message_length': -1,
    });
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    this.#stream = this.#client.makeBidiStreamRequest(path, asIs, asIs, metadata);
    this.#stream.on('error', () => undefined);
    // Without a listener the library itself would read everything, and keep it.
    this.#stream.on('readable', noReader);
    this.#ended = new Promise((resolve) => {
      this.#stream.on('status', ({ code, details }: StatusObject) => resolve({ code: status[code], details }));
    });
  }

  /** How the server has ended the stream: the name of its code, and its words. Rejects where it does not. */
  get ended(): Promise<{ readonly code: string; readonly details: string }> {
    return within(systemClock(), endWithinMs, this.#ended, () => new Error('the server has not ended the stream'));
  }

  send(...messages: readonly (Message | Buffer)[]): this {
    for (const message of messages) this.#stream.write(Buffer.isBuffer(message) ? message : bytesOf(message));
    return this;
  }

  /** From now on it reads. Without this nothing that the server says is taken from the socket. */
  read(): this {
    this.#stream.off('readable', noReader);
    this.#stream.on('data', () => this.heard++);
    this.#stream.resume();
    return this;
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}
