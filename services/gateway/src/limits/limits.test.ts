import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '@sidestage/testkit';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView, SessionView } from '../testing/wire.js';
import { network } from './request-limits.js';

const forwarded = (address: string) => ({ 'X-Forwarded-For': address });
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ AUTH_RATE_PER_MINUTE: '5', ANON_RATE_PER_MINUTE: '8', TRUST_PROXY_HOPS: '1' });
});
afterAll(() => gateway.close());

/** Windows are minutes of the clock: what counts requests begins when enough of one is left. */
async function earlyInTheMinute(): Promise<void> {
  await waitFor(() => Date.now() % 60_000 < 45_000, { timeoutMs: 20_000, what: 'the next minute' });
}

async function statuses(count: number, call: () => Promise<{ status: number }>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index++) all.push((await call()).status);
  return all;
}

describe('limits before it is known who asks', () => {
  test('stop guessing of passwords by an address, and say when to come back', async () => {
    await earlyInTheMinute();
    const guess = () =>
      gateway.call<ProblemView>('POST', '/api/v1/auth/login', {
        body: { email: 'a@example.org', password: 'guess' },
        headers: forwarded('198.51.100.1'),
      });
    expect(await statuses(5, guess)).toEqual([401, 401, 401, 401, 401]);
    const refused = await guess();
    expect(refused.status).toBe(429);
    expect(refused.body).toMatchObject({ code: 'quota_exceeded', 'violated-policies': ['auth_address'] });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('ratelimit-policy')).toBe('"auth_address";q=5;w=60');
    expect(refused.headers.get('ratelimit')).toMatch(/^"auth_address";r=0;t=\d+$/);
  });

  test('do not read the body of a request over them', async () => {
    await earlyInTheMinute();
    const send = () =>
      gateway.call('POST', '/api/v1/auth/login', {
        raw: '{',
        headers: { ...forwarded('198.51.100.2'), 'Content-Type': 'application/json' },
      });
    expect(await statuses(6, send)).toEqual([400, 400, 400, 400, 400, 429]);
  });

  test('count bad credentials and none alike, and let good ones pass from the same address', async () => {
    await earlyInTheMinute();
    const headers = forwarded('198.51.100.3');
    const { key } = await gateway.makeKey(gateway.home.tenantId);
    const bad = () => gateway.call('GET', '/api/v1/conversations', { token: 'user123:premium', headers });
    const none = () => gateway.call('GET', '/api/v1/creators', { headers });
    expect(await statuses(4, bad)).toEqual([401, 401, 401, 401]);
    expect(await statuses(4, none)).toEqual([200, 200, 200, 200]);
    expect((await none()).status).toBe(429);
    expect((await bad()).status).toBe(429);
    const good = () => gateway.call('GET', '/api/v1/conversations', { token: key, headers });
    expect(await statuses(12, good)).toEqual(Array(12).fill(200));
  });

  test('do not count a refresh that was good', async () => {
    await earlyInTheMinute();
    const headers = forwarded('198.51.100.4');
    let session = (await gateway.call<SessionView>('POST', '/api/v1/auth/guest', { body: {}, headers })).body;
    for (let index = 0; index < 8; index++) {
      const next = await gateway.call<SessionView>('POST', '/api/v1/auth/refresh', {
        body: { refresh_token: session.refresh_token },
        headers,
      });
      expect(next.status).toBe(200);
      session = next.body;
    }
  });

  test('hold in each gateway alone while Redis is down', async () => {
    await earlyInTheMinute();
    await gateway.redis.kill();
    try {
      const call = () => gateway.call('GET', '/api/v1/creators', { headers: forwarded('198.51.100.5') });
      const seen = await statuses(9, call);
      expect(seen[0]).toBe(200);
      expect(seen.at(-1)).toBe(429);
    } finally {
      await gateway.redis.restart();
      await waitFor(async () => {
        const { body } = await gateway.call<{ dependencies: { redis: { status: string } } }>('GET', '/health/detailed');
        return body.dependencies.redis.status === 'ok';
      });
    }
  });
});

describe('an address', () => {
  test('of IPv6 stands for its /64, of IPv4 for itself', () => {
    expect(network('203.0.113.9')).toBe('203.0.113.9');
    expect(network('::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(network('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(network('2001:db8::5')).toBe('2001:db8:0:0::/64');
    expect(network('::1')).toBe('0:0:0:0::/64');
    expect(network('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  });
});
