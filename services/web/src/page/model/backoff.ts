/**
 * Full jitter: anywhere between 0 and `firstMs` doubled for each failed attempt, at most `maxMs`. A fleet that restarts is then met by
 * its readers spread over time and not by all at once.
 * @param attempt failed attempts so far, from 0
 * @param random 0 (inclusive) to 1 (exclusive)
 */
export function backoffMs(attempt: number, random: number, firstMs = 500, maxMs = 8_000): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(random * ceiling);
}
