import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { makeTestDatabase } from './database.js';
import { makeTestRedis } from './redis.js';
import { waitFor } from './wait-for.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

describe('a test database', () => {
  test('is its test’s own: another sees none of its tables', async () => {
    const [first, second] = await Promise.all([
      makeTestDatabase({ migrated: false }),
      makeTestDatabase({ migrated: false }),
    ]);
    cleanups.push(first.drop, second.drop);
    await first.query('CREATE TABLE mine (n int)');
    expect(await second.query("SELECT to_regclass('mine') AS found")).toEqual([{ found: null }]);
    expect(await first.countConnections()).toBe(0);
  });
});

describe('a test Redis', () => {
  test('loses everything when it is killed without an append-only file, and comes back on its port', async () => {
    const redis = await makeTestRedis();
    cleanups.push(redis.stop);
    const client = new Redis(redis.url, { lazyConnect: true });
    client.on('error', () => undefined);
    cleanups.push(async () => client.disconnect());
    await client.set('kept', '1');
    const before = redis.pid;
    await redis.kill();
    await redis.restart();
    expect(redis.pid).not.toBe(before);
    expect(await client.get('kept')).toBeNull();
  });

  test('answers nothing while frozen, and answers after', async () => {
    const redis = await makeTestRedis();
    cleanups.push(redis.stop);
    const client = new Redis(redis.url);
    cleanups.push(async () => client.disconnect());
    await client.ping();
    redis.freeze();
    let answered = false;
    const answer = client.ping().then(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answered).toBe(false);
    redis.resume();
    await answer;
  });
});

describe('waiting for a condition', () => {
  test('names what was waited for in vain', async () => {
    await expect(waitFor(() => false, { timeoutMs: 30, what: 'a bus' })).rejects.toThrow(
      'waited 30 ms in vain for: a bus',
    );
  });
});
