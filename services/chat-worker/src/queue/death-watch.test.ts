import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { makeDeathWatch } from './death-watch.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const queueKey = 'sidestage:bull:chat';
const lookMs = 600;

describe('the watch over the workers', () => {
  let server: TestRedis;
  let redis: Redis;
  /** Deaths told of, each with whether its jobs were still held then. */
  const noted: { gone: string; jobIds: string[]; locked: boolean }[] = [];
  const watches = new Map<string, ReturnType<typeof makeDeathWatch>>();

  beforeAll(async () => {
    server = await makeTestRedis();
  });
  beforeEach(async () => {
    redis = makeRedis(server.url, 'worker', logger);
    await redis.flushall();
    noted.length = 0;
  });
  afterEach(async () => {
    await Promise.all([...watches.values()].map((watch) => watch.close()));
    watches.clear();
    redis.disconnect();
  });
  afterAll(() => server.stop());

  /** A worker that watches, with one job under way whose lock outlasts the test. */
  async function startWorker(workerId: string): Promise<void> {
    const onDeath = async (gone: string, jobIds: string[]) => {
      noted.push({ gone, jobIds, locked: await locked(gone) });
    };
    watches.set(workerId, makeDeathWatch({ redisUrl: server.url, workerId, queueKey, onDeath, logger, lookMs }));
    await redis.lpush(`${queueKey}:active`, `turn-of-${workerId}`);
    await redis.set(`${queueKey}:turn-of-${workerId}:lock`, `${workerId}:0`, 'PX', 600_000);
    await waitFor(() => connectionOf(workerId).then((id) => id !== null), { what: `${workerId} to be registered` });
  }

  /** Redis' id of the connection that stands for a worker. */
  async function connectionOf(workerId: string): Promise<string | null> {
    const line = String(await redis.client('LIST'))
      .split('\n')
      .find((client) => client.includes(`name=sidestage-worker:${workerId} `));
    return line?.match(/^id=(\d+)/)?.[1] ?? null;
  }

  /** What a process leaves behind that died without a word: its connection is closed and nobody makes another. */
  async function die(workerId: string): Promise<void> {
    // The watch of a dead process does nothing more; closing it says farewell, which the dead do not: so that is undone.
    await watches.get(workerId)?.close();
    watches.delete(workerId);
    await redis.hset('sidestage:workers', workerId, 0);
  }

  const locked = async (workerId: string) => (await redis.exists(`${queueKey}:turn-of-${workerId}:lock`)) === 1;

  it('frees the jobs of a worker whose connection is gone, long before their locks run out, and no other job', async () => {
    await startWorker('alive');
    await startWorker('victim');
    // Somebody has just checked: the next check would be due in ten minutes.
    await redis.set(`${queueKey}:stalled-check`, '1', 'PX', 600_000);
    await die('victim');
    await waitFor(async () => !(await locked('victim')), { what: 'the lock of the dead worker to be taken off' });
    expect(await redis.exists(`${queueKey}:stalled-check`)).toBe(0);
    expect(await redis.smembers(`${queueKey}:stalled`)).toEqual(['turn-of-victim']);
    expect(await locked('alive')).toBe(true);
    await waitFor(async () => (await redis.hexists('sidestage:workers', 'victim')) === 0, {
      what: 'it to be forgotten',
    });
    // Before they go back in the line: their next run reads what was noted.
    expect(noted).toEqual([{ gone: 'victim', jobIds: ['turn-of-victim'], locked: true }]);
  });

  it('leaves a worker alone that one look has missed and the next one finds', async () => {
    await startWorker('alive');
    const connection = makeRedis(server.url, 'worker', logger);
    try {
      await redis.lpush(`${queueKey}:active`, 'turn-of-blinking');
      await redis.set(`${queueKey}:turn-of-blinking:lock`, 'blinking:0', 'PX', 600_000);
      await connection.hset('sidestage:workers', 'blinking', 0);
      const misses = () => redis.hget('sidestage:workers', 'blinking');
      await waitFor(async () => (await misses()) === '1', { what: 'a look to miss it' });
      await connection.client('SETNAME', 'sidestage-worker:blinking');
      await waitFor(async () => (await misses()) === '0', { what: 'a look to find it' });
      expect(await locked('blinking')).toBe(true);
    } finally {
      connection.disconnect();
    }
  });

  it('knows a worker by its new connection when the old one was cut', async () => {
    await startWorker('alive');
    const before = await connectionOf('alive');
    await redis.call('CLIENT', 'KILL', 'ID', String(before));
    await waitFor(
      async () => {
        const now = await connectionOf('alive');
        return now !== null && now !== before;
      },
      { what: 'the worker to be back' },
    );
    expect(await locked('alive')).toBe(true);
  });

  it('forgets a worker that says farewell, and knows everybody again after Redis was wiped', async () => {
    await startWorker('alive');
    await startWorker('leaving');
    await watches.get('leaving')?.close();
    watches.delete('leaving');
    expect(await redis.hexists('sidestage:workers', 'leaving')).toBe(0);
    await redis.flushall();
    await waitFor(async () => (await redis.hexists('sidestage:workers', 'alive')) === 1, { what: 'alive to be known' });
  });
});
