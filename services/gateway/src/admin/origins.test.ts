import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openSocket, waitFor } from '@sidestage/testkit';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';

let gateway: TestGateway;
let other: string;
let operator: string;
let path: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  other = await gateway.startAnother();
  operator = (await gateway.signIn('operator')).access_token;
  path = `/api/v1/admin/tenants/${gateway.home.tenantId}/policy`;
});
afterAll(() => gateway.close());

const shop = 'https://shop.example';
const put = <Body = { cors_origins: string[] }>(body: unknown) =>
  gateway.call<Body>('PUT', path, { token: operator, body });

/** What a page of the shop hears from each gateway. */
async function allowed(): Promise<(string | null)[]> {
  const answers = [gateway.url, other].map((base) =>
    gateway.call('GET', `${base}/api/v1/creators`, { headers: { Origin: shop } }),
  );
  return (await Promise.all(answers)).map(({ headers }) => headers.get('access-control-allow-origin'));
}

describe('a tenant’s origins', () => {
  test('are set with its policy, hold on every gateway, for calls and sockets, and end with it', async () => {
    expect(await allowed()).toEqual([null, null]);
    const set = await put({ cors_origins: [shop], tiers: { free: { per_minute: 11 } } });
    expect(set.status).toBe(200);
    expect(set.body).toMatchObject({ cors_origins: [shop], tiers: { free: { per_minute: 11 } } });
    await waitFor(async () => (await allowed()).every((origin) => origin === shop));
    const socket = await openSocket(`${other}/ws/new/device`, {
      token: gateway.home.key,
      headers: { Origin: shop },
    });
    await socket.close();

    const read = await gateway.call<Record<string, unknown>>('GET', path, { token: operator });
    expect(read.body.cors_origins).toEqual([shop]);
    expect((await put(read.body)).body.cors_origins).toEqual([shop]);
    expect((await put({})).body.cors_origins).toEqual([]);
    await waitFor(async () => (await allowed()).every((origin) => origin === null));
  });

  test.each([
    '*',
    'shop.example',
    'https://shop.example/',
    'https://shop.example:443',
    'https://Shop.example',
    'https://me@shop.example',
    'ftp://shop.example',
    'https://shop.example:99999',
    7,
  ])('may not be %s', async (origin) => {
    const { status, body } = await put<ProblemView>({ cors_origins: [shop, origin] });
    expect([status, body.code, body.errors?.[0]?.path]).toEqual([422, 'validation_failed', 'cors_origins.1']);
    expect(
      (await gateway.call<{ cors_origins: string[] }>('GET', path, { token: operator })).body.cors_origins,
    ).toEqual([]);
  });
});
