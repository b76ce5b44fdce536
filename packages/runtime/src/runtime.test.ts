import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  BreakerOpenError,
  backoffMs,
  ConfigError,
  commonEnv,
  databaseUrl,
  GroupCommit,
  integer,
  isPrivateAddress,
  Lifecycle,
  makeBreaker,
  makeLogger,
  makeMetrics,
  parseEnv,
  port,
} from './index.js';

const logger = makeLogger({ service: 'test', level: 'FATAL' });

describe('configuration', () => {
  it('names the variable, what was read and what is allowed', () => {
    expect(() => parseEnv({ PORT: port.default(8000) }, { PORT: 'eight' })).toThrow(
      /PORT is "eight": must be a whole number from 1 to 65535/,
    );
  });

  it('never prints a secret', () => {
    const parse = () =>
      parseEnv(
        { JWT_SECRET_KEY: z.string().min(32, 'must have at least 32 characters') },
        { JWT_SECRET_KEY: 'hunter2' },
      );
    expect(parse).toThrow(ConfigError);
    expect(parse).not.toThrow(/hunter2/);
  });

  it('counts an empty variable as unset and is frozen', () => {
    const config = parseEnv({ N: integer(1, 9).default(5) }, { N: '' });
    expect(config.N).toBe(5);
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('takes the level names of older systems', () => {
    expect(parseEnv({ LOG_LEVEL: commonEnv.LOG_LEVEL }, { LOG_LEVEL: 'critical' }).LOG_LEVEL).toBe('CRITICAL');
  });

  it('builds an address from its parts, with a password of any characters', () => {
    const parts = { DB_HOST: 'db', DB_PORT: 5433, POSTGRES_USER: 'u', POSTGRES_PASSWORD: 'p@/:', POSTGRES_DB: 'd' };
    expect(databaseUrl(parts)).toBe('postgres://u:p%40%2F%3A@db:5433/d');
  });
});

describe('shutdown', () => {
  it('releases in reverse order, once, and goes on after a step that fails or hangs', async () => {
    const seen: string[] = [];
    const lifecycle = new Lifecycle(logger, 20);
    lifecycle.onClose('first', () => seen.push('first'));
    lifecycle.onClose('hangs', () => new Promise(() => undefined));
    lifecycle.onClose('fails', () => Promise.reject(new Error('no')));
    lifecycle.onClose('last', () => seen.push('last'));
    const closing = lifecycle.close();
    expect(lifecycle.draining).toBe(true);
    expect(lifecycle.close()).toBe(closing);
    await closing;
    expect(seen).toEqual(['last', 'first']);
  });
});

describe('group commit', () => {
  it('commits what arrives together in one batch, and gives each its own result', async () => {
    const batches: number[][] = [];
    const group = new GroupCommit<number, number>({
      maxWaitMs: 5,
      maxItems: 10,
      concurrency: 1,
      commit: async (items) => {
        batches.push(items);
        return items.map((item) => (item === 3 ? new Error('three') : item * 2));
      },
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => group.add(item)));
    expect(batches).toEqual([[1, 2, 3]]);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message))).toEqual([
      2,
      4,
      'three',
    ]);
  });

  it('never puts two items of one key into a batch, and keeps their order', async () => {
    const batches: string[][] = [];
    const group = new GroupCommit<string, true>({
      maxWaitMs: 1,
      maxItems: 10,
      concurrency: 1,
      keyOf: (item) => item[0] ?? '',
      commit: async (items) => {
        batches.push(items);
        return items.map(() => true as const);
      },
    });
    await Promise.all(['a1', 'a2', 'b1', 'a3'].map((item) => group.add(item)));
    expect(batches).toEqual([['a1', 'b1'], ['a2'], ['a3']]);
    await group.drain();
  });
});

describe('the breaker', () => {
  const make = (resetMs: number) =>
    makeBreaker({ name: 'x', errorPercent: 50, resetMs, volumeThreshold: 2, logger, metrics: makeMetrics('test') });
  const fail = () => Promise.reject(new Error('down'));

  it('opens after failures and then does not call at all', async () => {
    const breaker = make(60_000);
    for (let call = 0; call < 3; call++) await expect(breaker.run(fail)).rejects.toThrow();
    expect(breaker.state).toBe('open');
    let called = false;
    await expect(breaker.run(async () => (called = true))).rejects.toBeInstanceOf(BreakerOpenError);
    expect(called).toBe(false);
    breaker.close();
  });

  it('does not open for neutral errors, and does not let one close it when half open', async () => {
    const breaker = make(30);
    const neutral = () => true;
    for (let call = 0; call < 5; call++) await expect(breaker.run(fail, neutral)).rejects.toThrow('down');
    expect(breaker.state).toBe('closed');
    for (let call = 0; call < 8; call++) await breaker.run(fail).catch(() => undefined);
    while (breaker.state === 'open') await new Promise((resolve) => setTimeout(resolve, 5));
    expect(breaker.state).toBe('half_open');
    await expect(breaker.run(fail, neutral)).rejects.toThrow('down');
    expect(breaker.state).toBe('open');
    breaker.close();
  });

  it('stays closed after the first error: below five calls in ten seconds it says nothing', async () => {
    const breaker = makeBreaker({ name: 'x', errorPercent: 1, resetMs: 60_000, logger, metrics: makeMetrics('test') });
    for (let call = 0; call < 4; call++) await expect(breaker.run(fail)).rejects.toThrow('down');
    expect(breaker.state).toBe('closed');
    await expect(breaker.run(fail)).rejects.toThrow('down');
    expect(breaker.state).toBe('open');
    breaker.close();
  });

  it('leaves the neighbours of a failing call alone, also when it opens', async () => {
    const breaker = make(60_000);
    const ends: ((value: string) => void)[] = [];
    const neighbours = [1, 2, 3].map(() => breaker.run(() => new Promise<string>((resolve) => ends.push(resolve))));
    for (let call = 0; call < 5; call++) await breaker.run(fail).catch(() => undefined);
    expect(breaker.state).toBe('open');
    for (const end of ends) end('whole');
    expect(await Promise.all(neighbours)).toEqual(['whole', 'whole', 'whole']);
    breaker.close();
  });

  it('is not blocked for ever by a half-open trial that hangs: it counts as failed, and the next one closes it', async () => {
    const breaker = makeBreaker({
      name: 'x',
      errorPercent: 50,
      resetMs: 30,
      volumeThreshold: 2,
      trialMs: 50,
      logger,
      metrics: makeMetrics('test'),
    });
    const untilHalfOpen = async () => {
      while (breaker.state === 'open') await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (let call = 0; call < 3; call++) await breaker.run(fail).catch(() => undefined);
    await untilHalfOpen();
    await expect(breaker.run(() => new Promise(() => undefined))).rejects.toThrow('no end within 50 ms');
    expect(breaker.state).toBe('open');
    await untilHalfOpen();
    expect(await breaker.run(async () => 'back')).toBe('back');
    expect(breaker.state).toBe('closed');
    breaker.close();
  });

  /** A breaker that would stay open for an hour, with a probe. */
  function makeProbed() {
    const service = { up: false, probes: 0 };
    const breaker = makeBreaker({
      name: 'x',
      errorPercent: 50,
      resetMs: 3_600_000,
      volumeThreshold: 2,
      probe: {
        everyMs: 5,
        ask: async () => {
          service.probes += 1;
          if (!service.up) throw new Error('down');
        },
      },
      logger,
      metrics: makeMetrics('test'),
    });
    const open = async () => {
      for (let call = 0; call < 3; call++) await breaker.run(fail).catch(() => undefined);
      expect(breaker.state).toBe('open');
    };
    const until = async (condition: () => boolean) => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    return { service, breaker, open, until };
  }

  it('asks a probe while it is open, never while it is closed, and lets one call through when it is answered', async () => {
    const { service, breaker, open, until } = makeProbed();
    expect(await breaker.run(async () => 1)).toBe(1);
    expect(service.probes).toBe(0);
    await open();
    await until(() => service.probes >= 3);
    expect(breaker.state).toBe('open');
    await expect(breaker.run(async () => 1)).rejects.toBeInstanceOf(BreakerOpenError);
    service.up = true;
    await until(() => breaker.state === 'half_open');
    const asked = service.probes;
    let finish: (value: number) => void = () => {};
    const trial = breaker.run(() => new Promise<number>((resolve) => (finish = resolve)));
    await expect(breaker.run(async () => 2)).rejects.toBeInstanceOf(BreakerOpenError);
    finish(7);
    expect(await trial).toBe(7);
    expect(breaker.state).toBe('closed');
    expect(await breaker.run(async () => 3)).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(service.probes).toBe(asked);
    breaker.close();
  });

  it('stays open when the trial fails although the probe is answered, and tries again with the next answer', async () => {
    const { service, breaker, open, until } = makeProbed();
    await open();
    service.up = true;
    for (const error of ['still failing', 'the caller left']) {
      await until(() => breaker.state === 'half_open');
      await expect(
        breaker.run(
          () => Promise.reject(new Error(error)),
          () => true,
        ),
      ).rejects.toThrow(error);
      expect(breaker.state).toBe('open');
    }
    await until(() => breaker.state === 'half_open');
    expect(await breaker.run(async () => 'back')).toBe('back');
    expect(breaker.state).toBe('closed');
    breaker.close();
  });

  it('asks nothing more once it is closed for good', async () => {
    const { service, breaker, open, until } = makeProbed();
    await open();
    await until(() => service.probes > 0);
    breaker.close();
    const { probes } = service;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(service.probes - probes).toBeLessThanOrEqual(1);
  });
});

describe('backoff', () => {
  it('doubles up to its ceiling and is never below half of it', () => {
    expect(backoffMs(1, 100, 1000, () => 1)).toBe(100);
    expect(backoffMs(3, 100, 1000, () => 0)).toBe(200);
    expect(backoffMs(30, 100, 1000, () => 1)).toBe(1000);
  });
});

describe('private addresses', () => {
  it.each([
    ['127.0.0.1', true],
    ['::ffff:10.1.2.3', true],
    ['172.31.0.1', true],
    ['172.32.0.1', false],
    ['8.8.8.8', false],
    ['::1', true],
    ['fd00::1', true],
    ['2001:db8::1', false],
  ])('%s is private: %s', (address, expected) => {
    expect(isPrivateAddress(address)).toBe(expected);
  });
});
