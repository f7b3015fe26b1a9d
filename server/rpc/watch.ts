/** WatchEvents: what happens from now on, as far as whoever watches may know of it, at every event anew. */
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type * as wire from '../../proto/navigator/v1/navigator.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { ClusterEvent, EventFeed } from '../events.ts';
import type { Guard } from './guard.ts';
import { callError } from './call-error.ts';

/** Watchers of events that a server serves at once, and events that may wait for a slow one. */
const watchersMax = 100;
const waitingMax = 256;

type WatchCall = ServerWritableStream<wire.WatchEventsRequest, wire.WatchEventsResponse>;

interface WatchPorts {
  readonly events: EventFeed;
  readonly log: Logger;
}

/** Serves `WatchEvents`. */
export function watchHandler(ports: WatchPorts, guard: Guard): (call: WatchCall) => void {
  let watchers = 0;
  return (call) => {
    if (watchers >= watchersMax) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `${watchersMax} watchers are served at once` });
      return;
    }
    watchers++;
    serveWatch(call, ports, guard, () => watchers--);
  };
}

function serveWatch(call: WatchCall, { events, log }: WatchPorts, guard: Guard, gone: () => void): void {
  const { cluster, namespace } = call.request;
  const id = cluster === '' ? undefined : { namespace: namespace || 'default', name: cluster };
  const key = id && `${id.namespace}/${id.name}`;
  let open = true;
  let weighed = 0;
  const fail = (thrown: unknown): void => {
    if (open) call.emit('error', callError(log, thrown));
  };
  /** A token may have ended since the last event, and a right been taken away. */
  const weigh = async (event?: ClusterEvent): Promise<void> => {
    const caller = await guard.callerOf(call.metadata, 'watchEvents');
    const tell = id === undefined ? event && (await guard.mayHear(caller, event.cluster)) : true;
    if (id !== undefined) await guard.demand(caller, 'watchEvents', id);
    if (event !== undefined && tell === true && open) call.write({ event: eventToWire(event) });
  };
  let turn = weigh().catch(fail);
  const forget = events.watch((event) => {
    if (key !== undefined && event.cluster !== key) return;
    if (weighed + call.writableLength >= waitingMax) {
      return fail(new NavigatorError('exhausted', 'the watcher reads too slowly'));
    }
    weighed++;
    turn = turn
      .then(() => weigh(event))
      .catch(fail)
      .finally(() => weighed--);
  });
  const leave = (): void => {
    if (!open) return;
    open = false;
    forget();
    gone();
  };
  call.on('cancelled', leave);
  call.on('error', leave);
  call.on('close', leave);
}

function eventToWire(event: ClusterEvent): wire.Event {
  return {
    at: new Date(event.at),
    cluster: event.cluster,
    member: event.member,
    kind: event.kind,
    message: event.message,
  };
}
