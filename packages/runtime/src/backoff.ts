/** Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015). `attempt` counts from 1. Milliseconds. */
export function backoffMs(attempt: number, first: number, max: number, random: () => number = Math.random): number {
  const ceiling = Math.min(max, first * 2 ** Math.max(0, attempt - 1));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}

/** Waits; rejects at once with the signal's reason when it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
