import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { Queue } from 'bullmq';
import { SparingWorker } from './sparing-worker.js';

const jobs = 60;
let server: TestRedis;
let redis: Redis;
let queue: Queue;

beforeAll(async () => {
  server = await makeTestRedis();
  redis = makeRedis(server.url, 'worker', makeLogger({ service: 'test', level: 'CRITICAL' }));
  queue = new Queue('spared', { connection: redis });
});
afterAll(async () => {
  await queue.close();
  redis.disconnect();
  await server.stop();
});

test('what a worker has no room for stays in the line, and is taken as there is room', async () => {
  await queue.addBulk(Array.from({ length: jobs }, (_, index) => ({ name: 'turn', data: { index } })));
  const begun: number[] = [];
  let room = 5;
  let letGo: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const worker = new SparingWorker<{ index: number }>(
    'spared',
    async (job) => {
      begun.push(job.data.index);
      await gone;
    },
    { connection: redis, concurrency: jobs, hasRoom: (onTheirWay) => begun.length + onTheirWay < room },
  );
  try {
    await waitFor(() => begun.length === 5, { what: 'as many as there is room for' });
    // Time enough for BullMQ's own worker to fetch them all.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await queue.getJobCounts('active', 'wait')).toEqual({ active: 5, wait: jobs - 5 });
    room = 12;
    await waitFor(() => begun.length === 12, { what: 'more as there is more room, though none has ended' });
    room = Number.POSITIVE_INFINITY;
    letGo();
    await waitFor(async () => (await queue.getJobCounts('completed')).completed === jobs, { what: 'all' });
    expect(begun).toEqual(Array.from({ length: jobs }, (_, index) => index));
  } finally {
    await worker.close(true);
  }
});
