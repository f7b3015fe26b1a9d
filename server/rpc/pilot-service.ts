/** PilotService: one stream a pilot, from the hello to its end. */
import type { handleBidiStreamingCall, Metadata, status } from '@grpc/grpc-js';
import type { ConnectRequest, ConnectResponse } from '../../proto/navigator/v1/pilot.ts';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { ClusterLoop } from '../cluster-loop.ts';
import type { Loop } from '../loop.ts';
import type { Hello, PilotLink } from '../model/messages.ts';
import { isRefusal, refusal, type Identity, type Refusal } from './access.ts';
import { bearer } from './bearer.ts';
import { fromWire, helloFromWire, toWire } from './pilot-wire.ts';
import type { Refusals } from './refusals.ts';
import { statusOf } from './wire.ts';

/** What is used of a gRPC call. An `error` that is emitted ends it with that status. */
export interface ServedStream {
  readonly metadata: Metadata;
  /** Messages that wait to be sent. */
  readonly writableLength: number;
  write(message: ConnectResponse): unknown;
  end(): unknown;
  /** No `data` comes until `resume`. */
  pause(): unknown;
  resume(): unknown;
  emit(event: 'error', status: { readonly code: status; readonly details: string }): boolean;
  on(event: 'data', listener: (request: ConnectRequest) => void): unknown;
  on(event: 'end' | 'cancelled' | 'error', listener: () => void): unknown;
}

/** Messages that may wait for a slow reader; with one more, its stream is ended. */
const waitingMax = 256;

/** How long a stream may stay without a hello, and how long it may take to know who that is. */
const welcomeWithinMs = 10_000;

export interface PilotServicePorts {
  readonly loop: Loop;
  readonly identity: Identity;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Serves `Connect`. */
export function connectHandler(ports: PilotServicePorts): handleBidiStreamingCall<ConnectRequest, ConnectResponse> {
  return (stream) => serveStream(stream, ports);
}

interface Seat {
  readonly cluster: ClusterLoop;
  readonly member: string;
}

/** Serves one stream from its hello to its end. */
export function serveStream(stream: ServedStream, ports: PilotServicePorts): void {
  const { clock, log } = ports;
  let seat: Seat | undefined;
  let ended = false;
  const link: PilotLink = {
    say(message) {
      if (ended) return;
      if (stream.writableLength >= waitingMax)
        return end(new NavigatorError('exhausted', 'the pilot reads too slowly'));
      stream.write(toWire(message));
    },
    end: (code, message) => end(new NavigatorError(code, message)),
  };
  let late = 'no hello came';
  const welcomeTimer = clock.after(welcomeWithinMs, () => end(new NavigatorError('timeout', late)));

  function end(error: NavigatorError): void {
    if (ended) return;
    leave();
    const details = error.code === 'internal' ? 'internal error; the server has logged it' : error.message;
    log.warn(
      { member: seat?.member, code: error.code, err: error.cause },
      `a pilot's stream is ended: ${error.message}`,
    );
    stream.emit('error', { code: statusOf(error.code), details });
  }

  function leave(): void {
    ended = true;
    welcomeTimer.cancel();
    seat?.cluster.disconnect(seat.member, link);
  }

  /** Nothing more is read before it is known who speaks. */
  async function greet(request: ConnectRequest): Promise<void> {
    stream.pause();
    late = 'it could not be found out in time who this is';
    const admitted = await admit(request, stream.metadata, ports);
    // A stream that has ended meanwhile takes no seat.
    if (ended) return;
    const { hello, ...place } = admitted;
    seat = place;
    welcomeTimer.cancel();
    seat.cluster.connect(hello, link);
    stream.resume();
  }

  stream.on('data', (request: ConnectRequest) => {
    if (ended) return;
    if (seat === undefined) return void greet(request).catch((thrown: unknown) => end(NavigatorError.from(thrown)));
    try {
      seat.cluster.hear(seat.member, link, fromWire(request));
    } catch (thrown) {
      end(NavigatorError.from(thrown));
    }
  });
  stream.on('end', () => {
    if (ended) return;
    leave();
    stream.end();
  });
  stream.on('cancelled', () => !ended && leave());
  stream.on('error', () => !ended && leave());
}

type Admitted = Seat & { readonly hello: Hello };

/** Who speaks is what the token says; a hello in another member's name is refused. */
async function admit(request: ConnectRequest, metadata: Metadata, ports: PilotServicePorts): Promise<Admitted> {
  if (request.message?.$case !== 'hello')
    throw new NavigatorError('invalid', 'the first message of a stream must be a hello');
  const hello = helloFromWire(request.message.value);
  const { cluster, member } = hello;
  const refused = await refusalOf(hello, bearer(metadata), ports.identity);
  if (refused !== undefined) {
    ports.refusals.add('pilot', refused);
    ports.log.warn(
      { reason: refused.refused, cluster: `${cluster.namespace}/${cluster.name}`, member },
      'a pilot is refused',
    );
    throw new NavigatorError(refused.code, refused.message);
  }
  return { cluster: ports.loop.get(cluster), member, hello };
}

async function refusalOf({ cluster, member }: Hello, token: string, identity: Identity): Promise<Refusal | undefined> {
  const needed = 'the call needs `authorization: Bearer` with the token of its member';
  if (token === '') return refusal('no_token', needed);
  const holder = await identity.holderOf(token);
  if (isRefusal(holder)) return holder;
  const key = `${cluster.namespace}/${cluster.name}`;
  if (holder.cluster !== key) return refusal('other_cluster', `the token belongs to another cluster than ${key}`);
  if (holder.member !== member) {
    return refusal('other_member', `the token belongs to another member than ${key} ${member}`);
  }
  return undefined;
}
