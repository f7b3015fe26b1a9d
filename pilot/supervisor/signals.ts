/** The signals that reach the pilot. As PID 1 a signal without a listener is lost; elsewhere it would end the pilot. */

/** They ask the pilot to stop. */
const STOPPING = ['SIGTERM', 'SIGINT'] as const;
/** They are meant for the database. SIGUSR1 is here too because Node would else open its inspector on it. */
const FORWARDED = ['SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;
/** Nothing follows from them, but by default some would end a pilot that is not PID 1. */
const SWALLOWED = ['SIGPIPE', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR'] as const;

export type StopSignal = (typeof STOPPING)[number];
export type ForwardSignal = (typeof FORWARDED)[number];

export interface SignalListener {
  /** Called for each one; a second one is told as the first was, and what it means is not decided here. */
  onStop(signal: StopSignal): void;
  /**
   * Called for each one that is the database's. Who forwards decides by application: a JVM ends on SIGHUP and SIGUSR1,
   * while SIGQUIT makes it write its threads down.
   */
  onForward(signal: ForwardSignal): void;
}

export interface Listening {
  /** Gives every signal its default back. */
  close(): void;
}

/** Takes every signal that matters from now on. Called first in `main`, for until then the defaults hold. */
export function listen(listener: SignalListener): Listening {
  const taken: [NodeJS.Signals, () => void][] = [
    ...STOPPING.map((signal): [NodeJS.Signals, () => void] => [signal, () => listener.onStop(signal)]),
    ...FORWARDED.map((signal): [NodeJS.Signals, () => void] => [signal, () => listener.onForward(signal)]),
    ...SWALLOWED.map((signal): [NodeJS.Signals, () => void] => [signal, () => undefined]),
  ];
  for (const [signal, callback] of taken) process.on(signal, callback);
  return {
    close(): void {
      for (const [signal, callback] of taken) process.removeListener(signal, callback);
    },
  };
}
