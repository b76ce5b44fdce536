/** Bounds of the waits between tries, ms. */
export interface Backoff {
  baseMs: number;
  maxMs: number;
}

/** A first try comes back within a third of a second, so one lost gateway costs little; ten seconds are short beside any outage that needs them. */
export const defaultBackoff: Backoff = { baseMs: 300, maxMs: 10_000 };

/**
 * Full jitter: anywhere between 0 and `baseMs` doubled for each failed try, at most `maxMs`. A fleet that restarts is then met by its
 * readers spread over time and not by all at once.
 * @param failures failed tries before this wait's own, from 0
 * @param random 0 (inclusive) to 1 (exclusive)
 */
export function backoffMs(failures: number, random: number, { baseMs, maxMs }: Backoff): number {
  return Math.round(random * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)));
}
