import { describe, expect, test } from '@jest/globals';
import { readConfig } from './config.js';

const secret = '3f9a1c7e5b2d8f604c1e9b7a5d3f8e2c';
const base = {
  DATABASE_URL: 'postgres://sidestage:k3wuQ9@db/sidestage',
  REDIS_URL: 'redis://redis',
  JWT_SECRET_KEY: secret,
};

describe('the gateway’s settings', () => {
  test('have API.md’s defaults', () => {
    const config = readConfig(base);
    expect(config).toMatchObject({
      port: 8000,
      host: '127.0.0.1',
      guests: true,
      authRatePerMinute: 30,
      anonymousRatePerMinute: 120,
      concurrencyLimit: 1000,
      maxConnections: 10_000,
      requestTimeoutMs: 30_000,
      turnDeadlineMs: 180_000,
      publicWebUrl: 'http://localhost:3000',
      origins: ['http://localhost:3000', 'http://127.0.0.1:3000'],
    });
    expect(config.defaultPolicy.tiers.enterprise).toMatchObject({ per_minute: 200, per_hour: 5000 });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('take older names, and give this process its share of the database’s connections', () => {
    const config = readConfig({
      ...base,
      DATABASE_URL: undefined,
      POSTGRESQL_URI: 'postgres://a:b@c/d',
      DB_POOL_MAX: '100',
      FLEET_PROCESSES: '8',
      RATE_LIMIT_PER_MINUTE: '300',
      RATE_LIMIT_PER_HOUR: '9000',
      LOG_LEVEL: 'warning',
    });
    expect(config.databaseUrl).toBe('postgres://a:b@c/d');
    expect(config.pool.max).toBe(12);
    expect(config.defaultPolicy.tiers.enterprise).toMatchObject({ per_minute: 300, per_hour: 9000 });
  });

  test('that are missing or bad are named, with what is allowed, and no secret is repeated', () => {
    const bad = { ...base, JWT_SECRET_KEY: 'tooshort', PORT: '99999', GUESTS: 'perhaps' };
    let message = '';
    try {
      readConfig(bad);
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toMatch(/JWT_SECRET_KEY/);
    expect(message).toMatch(/PORT is "99999": must be a whole number from 1 to 65535/);
    expect(message).toMatch(/GUESTS is "perhaps": must be true or false/);
    expect(message).not.toContain('tooshort');
    expect(() => readConfig({ JWT_SECRET_KEY: secret })).toThrow(/DATABASE_URL is not set/);
  });

  test('of production refuse secrets and passwords that others know', () => {
    const production = { ...base, ENVIRONMENT: 'production', RETRIEVAL_TOKEN: '9d1b7f3a5c8e2046' };
    expect(() => readConfig(production)).not.toThrow();
    const refused: [string, Record<string, string | undefined>][] = [
      ['JWT_SECRET_KEY', { JWT_SECRET_KEY: 'change-me-change-me-change-me-change-me' }],
      ['JWT_SECRET_KEY', { JWT_SECRET_KEY: 'your-secret-key-here-with-32-characters' }],
      ['JWT_SECRET_KEY', { JWT_SECRET_KEY: 'x'.repeat(40) }],
      ['RETRIEVAL_TOKEN', { RETRIEVAL_TOKEN: undefined }],
      ['POSTGRES_PASSWORD', { DATABASE_URL: 'postgres://sidestage:sidestage@db/sidestage' }],
      ['POSTGRES_PASSWORD', { DATABASE_URL: 'postgres://sidestage@db/sidestage' }],
    ];
    for (const [name, change] of refused) expect(() => readConfig({ ...production, ...change })).toThrow(name);
  });
});
