import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeRedis, makeId, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { Worker } from 'bullmq';
import { makeDispatcher } from './dispatcher.js';
import { keys, queuePrefix } from './keys.js';
import type { Dispatcher } from './ports.js';
import { makeWaitingLine } from './waiting-line.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const turn = (turnId = makeId()) => ({ tenant_id: makeId(), turn_id: turnId, request_id: 'r', traceparent: null });

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await makeTestRedis();
  redis = makeRedis(server.url, 'request', logger);
  await waitFor(() => redis.status === 'ready');
});
afterAll(async () => {
  await closeRedis(redis);
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
});

describe('offering turns', () => {
  let dispatcher: Dispatcher;
  beforeAll(async () => {
    dispatcher = makeDispatcher({ redisUrl: server.url, logger });
    await waitFor(() => dispatcher.offer(turn()));
  });
  afterAll(() => dispatcher.close());

  async function withWorker<T>(process: () => Promise<void>, use: (ran: string[]) => Promise<T>): Promise<T> {
    const connection = makeRedis(server.url, 'worker', logger);
    const ran: string[] = [];
    const worker = new Worker(
      'chat',
      async (job) => {
        ran.push(job.id ?? '');
        await process();
      },
      { connection, prefix: queuePrefix },
    );
    worker.on('error', () => undefined);
    try {
      return await use(ran);
    } finally {
      await worker.close(true);
      await closeRedis(connection);
    }
  }

  test('an offer made twice is one job, and its place is known', async () => {
    const offered = turn();
    await Promise.all([dispatcher.offer(offered), dispatcher.offer(offered)]);
    expect(await dispatcher.depth()).toMatchObject({ waiting: 1, running: 0, oldest_seconds: 0 });
    const states = await dispatcher.jobStates([offered.turn_id, makeId()]);
    expect([...states.values()]).toEqual(['queued', 'missing']);
  });

  test('a job that runs has a live lock; after it the turn can be offered again', async () => {
    const offered = turn();
    await dispatcher.offer(offered);
    let finish: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await withWorker(
      () => held,
      async (ran) => {
        await waitFor(async () => (await dispatcher.jobStates([offered.turn_id])).get(offered.turn_id) === 'running');
        finish();
        await waitFor(async () => (await dispatcher.jobStates([offered.turn_id])).get(offered.turn_id) === 'missing');
        await dispatcher.offer(offered);
        await waitFor(() => ran.length === 2);
      },
    );
  });

  test('a failed job of the same turn does not swallow a new offer', async () => {
    const offered = turn();
    // As BullMQ leaves one that used up its attempts.
    await redis.hset(`${queuePrefix}:chat:${offered.turn_id}`, 'name', 'chat', 'data', '{}', 'failedReason', 'x');
    await redis.zadd(`${queuePrefix}:chat:failed`, Date.now(), offered.turn_id);
    expect((await dispatcher.jobStates([offered.turn_id])).get(offered.turn_id)).toBe('missing');
    await dispatcher.offer(offered);
    await withWorker(
      async () => undefined,
      (ran) => waitFor(() => ran.includes(offered.turn_id)),
    );
  });

  test('a frozen or absent Redis is said with false, and is used again when it is back', async () => {
    server.freeze();
    expect(await dispatcher.offer(turn())).toBe(false);
    server.resume();
    await waitFor(() => dispatcher.offer(turn()));
    await server.kill();
    expect(await dispatcher.offer(turn())).toBe(false);
    await server.restart();
    await waitFor(() => dispatcher.offer(turn()));
    await waitFor(() => redis.status === 'ready');
  });

  test('a dispatcher made while Redis is frozen works once it is back', async () => {
    server.freeze();
    const early = makeDispatcher({ redisUrl: server.url, logger });
    expect(await early.offer(turn())).toBe(false);
    server.resume();
    await waitFor(() => early.offer(turn()));
    await early.close();
    await waitFor(() => redis.status === 'ready');
  });
});

describe('the waiting line', () => {
  test('tells each its place, and moves up when others leave', async () => {
    const line = makeWaitingLine({ redis });
    for (const [index, name] of ['a', 'b', 'c'].entries()) await redis.zadd(keys.waitingLine(), index, name);
    expect(await line.place('c')).toEqual({ position: 3, eta_ms: null });
    await line.leave(['a']);
    expect((await line.place('c'))?.position).toBe(2);
    expect(await line.place('a')).toBeNull();
    expect([...(await line.places(['b', 'c', 'x'])).keys()]).toEqual(['b', 'c']);
  });

  test('learns the rate from a backlog, and an idle time does not spoil it', async () => {
    const line = makeWaitingLine({ redis });
    for (let index = 0; index < 40; index++) await redis.zadd(keys.waitingLine(), index, `t${index}`);
    const beganAt = performance.now();
    for (let index = 0; index < 20; index++) {
      await line.leave([`t${index}`]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const tookMs = performance.now() - beganAt;
    const place = await line.place('t39');
    expect(place?.position).toBe(20);
    const estimated = place?.eta_ms ?? 0;
    // Twenty more at the rate of the twenty before.
    expect(estimated / tookMs).toBeGreaterThan(0.5);
    expect(estimated / tookMs).toBeLessThan(2);
    await line.leave(Array.from({ length: 20 }, (_, index) => `t${index + 20}`));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await redis.zadd(keys.waitingLine(), 1, 'next');
    await line.leave(['next']);
    await redis.zadd(keys.waitingLine(), 1, 'after');
    expect((await line.place('after'))?.eta_ms).toBeLessThan(estimated);
  });

  test('without Redis nobody has a place, and nothing hangs', async () => {
    const line = makeWaitingLine({ redis });
    server.freeze();
    expect(await line.place('a')).toBeNull();
    await line.leave(['a']);
    server.resume();
    await waitFor(async () => (await redis.ping()) === 'PONG');
  });
});
