import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeRedis, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis } from '@sidestage/testkit';
import { keys } from './keys.js';
import { makeModelReports } from './model-reports.js';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await makeTestRedis();
  redis = makeRedis(server.url, 'request', makeLogger({ service: 'test', level: 'FATAL' }));
  await new Promise((resolve) => redis.once('ready', resolve));
});
beforeEach(() => redis.del(keys.modelReports()));
afterAll(async () => {
  await closeRedis(redis);
  await server.stop();
});

describe('how the models stand', () => {
  test('is what all workers say; where they differ it is degraded', async () => {
    const reports = makeModelReports({ redis });
    await reports.report('a', { status: 'ok', resting: [] });
    await reports.report('b', { status: 'ok', resting: [] });
    expect(await reports.view()).toEqual({ status: 'ok', latency_ms: null });
    await reports.report('b', { status: 'failing', resting: ['gemini/g'] });
    expect(await reports.view()).toEqual({
      status: 'degraded',
      latency_ms: null,
      detail: 'not asked at the moment: gemini/g',
    });
    await reports.report('a', { status: 'failing', resting: ['gemini/g'] });
    expect((await reports.view()).status).toBe('failing');
    await reports.withdraw('a');
    await reports.report('b', { status: 'ok', resting: [] });
    expect((await reports.view()).status).toBe('ok');
  });

  test('is degraded without a worker; one that fell silent counts for 15 s and is then forgotten', async () => {
    let clock = 1_000_000;
    const reports = makeModelReports({ redis, now: () => clock });
    expect((await reports.view()).status).toBe('degraded');
    await reports.report('a', { status: 'ok', resting: [] });
    clock += 14_999;
    expect((await reports.view()).status).toBe('ok');
    clock += 2;
    expect(await reports.view()).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('no chat worker'),
    });
    expect(await redis.hlen(keys.modelReports())).toBe(0);
  });
});
