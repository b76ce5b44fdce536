import { ConfigError } from './env.js';
import { refuseShippedSecrets, type Secrets } from './secrets.js';

const own: Secrets = {
  keys: { RETRIEVAL_TOKEN: '9d1b7f3a5c8e2046' },
  databaseUrl: 'postgres://sidestage:Kd83mfQ@db/sidestage',
  redisUrl: 'redis://:Kd83mfQ@redis:6379',
};

describe('secrets of a production process', () => {
  test('of its own pass, and in development any do', () => {
    expect(() => refuseShippedSecrets('production', own)).not.toThrow();
    expect(() => refuseShippedSecrets('production', { ...own, redisUrl: 'redis://redis:6379' })).not.toThrow();
    expect(() =>
      refuseShippedSecrets('development', { keys: { RETRIEVAL_TOKEN: 'changeme' }, databaseUrl: 'postgres://db/x' }),
    ).not.toThrow();
  });

  test('that others know stop the start, each named once with what to do, none repeated', () => {
    // A comment that an env file's reader took for the value.
    const comment = { ...own, keys: { JWT_SECRET_KEY: '# at least 32 characters; made at first start' } };
    expect(() => refuseShippedSecrets('production', comment)).toThrow(/JWT_SECRET_KEY/);
    let message = '';
    try {
      refuseShippedSecrets('production', {
        keys: { RETRIEVAL_TOKEN: 'changeme-changeme', JWT_SECRET_KEY: undefined },
        databaseUrl: 'postgres://sidestage:postgres@db/sidestage',
        redisUrl: 'redis://:redis@redis:6379',
      });
    } catch (error) {
      if (error instanceof ConfigError) message = error.message;
    }
    expect(message).toMatch(/RETRIEVAL_TOKEN is a shipped or guessable secret.*openssl rand/);
    expect(message).toMatch(/JWT_SECRET_KEY is not set/);
    expect(message).toMatch(/POSTGRES_PASSWORD is empty or shipped/);
    expect(message).toMatch(/REDIS_PASSWORD is shipped/);
    expect(message).not.toContain('changeme');
  });
});
