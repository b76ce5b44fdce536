import { describe, expect, it } from '@jest/globals';
import { clock, moment, secondsLeft, tightest } from './quota.js';

describe('tightest', () => {
  const minute = { policy: 'minute', limit: 10, remaining: 1, reset_seconds: 20, toldAtMs: 0 };
  const hour = { policy: 'hour', limit: 50, remaining: 25, reset_seconds: 3000, toldAtMs: 0 };

  it('is the window with the smallest share left', () => {
    expect(tightest([hour, minute], 1000)?.policy).toBe('minute');
  });

  it('takes a window as full again once it has been refilled', () => {
    expect(tightest([hour, minute], 21_000)).toMatchObject({ policy: 'hour', remaining: 25 });
  });

  it('shows nothing of limits that are not the fan’s own', () => {
    expect(tightest([{ ...minute, policy: 'tenant-minute' }], 0)).toBeNull();
  });
});

describe('countdown', () => {
  it('counts whole seconds down to zero and stays there', () => {
    expect(secondsLeft(23_000, 0)).toBe(23);
    expect(secondsLeft(23_000, 22_001)).toBe(1);
    expect(secondsLeft(23_000, 30_000)).toBe(0);
  });

  it('is written as a clock, and a moment of a source without the leading zero', () => {
    expect([clock(23), clock(727), clock(3723)]).toEqual(['00:23', '12:07', '1:02:03']);
    expect([moment(42), moment(727), moment(3723)]).toEqual(['0:42', '12:07', '1:02:03']);
  });
});
