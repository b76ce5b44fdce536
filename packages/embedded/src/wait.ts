export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Tries `attempt` every `everyMs` until it gives something other than undefined.
 * @throws the error `tooLate` makes after `withinMs`, or when `gaveUp` says that waiting is pointless.
 */
export async function poll<T>(options: {
  attempt: () => Promise<T | undefined>;
  everyMs: number;
  withinMs: number;
  gaveUp?: () => boolean;
  tooLate: () => Error;
}): Promise<T> {
  const end = performance.now() + options.withinMs;
  for (;;) {
    const value = await options.attempt();
    if (value !== undefined) return value;
    if (options.gaveUp?.() || performance.now() > end) throw options.tooLate();
    await sleep(options.everyMs);
  }
}
