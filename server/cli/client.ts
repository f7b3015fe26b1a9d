/** The CLI's end of NavigatorService: promises, deadlines, whole lists, and errors that say what to do. */
import { Client, status, type Metadata, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
import {
  NavigatorServiceService as service,
  type Cluster,
  type Event,
  type Member,
  type WatchEventsResponse,
  type WhyResponse,
} from '../../proto/navigator/v1/navigator.ts';
import type { Permit } from '../../proto/navigator/v1/types.ts';
import type { Clock } from '../../shared/clock.ts';
import { NavigatorError, type ErrorCode } from '../../shared/errors.ts';
import { ManifestError, type Problem } from '../manifest/parse.ts';
import type { ClusterId } from '../model/cluster.ts';
import { readErrorDetail, ERROR_DETAIL_TRAILER } from '../rpc/error-detail.ts';
import { statusOf } from '../rpc/wire.ts';
import { lineTo, type Line, type Place } from './line.ts';

/** The views that the server answers with, for the rest of the CLI. */
export type { Cluster, Event, Member, WhyResponse } from '../../proto/navigator/v1/navigator.ts';
/** The words of those views. */
export type { Hold, Permit } from '../../proto/navigator/v1/types.ts';

/** What a person decides about a permit. */
export interface Ruling {
  readonly permit: string;
  readonly who: string;
  readonly why: string;
  /** For an approval: the names of the holds that the person was shown. Absent: those that hold it now. */
  readonly holds?: readonly string[];
}

/** The ways to decide about a permit. */
export type Verdict = 'approve' | 'deny' | 'revoke';

/** What has become of one manifest. */
export interface Applied {
  readonly cluster: Cluster;
  /** created, changed or unchanged. */
  readonly outcome: string;
  readonly warnings: readonly string[];
}

/** Every method rejects with a NavigatorError and nothing else. Lists are whole: all pages are read. */
export interface NavigatorClient {
  listClusters(): Promise<readonly Cluster[]>;
  getCluster(id: ClusterId): Promise<{ readonly cluster: Cluster; readonly manifest: string }>;
  listMembers(id: ClusterId): Promise<readonly Member[]>;
  /** `all`: ended permits, too. */
  listPermits(id: ClusterId, all: boolean): Promise<readonly Permit[]>;
  /** `member` empty: the whole cluster. */
  why(id: ClusterId, member: string): Promise<WhyResponse>;
  apply(manifest: string): Promise<Applied>;
  delete(id: ClusterId): Promise<void>;
  setPaused(id: ClusterId, paused: boolean): Promise<Cluster>;
  rule(id: ClusterId, verdict: Verdict, ruling: Ruling): Promise<Permit>;
  stepDown(id: ClusterId): Promise<void>;
  /** Events of one cluster, or of all, from now on; ends when `signal` is aborted, throws when the server goes away. */
  watchEvents(id: ClusterId | undefined, signal: AbortSignal): AsyncGenerator<Event, void>;
  close(): void;
}

const answerMs = 10_000;
/** The server may first have to fetch a distribution of the database. */
const applyMs = 600_000;
/** A watch is opened anew this often, so that no call is without a deadline. */
const watchMs = 3_600_000;
/** A list that is longer than this many pages never ends. */
const pagesMax = 10_000;

const channelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
} as const;

type Method<Q, A> = Pick<MethodDefinition<Q, A>, 'path' | 'requestSerialize' | 'responseDeserialize'>;
type Ask = <Q, A>(method: Method<Q, A>, request: Q, limitMs?: number) => Promise<A>;

/** A client of the server at this place. It connects with the first call. Throws `invalid` where a CA cannot be read. */
export function connectClient(place: Place, clock: Clock): NavigatorClient {
  const line = lineTo(place);
  const channel = new Client(line.target, line.secured, channelOptions);
  const ask: Ask = (method, request, limitMs = answerMs) =>
    new Promise((answer, fail) => {
      const { path, requestSerialize, responseDeserialize } = method;
      const options = { deadline: clock.wallMs() + limitMs };
      const metadata = line.metadata();
      const back = (error: ServiceError | null, response?: Parameters<typeof answer>[0]): void => {
        if (error) fail(fromService(error, line));
        else if (response === undefined) fail(emptyAnswer());
        else answer(response);
      };
      channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, back);
    });
  return {
    ...reading(ask),
    ...changing(ask),
    watchEvents: (id, signal) => watch({ channel, line, clock }, id, signal),
    close: () => channel.close(),
  };
}

type Reading = Pick<NavigatorClient, 'listClusters' | 'getCluster' | 'listMembers' | 'listPermits' | 'why'>;
type Changing = Pick<NavigatorClient, 'apply' | 'delete' | 'setPaused' | 'rule' | 'stepDown'>;

const named = ({ namespace, name }: ClusterId): { cluster: string; namespace: string } => ({
  cluster: name,
  namespace,
});

function reading(ask: Ask): Reading {
  return {
    listClusters: () =>
      wholeList(async (pageToken) => {
        const { clusters, nextPageToken } = await ask(service.listClusters, { pageSize: 0, pageToken });
        return { items: clusters, nextPageToken };
      }),
    getCluster: async (id) => {
      const { cluster, manifest } = await ask(service.getCluster, named(id));
      return { cluster: present(cluster), manifest };
    },
    listMembers: (id) =>
      wholeList(async (pageToken) => {
        const { members, nextPageToken } = await ask(service.listMembers, { ...named(id), pageSize: 0, pageToken });
        return { items: members, nextPageToken };
      }),
    listPermits: (id, all) =>
      wholeList(async (pageToken) => {
        const { permits, nextPageToken } = await ask(service.listPermits, {
          ...named(id),
          pageSize: 0,
          pageToken,
          all,
        });
        return { items: permits, nextPageToken };
      }),
    why: (id, member) => ask(service.why, { ...named(id), member }),
  };
}

function changing(ask: Ask): Changing {
  const verdicts = { approve: service.approvePermit, deny: service.denyPermit, revoke: service.revokePermit };
  return {
    apply: async (manifest) => {
      const { cluster, outcome, warnings } = await ask(service.applyCluster, { manifest }, applyMs);
      return { cluster: present(cluster), outcome, warnings };
    },
    delete: async (id) => {
      await ask(service.deleteCluster, named(id));
    },
    setPaused: async (id, paused) => present((await ask(paused ? service.pause : service.resume, named(id))).cluster),
    rule: async (id, verdict, { holds = [], ...ruling }) => {
      const request = { ...named(id), ...ruling, holds: [...holds] };
      return present((await ask(verdicts[verdict], request)).permit);
    },
    stepDown: async (id) => {
      await ask(service.stepDown, named(id));
    },
  };
}

interface Watching {
  readonly channel: Client;
  readonly line: Line;
  readonly clock: Clock;
}

/** Opens a watch anew whenever its deadline ends it. */
async function* watch(watching: Watching, id: ClusterId | undefined, signal: AbortSignal): AsyncGenerator<Event, void> {
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      yield* watchOnce(watching, id, signal);
    } catch (thrown) {
      if (isOver()) return;
      const error = fromService(thrown, watching.line);
      if (error.code !== 'timeout') throw error;
    }
  }
}

async function* watchOnce(
  watching: Watching,
  id: ClusterId | undefined,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const { channel, line, clock } = watching;
  const request = { cluster: id?.name ?? '', namespace: id?.namespace ?? '' };
  const { path, requestSerialize, responseDeserialize } = service.watchEvents;
  const options = { deadline: clock.wallMs() + watchMs };
  const metadata = line.metadata();
  const call = channel.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata, options);
  const stop = (): void => call.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const { event } of call as AsyncIterable<WatchEventsResponse>) if (event) yield event;
    throw new NavigatorError('unavailable', 'the server has ended the watch');
  } finally {
    signal.removeEventListener('abort', stop);
    call.cancel();
  }
}

interface ListPage<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** Follows the tokens to the end. A list that changed between two pages is read once more from the start. */
async function wholeList<T>(read: (pageToken: string) => Promise<ListPage<T>>, again = true): Promise<readonly T[]> {
  const all: T[] = [];
  let token = '';
  for (let pages = 0; pages < pagesMax; pages++) {
    try {
      const { items, nextPageToken } = await read(token);
      all.push(...items);
      if (nextPageToken === '') return all;
      token = nextPageToken;
    } catch (thrown) {
      if (token !== '' && again && NavigatorError.from(thrown).code === 'invalid') return wholeList(read, false);
      throw thrown;
    }
  }
  throw new NavigatorError('internal', `the server's list has more than ${pagesMax} pages`);
}

function present<T>(part: T | undefined): T {
  if (part === undefined) throw emptyAnswer();
  return part;
}

function emptyAnswer(): NavigatorError {
  return new NavigatorError('internal', 'the server has answered without what was asked for');
}

const codes = Object.keys({
  invalid: true,
  not_found: true,
  already_exists: true,
  conflict: true,
  refused: true,
  unauthenticated: true,
  forbidden: true,
  unavailable: true,
  timeout: true,
  exhausted: true,
  unsupported: true,
  missing_tool: true,
  internal: true,
} satisfies Record<ErrorCode, true>) as readonly ErrorCode[];

function fromService(thrown: unknown, line: Line): NavigatorError {
  if (!isServiceError(thrown)) return NavigatorError.from(thrown);
  const told = readDetail(thrown.metadata);
  if (told === undefined && thrown.code === status.UNAVAILABLE) return line.away(thrown);
  if (told === undefined && thrown.code === status.DEADLINE_EXCEEDED) {
    const advice = ['the server may be busy: try again, and look at its log'];
    return new NavigatorError('timeout', `the server on ${line.name} has not answered in time`, {
      cause: thrown,
      advice,
    });
  }
  const code = told?.code ?? codes.find((known) => statusOf(known) === thrown.code) ?? 'internal';
  if (told !== undefined && told.problems.length > 0) return new ManifestError(told.problems, told.omitted);
  return new NavigatorError(code, thrown.details, { cause: thrown, advice: told?.advice ?? [] });
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && typeof (thrown as Partial<ServiceError>).code === 'number' && 'details' in thrown;
}

interface Told {
  readonly code: ErrorCode | undefined;
  readonly advice: readonly string[];
  readonly problems: readonly Problem[];
  readonly omitted: number;
}

/** What the server has added to the status. */
function readDetail(metadata: Metadata): Told | undefined {
  const told = readErrorDetail(metadata.get(ERROR_DETAIL_TRAILER)[0]);
  return (
    told && {
      code: codes.find((known) => known === told.code),
      advice: Array.isArray(told.advice) ? told.advice.map(String) : [],
      problems: Array.isArray(told.problems) ? told.problems.filter(isProblem) : [],
      omitted: Number(told.omitted) || 0,
    }
  );
}

function isProblem(value: unknown): value is Problem {
  const { path, value: shown, reason } = (value ?? {}) as Record<string, unknown>;
  return typeof path === 'string' && typeof shown === 'string' && typeof reason === 'string';
}
