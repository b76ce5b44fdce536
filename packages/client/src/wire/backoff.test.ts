import { describe, expect, it } from '@jest/globals';
import { backoffMs, defaultBackoff } from './backoff.js';

describe('backoffMs', () => {
  it('is anywhere between nothing and a bound that doubles up to its cap', () => {
    const bounds = { baseMs: 300, maxMs: 10_000 };
    expect([0, 1, 2, 20].map((failures) => backoffMs(failures, 0.9999, bounds))).toEqual([300, 600, 1200, 9999]);
    expect(backoffMs(20, 0, bounds)).toBe(0);
    expect(backoffMs(1, 0.5, bounds)).toBe(300);
  });

  it('begins between 250 and 500 ms and ends at 10 s unless told otherwise', () => {
    expect(defaultBackoff).toEqual({ baseMs: 300, maxMs: 10_000 });
  });
});
