import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { queues } from '@sidestage/contracts';
import { closeRedis, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { waitFor } from '@sidestage/testkit';
import { queuePrefix } from '@sidestage/turns';
import { Queue, Worker } from 'bullmq';
import { makeWorkerWorld, type WorkerWorld } from '../test-support/worker-world.js';

const { name } = queues.chat;

describe('two versions on one queue', () => {
  let world: WorkerWorld;
  let redis: Redis;
  let queue: Queue;

  beforeAll(async () => {
    world = await makeWorkerWorld();
    redis = makeRedis(world.testRedis.url, 'worker', makeLogger({ service: 'test', level: 'CRITICAL' }));
    queue = new Queue(name, { connection: redis, prefix: queuePrefix, defaultJobOptions: { removeOnComplete: true } });
    await world.startWorker();
  });
  afterAll(async () => {
    await queue.close();
    await closeRedis(redis);
    await world.close();
  });

  test('a job with fields this version does not know, or without those an older one did not have, is answered', async () => {
    const turns = [await world.send('newer', { offer: false }), await world.send('older', { offer: false })];
    const [newer, older] = turns.map(({ turnId }) => ({ v: 1, tenant_id: world.tenantId, turn_id: turnId }));
    await queue.add(name, { ...newer, lane: 'fast', traceparent: undefined }, { jobId: turns[0]?.turnId });
    await queue.add(name, older, { jobId: turns[1]?.turnId });
    for (const turn of turns) expect((await turn.ended()).at(-1)?.type).toBe('completed');
    for (const turn of turns) expect(await world.row(turn.turnId)).toMatchObject({ epoch: 1, crashes: 0, failures: 0 });
  });

  test('a job of a version this worker cannot read is left in the queue for one that can', async () => {
    const turn = await world.send('from the future', { offer: false });
    const job = { v: 2, tenant: world.tenantId, turn: turn.turnId };
    await queue.add(name, job, { jobId: turn.turnId });
    const looks = async () => Number(await redis.hget(`${queuePrefix}:${name}:${turn.turnId}`, 'ats'));
    await waitFor(async () => (await looks()) >= 2, { what: 'the worker to look at it twice' });
    expect(await queue.getJobState(turn.turnId)).not.toBe('failed');
    expect(await world.row(turn.turnId)).toMatchObject({ state: 'offered', epoch: 0, failures: 0 });
    const read: unknown[] = [];
    const newer = new Worker(name, async ({ data }) => void read.push(data), {
      connection: redis,
      prefix: queuePrefix,
    });
    await waitFor(() => read.length > 0, { timeoutMs: 20_000, what: 'the newer worker to take it' });
    expect(read).toEqual([job]);
    await newer.close(true);
    // What it read is gone from the queue, and the turn is still open: the sweeper offers it as this version writes it.
    expect((await turn.ended()).at(-1)?.type).toBe('completed');
  });

  test('a job no worker ever can read does not swallow its turn', async () => {
    const turn = await world.send('unreadable', { offer: false });
    await queue.add(name, { nonsense: true }, { jobId: turn.turnId });
    expect((await turn.ended(25_000)).at(-1)?.type).toBe('completed');
    expect(await world.row(turn.turnId)).toMatchObject({ epoch: 1, crashes: 0, failures: 0 });
  }, 40_000);
});
