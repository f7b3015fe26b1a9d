/** Time, as everything else in Navigator sees it. Nothing else may ask the machine for it. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds that never step back. Decisions use this alone. */
  monotonicMs(): number;
  /** Milliseconds since the epoch. For people alone. */
  wallMs(): number;
  /** Calls back once, after at least `delayMs`. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's own clock. Its timers do not keep the process alive where `background` is true. */
export function systemClock(background = false): Clock {
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    after(delayMs, callback) {
      const timer = setTimeout(callback, Math.max(0, delayMs));
      if (background) timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. It never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = clock.after(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
    function finish(): void {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    }
  });
}

/** Rejects with what `onTimeout` makes where `work` takes longer than `limitMs`. */
export async function within<T>(clock: Clock, limitMs: number, work: Promise<T>, onTimeout: () => Error): Promise<T> {
  let timer: Timer | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = clock.after(limitMs, () => reject(onTimeout()));
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    timer?.cancel();
  }
}
