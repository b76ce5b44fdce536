import { describe, expect, it } from '@jest/globals';
import { parseRateLimit } from './rate-limits.js';

describe('parseRateLimit', () => {
  it('reads the limits of both headers by name', () => {
    const limits = parseRateLimit('"minute";q=10;w=60, "hour";q=50;w=3600', '"minute";r=7;t=23, "hour";r=44;t=900');
    expect(limits).toEqual([
      { policy: 'minute', limit: 10, remaining: 7, reset_seconds: 23 },
      { policy: 'hour', limit: 50, remaining: 44, reset_seconds: 900 },
    ]);
  });

  it('leaves out what it cannot read', () => {
    expect(parseRateLimit(null, '"minute";r=7')).toEqual([]);
    expect(parseRateLimit('nonsense', ';;,"x";r=a')).toEqual([]);
  });
});
