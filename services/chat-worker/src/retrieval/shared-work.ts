interface Running<T> {
  work: Promise<T>;
  waiting: number;
  stop: AbortController;
}

/**
 * Lets callers who want the same at the same time share one piece of work. A caller's abort ends its own wait; the work itself is stopped when
 * nobody waits for it any more.
 */
export function makeSharedWork<T>() {
  const running = new Map<string, Running<T>>();

  function begin(key: string, start: (signal: AbortSignal) => Promise<T>): Running<T> {
    const stop = new AbortController();
    const begun: Running<T> = { work: start(stop.signal), waiting: 0, stop };
    const forget = () => {
      if (running.get(key) === begun) running.delete(key);
    };
    begun.work.then(forget, forget);
    running.set(key, begun);
    return begun;
  }

  return {
    /** Rejects with the signal's reason, or as the work does. `joined` is called when the work was under way already. */
    async run(
      key: string,
      signal: AbortSignal,
      start: (signal: AbortSignal) => Promise<T>,
      joined: () => void,
    ): Promise<T> {
      signal.throwIfAborted();
      const known = running.get(key);
      if (known) joined();
      const shared = known ?? begin(key, start);
      shared.waiting += 1;
      try {
        return await orAborted(shared.work, signal);
      } finally {
        shared.waiting -= 1;
        if (shared.waiting === 0) {
          if (running.get(key) === shared) running.delete(key);
          shared.stop.abort();
        }
      }
    },
  };
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
