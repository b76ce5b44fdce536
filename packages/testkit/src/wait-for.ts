/**
 * Waits until `condition` gives something other than undefined, null or false, and gives that. A condition that throws
 * counts as not yet.
 * @throws after `timeoutMs` (default 10,000), naming `what` was waited for and the condition's last error.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: { timeoutMs?: number; everyMs?: number; what?: string | (() => string) } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const { timeoutMs = 10_000, everyMs = 20, what = condition.toString() } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    let lastError: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${timeoutMs} ms in vain for: ${typeof what === 'string' ? what : what()}`, {
        cause: lastError,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
