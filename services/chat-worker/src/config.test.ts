import { describe, expect, test } from '@jest/globals';
import { defaultDeadlines } from '@sidestage/models';
import { readConfig } from './config.js';

const least = {
  DATABASE_URL: 'postgres://localhost/x',
  REDIS_URL: 'redis://localhost:6379',
  RETRIEVAL_TOKEN: 'token',
};
const ladderOf = (env: Record<string, string>) =>
  readConfig({ ...least, ...env }).ladder.map(({ provider }) => provider);

describe('the worker’s settings', () => {
  test('without a key the built-in answerer answers; a key or address puts its provider before it', () => {
    expect(ladderOf({})).toEqual(['builtin']);
    expect(ladderOf({ GOOGLE_API_KEY: 'k', OPENAI_BASE_URL: 'http://localhost:1/v1' })).toEqual([
      'gemini',
      'openai',
      'builtin',
    ]);
    expect(ladderOf({ GOOGLE_API_KEY: 'k', MODEL_LADDER: 'builtin, gemini' })).toEqual(['builtin', 'gemini']);
  });

  test('MODEL_RPM is one number for all, or one for each', () => {
    expect(readConfig({ ...least, MODEL_RPM: '60' }).MODEL_RPM).toEqual({ gemini: 60, openai: 60 });
    expect(readConfig({ ...least, MODEL_RPM: 'gemini=60, openai=500' }).MODEL_RPM).toEqual({ gemini: 60, openai: 500 });
  });

  test('a provider has ten seconds for its first words, eight between words and two minutes in all', () => {
    const { MODEL_FIRST_TOKEN_MS, MODEL_GAP_MS, MODEL_TOTAL_MS } = readConfig(least);
    expect([MODEL_FIRST_TOKEN_MS, MODEL_GAP_MS, MODEL_TOTAL_MS]).toEqual([10_000, 8_000, 120_000]);
    expect(defaultDeadlines).toEqual({ firstTokenMs: 10_000, gapMs: 8_000, totalMs: 120_000 });
  });

  test('contexts are kept for an hour unless told otherwise, and not at all without the cache', () => {
    const keptMs = (env: Record<string, string>) => readConfig({ ...least, ...env }).contextCacheMs;
    expect(keptMs({})).toBe(3_600_000);
    expect(keptMs({ CONTEXT_CACHE_TTL: '60' })).toBe(60_000);
    expect(keptMs({ CONTEXT_CACHE_TTL: '60', CACHE_ENABLED: 'false' })).toBe(0);
  });

  test.each([
    ['CONTEXT_CACHE_TTL', '-1'],
    ['MODEL_RPM', 'fast'],
    ['MODEL_LADDER', 'claude'],
    ['MODEL_LADDER', 'gemini'],
    ['WORKER_CONCURRENCY', '0'],
    ['RETRIEVAL_URL', 'somewhere'],
  ])('a bad %s stops the start and is named', (name, value) => {
    expect(() => readConfig({ ...least, [name]: value })).toThrow(name);
  });
});
