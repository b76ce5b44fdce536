import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '@sidestage/testkit';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

interface CreatedKey {
  id: string;
  key: string;
  tier: string;
}
const make = (token: string, tier: string) =>
  gateway.call<CreatedKey>('POST', '/api/v1/keys', { token, body: { name: 'mine', tier } });
const list = (base: string, key: string) =>
  gateway.call('GET', `${base}/api/v1/keys`, { headers: { 'X-API-Key': key } });

async function seesRedis(base: string): Promise<boolean> {
  const { body } = await gateway.call<{ dependencies: { redis: { status: string } } }>(
    'GET',
    `${base}/health/detailed`,
  );
  return body.dependencies.redis.status === 'ok';
}

describe('an API key', () => {
  test('is shown once, works as Bearer and as X-API-Key, and is stored as a hash only', async () => {
    const made = await make(gateway.home.key, 'premium');
    expect(made.status).toBe(201);
    expect(made.body.key).toMatch(/^sk_live_\w{27}_\w{6}$/);
    expect((await list('', made.body.key)).status).toBe(200);
    expect((await gateway.call('GET', '/api/v1/conversations', { token: made.body.key })).status).toBe(200);
    const listed = await list('', gateway.home.key);
    expect(JSON.stringify(listed.body)).not.toContain(made.body.key);
    const stored = await gateway.database.query('SELECT * FROM api_keys');
    expect(JSON.stringify(stored)).not.toContain(made.body.key);
  });

  test('makes keys up to its own tier', async () => {
    const { key } = await gateway.makeKey(gateway.home.tenantId, 'premium');
    expect((await make(key, 'free')).status).toBe(201);
    expect((await make(key, 'premium')).status).toBe(201);
    expect((await make(key, 'enterprise')).status).toBe(403);
  });

  test('is listed newest first, page by page', async () => {
    const tenant = await gateway.makeTenant('of many keys');
    const made = [];
    for (const tier of ['free', 'premium', 'free']) made.unshift((await make(tenant.key, tier)).body.id);
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = `limit=2${cursor && `&cursor=${cursor}`}`;
      const { body } = await gateway.call<{ items: { id: string }[]; next_cursor: string | null }>(
        'GET',
        `/api/v1/keys?${query}`,
        { token: tenant.key },
      );
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map(({ id }) => id));
      cursor = body.next_cursor;
    }
    expect(seen).toHaveLength(4);
    expect(seen.slice(0, 3)).toEqual(made);
    for (const query of ['cursor=zzz', 'limit=0', 'limit=101'])
      expect((await gateway.call('GET', `/api/v1/keys?${query}`, { token: tenant.key })).status).toBe(422);
  });

  test('is made by integrators and operators only', async () => {
    const [fan, creator, operator] = await Promise.all([
      gateway.signIn('fan'),
      gateway.signIn('creator'),
      gateway.signIn('operator'),
    ]);
    expect((await make(fan.access_token, 'free')).status).toBe(403);
    expect((await make(creator.access_token, 'free')).status).toBe(403);
    expect((await make(operator.access_token, 'enterprise')).status).toBe(201);
  });

  test('revoked at one gateway is refused by another within 5 s, also while Redis is down', async () => {
    const other = await gateway.startAnother();
    const { id, key } = await gateway.makeKey(gateway.home.tenantId);
    expect((await list(other, key)).status).toBe(200);
    await gateway.redis.kill();
    try {
      expect((await gateway.call('DELETE', `/api/v1/keys/${id}`, { token: gateway.home.key })).status).toBe(204);
      await waitFor(async () => (await list(other, key)).status === 401, { timeoutMs: 5_000, what: 'a refusal' });
      expect((await list('', key)).status).toBe(401);
    } finally {
      await gateway.redis.restart();
      for (const base of [gateway.url, other]) await waitFor(() => seesRedis(base), { what: 'Redis to be seen again' });
    }
  });

  test('mistyped is told so', async () => {
    const { key } = gateway.home;
    const typo = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`;
    const answer = await gateway.call<ProblemView>('GET', '/api/v1/keys', { token: typo });
    expect(answer.status).toBe(401);
    expect(answer.body.detail).toContain('mistyped');
  });

  test('an older demo’s credential is refused with how to get a key', async () => {
    const answer = await gateway.call<ProblemView>('GET', '/api/v1/conversations', { token: 'user123:premium' });
    expect(answer.status).toBe(401);
    expect(answer.body.detail).toContain('/api/v1/keys');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });
});

describe('a tenant’s policy', () => {
  test('is set by an operator and in force at every gateway', async () => {
    const operator = (await gateway.signIn('operator')).access_token;
    const made = await gateway.call<{ id: string; api_key: string }>('POST', '/api/v1/admin/tenants', {
      token: operator,
      body: { name: 'Loud' },
    });
    expect(made.status).toBe(201);
    const path = `/api/v1/admin/tenants/${made.body.id}/policy`;
    const before = await gateway.call<{ tiers: { free: { per_hour: number } } }>('GET', path, { token: operator });
    expect(before.body.tiers.free.per_hour).toBe(50);
    const put = await gateway.call('PUT', path, { token: operator, body: { tiers: { free: { per_hour: 7 } } } });
    expect(put.status).toBe(200);
    expect(put.body).toMatchObject({ tiers: { free: { per_hour: 7, per_minute: 10 } }, tenant: { per_minute: 1000 } });
    expect((await gateway.call('GET', path, { token: made.body.api_key })).status).toBe(403);
    expect((await list('', made.body.api_key)).status).toBe(200);
  });

  test('of an unknown tenant is 404', async () => {
    const operator = (await gateway.signIn('operator')).access_token;
    for (const id of ['nobody', '01890000-0000-7000-8000-000000000000']) {
      const answer = await gateway.call('PUT', `/api/v1/admin/tenants/${id}/policy`, { token: operator, body: {} });
      expect(answer.status).toBe(404);
    }
  });
});

describe('X-Tenant-ID', () => {
  test('that differs from the credential’s tenant is refused', async () => {
    const other = await gateway.makeTenant('other');
    const answer = await gateway.call<ProblemView>('GET', '/api/v1/conversations', {
      token: gateway.home.key,
      headers: { 'X-Tenant-ID': other.tenantId },
    });
    expect(answer.status).toBe(403);
    expect(answer.body.code).toBe('tenant_mismatch');
  });

  test('names the tenant of those without a credential, and an unknown one is 404', async () => {
    const other = await gateway.makeTenant('quiet');
    await gateway.call('POST', '/api/v1/creators', { token: other.key, body: { name: 'Only here' } });
    const there = await gateway.call<{ items: { name: string }[] }>('GET', '/api/v1/creators', {
      headers: { 'X-Tenant-ID': other.tenantId },
    });
    expect(there.body.items.map((item) => item.name)).toEqual(['Only here']);
    const unknown = await gateway.call('GET', '/api/v1/creators', { headers: { 'X-Tenant-ID': 'nowhere' } });
    expect(unknown.status).toBe(404);
  });
});
