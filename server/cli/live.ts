/** What the clusters are doing, as it happens: a picture that redraws itself, or a line per change in a pipe. */
import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import { sleep, type Clock } from '../../shared/clock.ts';
import { NavigatorError } from '../../shared/errors.ts';
import type { ClusterId } from '../model/cluster.ts';
import { changesBetween } from './changes.ts';
import type { Cluster, Event, NavigatorClient } from './client.ts';
import { eventsShown, renderFrame, type ClusterPicture, type Picture } from './frame.ts';
import { toJson, type OutputFormat } from './output.ts';
import type { Output } from './surroundings.ts';
import { eventLine, keyOf } from './tables.ts';

/** Where and how to show, and until when. */
export interface LiveOptions {
  readonly stdout: Output;
  /** Redraw in place; else, and with `output` json, print a line per change. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** Ends the show. */
  readonly signal: AbortSignal;
  readonly output: OutputFormat;
}

const lookEveryMs = 1_000;
const unasked: Picture = { clusters: undefined, events: [], away: '' };

/** What is done with each look and each event. */
interface Show {
  look(clusters: readonly ClusterPicture[]): void;
  event(event: Event): void;
  /** Called once whenever the server begins to be away (a reason) or to answer again (empty). */
  away(reason: string): void;
  end(): void;
}

/**
 * Shows the named clusters, or all, until the signal is aborted. While the server is away it says so once and goes on
 * trying. It never rejects for the server's sake, and leaves the terminal as it found it.
 */
export async function showLive(
  client: NavigatorClient,
  clusterIds: readonly ClusterId[] | undefined,
  options: LiveOptions,
): Promise<void> {
  const keys = clusterIds && new Set(clusterIds.map(keyOf));
  const isShown = (key: string): boolean => keys === undefined || keys.has(key);
  const isOver = (): boolean => options.signal.aborted;
  const show = options.isTerminal && options.output === 'table' ? drawing(options) : printing(options);
  try {
    await Promise.all([
      keepLooking(client, show, { ...options, isShown, isOver }),
      keepWatching(client, show, { ...options, isShown, isOver }),
    ]);
  } finally {
    show.end();
  }
}

interface Looking extends LiveOptions {
  readonly isShown: (key: string) => boolean;
  readonly isOver: () => boolean;
}

async function keepLooking(
  client: NavigatorClient,
  show: Show,
  { clock, signal, isShown, isOver }: Looking,
): Promise<void> {
  let away = false;
  while (!isOver()) {
    const seen = await lookAtAll(client, isShown).catch((thrown: unknown) => NavigatorError.from(thrown));
    if (isOver()) return;
    if (seen instanceof NavigatorError) {
      if (!away) show.away(seen.message);
      away = true;
    } else {
      if (away) show.away('');
      away = false;
      show.look(seen);
    }
    await sleep(clock, lookEveryMs, signal);
  }
}

async function lookAtAll(
  client: NavigatorClient,
  isShown: (key: string) => boolean,
): Promise<readonly ClusterPicture[]> {
  const clusters = (await client.listClusters()).filter((cluster) => isShown(keyOf(cluster)));
  const pictures = await Promise.all(clusters.map((cluster) => lookAt(client, cluster)));
  return pictures.filter((picture) => picture !== undefined);
}

/** A cluster that ends between two questions is not there any more. */
async function lookAt(client: NavigatorClient, cluster: Cluster): Promise<ClusterPicture | undefined> {
  try {
    return { cluster, members: await client.listMembers(cluster) };
  } catch (thrown) {
    if (NavigatorError.from(thrown).code === 'not_found') return undefined;
    throw thrown;
  }
}

async function keepWatching(client: NavigatorClient, show: Show, looking: Looking): Promise<void> {
  const { clock, signal, isShown, isOver } = looking;
  const tell = async (): Promise<void> => {
    for await (const event of client.watchEvents(undefined, signal)) if (isShown(event.cluster)) show.event(event);
  };
  while (!isOver()) {
    // That the server is away is for looking to say.
    await tell().catch(() => undefined);
    await sleep(clock, lookEveryMs, signal);
  }
}

/** Redraws in place. The cursor is never hidden, so that nothing can leave it hidden. */
function drawing({ stdout }: LiveOptions): Show {
  const draw = createLogUpdate(stdout, { showCursor: true });
  let picture = unasked;
  const redraw = (change: Partial<Picture>): void => {
    picture = { ...picture, ...change };
    const size = { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 };
    draw(renderFrame(picture, size, pc).join('\n'));
  };
  return {
    look: (clusters) => redraw({ clusters }),
    event: (event) => redraw({ events: [...picture.events, event].slice(-eventsShown) }),
    away: (reason) => redraw({ away: reason === '' ? '' : `${reason}: what is shown is old; trying again` }),
    end: () => draw.done(),
  };
}

/** Prints a line per change. */
function printing({ stdout, clock, output }: LiveOptions): Show {
  let before: readonly ClusterPicture[] = [];
  const print = (text: string, view: Readonly<Record<string, unknown>>): void => {
    const at = new Date(clock.wallMs()).toISOString();
    stdout.write(`${output === 'json' ? toJson({ at, ...view }, 0) : `${at} ${text}`}\n`);
  };
  return {
    look: (clusters) => {
      for (const { cluster, member, text, view } of changesBetween(before, clusters)) {
        const of = member === '' ? { cluster } : { cluster, member };
        print([cluster, member, text].filter((part) => part !== '').join(' '), {
          ...of,
          change: text,
          ...(view === undefined ? { gone: true } : { view }),
        });
      }
      before = clusters;
    },
    event: (event) => {
      if (output === 'json') print('', { event });
      else stdout.write(`${eventLine(event)}\n`);
    },
    away: (reason) => {
      const text = reason === '' ? 'the server answers again' : `${reason}; trying again`;
      print(text, { server: reason === '' ? 'answers' : 'away', message: text });
    },
    end: () => undefined,
  };
}
