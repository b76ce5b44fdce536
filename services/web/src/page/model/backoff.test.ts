import { describe, expect, it } from '@jest/globals';
import { backoffMs } from './backoff.js';

describe('backoffMs', () => {
  it('spreads over the whole span from 0 to a doubling ceiling', () => {
    expect(backoffMs(0, 0)).toBe(0);
    expect(backoffMs(0, 0.999)).toBeLessThanOrEqual(500);
    expect(backoffMs(3, 0.5)).toBe(2000);
  });

  it('never exceeds its maximum, however often it failed', () => {
    expect(backoffMs(5000, 0.9999)).toBeLessThanOrEqual(8_000);
  });
});
