import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { sayWords } from '../testing/scripted-worker.js';
import type { Answer } from '../testing/test-gateway.js';

let stage: ChatStage;
let fan: { token: string };
let key: { token: string };
let messageId: string;
beforeAll(async () => {
  stage = await makeChatStage({ PUBLIC_WEB_URL: 'http://web.example' });
  fan = await stage.fan();
  key = await stage.key('premium');
  messageId = String((await stage.chat(key, {})).body.message_id);
});
afterAll(() => stage.close());

function expectCommonHeaders({ headers }: Answer, policy: string): void {
  expect(headers.get('x-request-id')).toMatch(/./);
  expect(Number(headers.get('x-process-time'))).toBeGreaterThanOrEqual(0);
  expect(headers.get('ratelimit-policy')).toContain(`"${policy}";q=`);
  expect(headers.get('ratelimit')).toContain(`"${policy}";r=`);
}

describe('the limits', () => {
  test.each([
    ['an empty message', { message: '' }, {}, 422],
    ['an unknown creator', { creator_id: 'nobody' }, {}, 404],
    ['an unknown conversation', { conversation_id: 'none' }, {}, 404],
    ['a bad idempotency key', {}, { 'Idempotency-Key': '""' }, 422],
  ])('are told where a message is refused for %s', async (_name, body, headers, status) => {
    const answer = await stage.chat(fan, body, { headers });
    expect(answer.status).toBe(status);
    expectCommonHeaders(answer, 'minute');
  });

  test('are told of the address where no credential is good', async () => {
    for (const path of ['/api/v1/chat', '/chat/message', '/api/v1/keys', '/api/v1/ws-tickets'])
      for (const token of [undefined, 'user123:premium', 'sk_live_x']) {
        const answer = await stage.gateway.call('POST', path, { token, body: {} });
        expect(answer.status).toBe(401);
        expectCommonHeaders(answer, 'address');
      }
  });

  test('are told where another tenant is named', async () => {
    const headers = { 'X-Tenant-ID': 'another' };
    for (const [method, path] of [
      ['POST', '/api/v1/chat'],
      ['GET', '/api/v1/conversations'],
    ] as const) {
      const answer = await stage.gateway.call(method, path, { token: fan.token, headers });
      expect(answer.status).toBe(403);
      expectCommonHeaders(answer, 'requests');
    }
  });

  test('are told beside what is no message', async () => {
    const { call } = stage.gateway;
    const { token } = key;
    const path = `/api/v1/messages/${messageId}`;
    expectCommonHeaders(await call('PUT', `${path}/feedback`, { token, body: { rating: 'up' } }), 'requests');
    expectCommonHeaders(await call('DELETE', path, { token }), 'requests');
    expectCommonHeaders(await call('GET', path, { token }), 'minute');
    expectCommonHeaders(await call('GET', '/api/v1/messages/none', { token }), 'requests');
    const session = await call('POST', '/chat/session', { token, body: {} });
    expectCommonHeaders(session, 'requests');
    expectCommonHeaders(await call('GET', `/chat/session/${session.body.session_id}`, { token }), 'requests');
    expectCommonHeaders(await call('POST', '/chat/session', { body: {} }), 'auth_address');
  });
});

describe('a JSON answer over 1 KiB', () => {
  const ask = (accept: string) =>
    fetch(`${stage.url}/api/v1/chat`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${key.token}`,
        'Content-Type': 'application/json',
        'Accept-Encoding': 'gzip',
        Accept: accept,
      },
      body: JSON.stringify({ creator_id: 'ada', message: 'hello' }),
    });

  test('is compressed, the reply to a message too; a stream and a short answer never', async () => {
    stage.use(sayWords('A long answer. '.repeat(100)));
    const reply = await ask('application/json');
    expect(reply.headers.get('content-encoding')).toBe('gzip');
    const body = JSON.parse(await reply.text());
    expect(body.reply.text).toHaveLength(1500);
    const stream = await ask('text/event-stream');
    expect(stream.headers.get('content-encoding')).toBeNull();
    expect(await stream.text()).toContain('event: completed');
    stage.use(sayWords('Short.'));
    const short = await ask('application/json');
    expect(short.headers.get('content-encoding')).toBeNull();
    await short.text();
  });
});

describe('a method that is not served', () => {
  test.each([
    '/health',
    '/health/detailed',
    '/health/live',
    '/health/ready',
    '/metrics',
    '/info',
    '/api/health',
    '/docs',
  ])('at %s is 405 with what is allowed, and OPTIONS names it', async (path) => {
    const answer = await stage.gateway.call('POST', path, { body: {} });
    expect([answer.status, answer.body.code]).toEqual([405, 'method_not_allowed']);
    expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    const options = await stage.gateway.call('OPTIONS', path);
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
  });
});

test('the page of the first system is found where it stood', async () => {
  const answer = await fetch(`${stage.url}/chatbot`, { redirect: 'manual' });
  expect([answer.status, answer.headers.get('location')]).toEqual([302, 'http://web.example/']);
});
