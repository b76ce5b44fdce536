import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Lifecycle, makeLogger, makeMetrics, makeRedis } from '@sidestage/runtime';
import { readConfig } from '../config.js';
import { makePlatform, type Platform } from '../platform.js';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';

const secret = 'a test’s own key, not shipped anywhere';
let gateway: TestGateway;
let platform: Platform;
let lifecycle: Lifecycle;

beforeAll(async () => {
  gateway = await startTestGateway();
  const logger = makeLogger({ service: 'gateway-test', level: 'FATAL' });
  const redis = makeRedis(gateway.redis.url, 'request', logger);
  await new Promise((resolve) => redis.once('ready', resolve));
  lifecycle = new Lifecycle(logger);
  lifecycle.onClose('redis', () => redis.disconnect());
  const config = readConfig({
    DATABASE_URL: gateway.database.url,
    REDIS_URL: gateway.redis.url,
    JWT_SECRET_KEY: secret,
    ANON_RATE_PER_MINUTE: '1000',
  });
  platform = makePlatform({ config, logger, metrics: makeMetrics('test'), redis, database: gateway.store, lifecycle });
});
afterAll(async () => {
  await lifecycle.close();
  await gateway.close();
});

describe('a ticket for a handshake', () => {
  test('made at one gateway lets its principal in at another, once', async () => {
    const fan = await gateway.signIn('fan');
    const made = await gateway.call<{ ticket: string; expires_in: number }>('POST', '/api/v1/ws-tickets', {
      token: fan.access_token,
    });
    expect(made.status).toBe(201);
    expect(made.body.expires_in).toBe(30);
    const principal = await platform.authenticator.redeemTicket(made.body.ticket, '127.0.0.1');
    expect(principal).toMatchObject({ id: `user:${fan.user.id}`, tenantId: gateway.home.tenantId, role: 'fan' });
    await expect(platform.authenticator.redeemTicket(made.body.ticket, '127.0.0.1')).rejects.toThrow(/used/);
    await expect(platform.authenticator.redeemTicket('made up', '127.0.0.1')).rejects.toThrow(/unknown/);
  });

  test('of an account erased meanwhile lets nobody in', async () => {
    const fan = await gateway.signIn('fan');
    const { body } = await gateway.call<{ ticket: string }>('POST', '/api/v1/ws-tickets', { token: fan.access_token });
    const heard = new Promise<string>((resolve) => platform.authenticator.onRevoked(resolve));
    await gateway.call('DELETE', '/api/v1/me', { token: fan.access_token });
    expect(await heard).toBe(`user:${fan.user.id}`);
    await expect(platform.authenticator.redeemTicket(body.ticket, '127.0.0.1')).rejects.toThrow();
  });
});

describe('the policy of a tenant', () => {
  test('changed at one gateway is in force at another within 5 s', async () => {
    const operator = (await gateway.signIn('operator')).access_token;
    const { tenantId } = gateway.home;
    expect((await platform.policies.of(tenantId)).tiers.free.in_flight).toBe(2);
    const body = { tiers: { free: { in_flight: 9 } } };
    await gateway.call('PUT', `/api/v1/admin/tenants/${tenantId}/policy`, { token: operator, body });
    const end = Date.now() + 5_000;
    let inFlight = 2;
    while (inFlight !== 9 && Date.now() < end) {
      inFlight = (await platform.policies.of(tenantId)).tiers.free.in_flight;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(inFlight).toBe(9);
  });
});
