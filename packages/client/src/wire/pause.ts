/** Resolves after `ms`, or as soon as `signal` aborts or `until` settles. */
export function pause(ms: number, signal: AbortSignal, until?: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    until?.then(done, done);
    if (signal.aborted) done();
  });
}
