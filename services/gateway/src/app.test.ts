import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { closeRedis, makeLogger, makeRedis } from '@sidestage/runtime';
import { makeTestRedis, waitFor } from '@sidestage/testkit';
import { makeModelReports } from '@sidestage/turns';
import { readConfig } from './config.js';
import { runGateway } from './run.js';
import { startTestGateway, type TestGateway } from './testing/test-gateway.js';
import type { ProblemView } from './testing/wire.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ CORS_ORIGINS: 'https://fans.example', REQUEST_TIMEOUT_MS: '700' });
});
afterAll(() => gateway.close());

describe('every answer', () => {
  test('carries the request’s id, given or made, and how long it took', async () => {
    const given = await gateway.call('GET', '/api/v1/creators', { headers: { 'X-Request-ID': 'mine-1' } });
    expect(given.headers.get('x-request-id')).toBe('mine-1');
    expect(Number(given.headers.get('x-process-time'))).toBeGreaterThan(0);
    const made = await gateway.call<ProblemView>('GET', '/nothing', { headers: { 'X-Request-ID': 'with space' } });
    expect(made.headers.get('x-request-id')).not.toBe('with space');
    expect(made.body.request_id).toBe(made.headers.get('x-request-id'));
    expect(made.headers.get('ratelimit')).toMatch(/^"address";r=\d+;t=\d+$/);
  });

  test('may be read by the page, configured origins and those of tenants, and by no other', async () => {
    const preflight = (origin: string) =>
      gateway.call('OPTIONS', '/api/v1/chat', {
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'authorization',
        },
      });
    for (const origin of ['http://localhost:3000', 'https://fans.example']) {
      const answer = await preflight(origin);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('access-control-allow-headers')).toMatch(/authorization/i);
    }
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
    const read = await gateway.call('GET', '/api/v1/creators', { headers: { Origin: 'https://fans.example' } });
    expect(read.headers.get('access-control-expose-headers')).toMatch(/RateLimit.*Retry-After.*X-Request-ID/);
    await gateway.database.query(`UPDATE tenants SET cors_origins = '{https://tenant.example}'`);
    await waitFor(
      async () => (await preflight('https://tenant.example')).headers.get('access-control-allow-origin') !== null,
      { what: 'the tenant’s origin to be allowed' },
    );
  });

  test('over 1 KiB of JSON is compressed', async () => {
    const big = await gateway.call('GET', '/openapi.json', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(big.headers.get('content-encoding')).toBe('gzip');
    const small = await gateway.call('GET', '/info', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(small.headers.get('content-encoding')).toBeNull();
  });

  test('that does not come in time is a 504', async () => {
    const fan = await gateway.signIn('fan');
    const blocker = await gateway.store.engine.connect();
    try {
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
      const late = await gateway.call<ProblemView>('GET', '/api/v1/me', { token: fan.access_token });
      expect(late.status).toBe(504);
      expect(late.body.code).toBe('timeout');
    } finally {
      await blocker.query('ROLLBACK');
      blocker.release();
    }
    expect((await gateway.call('GET', '/api/v1/me', { token: fan.access_token })).status).toBe(200);
  });
});

describe('health', () => {
  test('stays ready and says degraded while Redis is down', async () => {
    await gateway.redis.kill();
    try {
      expect((await gateway.call('GET', '/health/ready')).status).toBe(200);
      expect((await gateway.call('GET', '/health/live')).status).toBe(200);
      const { body } = await gateway.call<{ status: string }>('GET', '/health');
      expect(body.status).toBe('degraded');
    } finally {
      await gateway.redis.restart();
      await waitFor(async () => {
        const { body } = await gateway.call<{ dependencies: { redis: { status: string } } }>('GET', '/health/detailed');
        return body.dependencies.redis.status === 'ok';
      });
    }
  });

  test('tells how the models stand as the chat workers see it', async () => {
    const model = async () => {
      const { body } = await gateway.call<{ dependencies: { model: unknown } }>('GET', '/health/detailed');
      return body.dependencies.model;
    };
    expect(await model()).toMatchObject({ status: 'degraded', detail: expect.stringContaining('no chat worker') });
    const redis = makeRedis(gateway.redis.url, 'request', makeLogger({ service: 'test', level: 'FATAL' }));
    try {
      await new Promise((resolve) => redis.once('ready', resolve));
      const reports = makeModelReports({ redis });
      await reports.report('worker', { status: 'ok', resting: [] });
      expect(await model()).toEqual({ status: 'ok', latency_ms: null });
      await reports.report('worker', { status: 'degraded', resting: ['gemini/g'] });
      expect(await model()).toMatchObject({ status: 'degraded', detail: expect.stringContaining('gemini/g') });
      await reports.withdraw('worker');
    } finally {
      await closeRedis(redis);
    }
  });

  test('has the body the older systems’ users know', async () => {
    const { status, body } = await gateway.call('GET', '/api/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'running',
      database: 'connected',
      connection_pool: { status: 'active', max_pool_size: 40 },
      scalability: { concurrent_tasks_limit: 1000, rate_limit_per_minute: 200 },
    });
  });

  test('metrics have the names the dashboards ask for', async () => {
    const { body } = await gateway.call<string>('GET', '/metrics');
    for (const name of [
      'ai_chat_requests_total',
      'ai_chat_queue_depth',
      'ai_chat_rate_limited_total',
      'pg_pool_connections',
    ])
      expect(body).toContain(name);
    expect(body).toContain('route="/api/v1/creators"');
  });
});

describe('a start', () => {
  const variables = () => ({
    DATABASE_URL: gateway.database.url,
    JWT_SECRET_KEY: 'a test’s own key, not shipped anywhere',
    LOG_LEVEL: 'FATAL',
  });

  test('is refused on a Redis that may evict keys', async () => {
    const redis = await makeTestRedis();
    const { Redis } = await import('ioredis');
    const client = new Redis(redis.url);
    try {
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const config = readConfig({ ...variables(), REDIS_URL: redis.url });
      await expect(runGateway({ ...config, port: 0 })).rejects.toThrow(/maxmemory-policy allkeys-lru/);
    } finally {
      client.disconnect();
      await redis.stop();
    }
  });

  test('goes on without Redis and Postgres, and answers that they are not there', async () => {
    const config = readConfig({
      ...variables(),
      DATABASE_URL: 'postgres://nobody:x@127.0.0.1:9/none',
      REDIS_URL: 'redis://127.0.0.1:9',
    });
    const { lifecycle, port } = await runGateway({ ...config, port: 0 });
    try {
      const base = `http://127.0.0.1:${port}`;
      expect((await gateway.call('GET', `${base}/health/live`)).status).toBe(200);
      expect((await gateway.call('GET', `${base}/health/ready`)).status).toBe(503);
      const { status, body } = await gateway.call<ProblemView>('GET', `${base}/api/v1/creators`);
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'unavailable' });
    } finally {
      await lifecycle.close();
    }
  });

  test('on a port in use says which variable to change', async () => {
    const taken = Number(new URL(gateway.url).port);
    const config = readConfig({ ...variables(), REDIS_URL: gateway.redis.url });
    await expect(runGateway({ ...config, port: taken })).rejects.toThrow(/port \d+ on 127.0.0.1 is in use: set PORT/);
  });
});
