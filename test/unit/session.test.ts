/** How a pilot's stream is lost, and when the next one is opened. */
import { expect } from 'chai';
import { NETWORK_SPREAD_MS, Session, type Call, type SessionOptions } from '../../pilot/session.ts';
import type { ConnectResponse } from '../../proto/navigator/v1/pilot.ts';
import type { Clock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';

const welcome: ConnectResponse = { message: { $case: 'welcome', value: { heartbeatIntervalMs: 1, leaseTtlMs: 1 } } };
const greeting = {
  ...{ namespace: 'default', cluster: 'demo', member: 'demo-node-0', application: '', pilotVersion: '' },
  ...{ incarnation: 'life', highestTerm: 0, highestRevision: 0, permits: [] },
};

/** A stream that a test moves by hand. */
class Stream {
  writableLength = 0;
  cancelled = false;
  readonly written: unknown[] = [];
  readonly #heard = new Map<string, (argument: never) => void>();
  on = (event: string, listener: (argument: never) => void): void => {
    this.#heard.set(event, listener);
  };
  once = this.on;
  write = (message: unknown): void => void this.written.push(message);
  end = (): void => undefined;
  cancel = (): void => {
    this.cancelled = true;
  };
  receive(response: ConnectResponse): void {
    this.#heard.get('data')?.(response as never);
  }
  fail(): void {
    this.#heard.get('error')?.(new Error('cut') as never);
  }
}

/** A session that never waits: its waits are kept, and the next stream is opened when the test says so. */
class Scene {
  readonly streams: Stream[] = [];
  readonly timers: { readonly delayMs: number; readonly callback: () => void; cancelled: boolean }[] = [];
  readonly session: Session;

  constructor(fraction: number, change: Partial<SessionOptions> = {}) {
    const clock: Clock = {
      monotonicMs: () => 0,
      wallMs: () => 0,
      after: (delayMs, callback) => {
        const timer = { delayMs, callback, cancelled: false };
        this.timers.push(timer);
        return { cancel: () => void (timer.cancelled = true) };
      },
    };
    const dial = (): Call => {
      const stream = new Stream();
      this.streams.push(stream);
      return { stream, close: () => undefined };
    };
    const options = { hello: () => greeting, onMessage: () => undefined, onChange: () => undefined, ...change };
    const random = { fraction: () => fraction, hex: () => '' };
    this.session = new Session(options, { clock, random, log: createLogger('test', 'silent'), dial });
    this.session.open();
  }

  get stream(): Stream {
    return this.streams.at(-1)!;
  }

  /** The one timer that is set. */
  get waitMs(): number {
    const set = this.timers.filter(({ cancelled }) => !cancelled);
    expect(set).to.have.length(1);
    return set[0]!.delayMs;
  }

  /** The time of the timer that is set has come. */
  elapse(): void {
    const timer = this.timers.find(({ cancelled }) => !cancelled)!;
    timer.cancelled = true;
    timer.callback();
  }
}

describe('the stream of a pilot', () => {
  it('is opened again, over a network, at a moment that is chosen from five seconds', () => {
    const waits = [0, 0.5, 0.999].map((fraction) => {
      const scene = new Scene(fraction, { spreadMs: NETWORK_SPREAD_MS });
      scene.stream.receive(welcome);
      scene.stream.fail();
      return scene.waitMs;
    });
    expect(waits).to.deep.equal([0, 2_500, 4_995]);
  });

  it('is opened again within a moment on one machine, and more seldom the longer nobody answers', () => {
    const scene = new Scene(1);
    const waits = [0, 1, 2, 3, 4, 5, 6].map(() => {
      scene.stream.fail();
      const { waitMs } = scene;
      scene.elapse();
      return waitMs;
    });
    expect(waits).to.deep.equal([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    scene.stream.receive(welcome);
    scene.stream.fail();
    expect(scene.waitMs, 'after a welcome').to.equal(250);
  });

  it('is given up where no welcome comes within ten seconds', () => {
    const scene = new Scene(1);
    expect(scene.waitMs).to.equal(10_000);
    scene.elapse();
    expect(scene.stream.cancelled).to.equal(true);
    expect(scene.session.connected).to.equal(false);
  });

  it('is cancelled where 256 messages wait for a server that does not read', () => {
    const scene = new Scene(1);
    scene.stream.receive(welcome);
    const message = { message: undefined };
    scene.stream.writableLength = 255;
    expect(scene.session.say(message)).to.equal(true);
    scene.stream.writableLength = 256;
    expect(scene.session.say(message)).to.equal(false);
    expect(scene.stream.cancelled).to.equal(true);
    expect(scene.stream.written).to.have.length(2);
  });
});
