import { createSecretKey } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openSocket, type TestSocket, waitFor } from '@sidestage/testkit';
import { Redis } from 'ioredis';
import jwt from 'jsonwebtoken';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate, sayWords } from '../testing/scripted-worker.js';
import { testJwtSecret } from '../testing/test-gateway.js';

let stage: ChatStage;
const open: TestSocket[] = [];
beforeAll(async () => {
  stage = await makeChatStage({ WEBSOCKET_MAX_CONNECTIONS: '5' });
});
beforeEach(async () => {
  for (const socket of open.splice(0)) await socket.close();
  stage.use(sayWords('Hello from the stage'));
});
afterAll(async () => {
  for (const socket of open.splice(0)) await socket.close();
  await stage.close();
});

async function connect(path: string, options: Parameters<typeof openSocket>[1] & { at?: string } = {}) {
  const socket = await openSocket(`${options.at ?? stage.url}${path}`, options);
  open.push(socket);
  return socket;
}
const types = (socket: TestSocket) => socket.messages.map((message) => message.type);

describe('a new session', () => {
  test('is bound to the conversation its first message makes, and hears the reply in order', async () => {
    const { token } = await stage.fan();
    const socket = await connect('/ws/new/phone', { token });
    expect(socket.raw.protocol).toBe('sidestage');
    expect(await socket.next('ready')).toEqual({ type: 'ready', session_id: 'new', client_id: 'phone' });
    socket.send({ type: 'message', message: 'hello', creator_id: 'ada', idempotency_key: 'k1' });
    const accepted = await socket.next('accepted');
    expect(accepted).toMatchObject({ message: 'hello', creator_id: stage.creatorId, idempotency_key: 'k1' });
    expect(accepted.rate_limit).toMatchObject([
      { policy: 'hour', limit: 50, remaining: 49 },
      { policy: 'minute', limit: 10, remaining: 9 },
    ]);
    await socket.next('completed');
    expect(types(socket)).toEqual([
      'ready',
      'accepted',
      'queued',
      'started',
      'delta',
      'delta',
      'delta',
      'delta',
      'completed',
    ]);
    expect(socket.messages.slice(2).map((message) => message.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    socket.send({ type: 'message', message: 'and then?' });
    const second = await socket.next('accepted');
    expect(second.conversation_id).toBe(accepted.conversation_id);
    await socket.next('completed');
  });

  test('its turns belong to the trace its upgrade named', async () => {
    const { token } = await stage.key('premium');
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const socket = await connect('/ws/new/phone', { token, headers: { traceparent } });
    socket.send({ type: 'message', message: 'traced', creator_id: 'ada' });
    const { message_id } = await socket.next('accepted');
    const [turn] = await stage.gateway.database.query('SELECT traceparent FROM turns WHERE id = $1', [message_id]);
    expect(turn).toEqual({ traceparent });
  });

  test('messages sent at once are accepted in the order they were sent', async () => {
    const { token } = await stage.key('premium');
    const socket = await connect('/ws/new/phone', { token });
    for (const message of ['one', 'two', 'three']) socket.send({ type: 'message', message, creator_id: 'ada' });
    await waitFor(() => types(socket).filter((type) => type === 'completed').length === 3);
    const said = socket.messages.filter((message) => message.type === 'accepted');
    expect(said.map((message) => message.message)).toEqual(['one', 'two', 'three']);
    expect(new Set(said.map((message) => message.conversation_id)).size).toBe(1);
    expect(stage.worker.claimed.slice(-3)).toEqual(['one', 'two', 'three']);
  });
});

describe('two devices of a conversation, on two gateways', () => {
  test('see each other’s turns, and those sent over HTTP', async () => {
    const fan = await stage.fan();
    const { body } = await stage.chat(fan, {});
    const conversation = String(body.conversation_id);
    const phone = await connect(`/ws/${conversation}/phone`, { token: fan.token });
    const laptop = await connect(`/ws/${conversation}/laptop`, { token: fan.token, at: stage.other });
    expect(await laptop.next('ready')).toMatchObject({ conversation_id: conversation });
    await waitForSubscribers(conversation, 2);
    phone.send({ type: 'message', message: 'from the phone' });
    expect(await laptop.next('accepted')).toMatchObject({ message: 'from the phone', conversation_id: conversation });
    await Promise.all([phone.next('completed'), laptop.next('completed')]);
    await stage.chat(fan, { message: 'over HTTP', conversation_id: conversation });
    for (const device of [phone, laptop]) {
      expect(await device.next('accepted')).toMatchObject({ message: 'over HTTP' });
      await device.next('completed');
    }
    const numbered = (socket: TestSocket) =>
      socket.messages.filter(({ seq }) => typeof seq === 'number').map(({ type, seq }) => [type, seq]);
    expect(numbered(laptop)).toEqual(numbered(phone));
  });

  test('a device that connects mid-reply is shown it from the beginning; one that resumes gets only the rest', async () => {
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'one ' });
      await gate.opened;
      await say({ type: 'delta', text: 'two' });
      return 'one two';
    });
    const fan = await stage.fan();
    const first = await connect('/ws/new/a', { token: fan.token });
    first.send({ type: 'message', message: 'hello', creator_id: 'ada' });
    const accepted = await first.next('accepted');
    const seen = await first.next('delta');
    first.raw.terminate();
    const path = `/ws/${accepted.conversation_id}`;
    const back = await connect(`${path}/a`, { token: fan.token, at: stage.other });
    back.send({ type: 'resume', message_id: accepted.message_id, last_seq: seen.seq });
    const fresh = await connect(`${path}/b`, { token: fan.token });
    expect(await fresh.next('delta')).toMatchObject({ text: 'one ', message_id: accepted.message_id });
    gate.open();
    await Promise.all([back.next('completed'), fresh.next('completed')]);
    expect(types(back)).toEqual(['ready', 'delta', 'completed']);
    expect(back.messages[1]).toMatchObject({ text: 'two', seq: Number(seen.seq) + 1 });
    expect(types(fresh)).toEqual(['ready', 'accepted', 'queued', 'started', 'delta', 'delta', 'completed']);
  });

  test('a turn accepted while a gateway’s subscription was cut is shown all the same', async () => {
    const fan = await stage.fan();
    const { body } = await stage.chat(fan, {});
    const path = `/ws/${body.conversation_id}`;
    const laptop = await connect(`${path}/laptop`, { token: fan.token, at: stage.other });
    await waitForSubscribers(String(body.conversation_id), 1);
    const client = new Redis(stage.gateway.redis.url);
    for (let n = 0; n < 5; n++) {
      await client.client('KILL', 'TYPE', 'pubsub');
      await stage.chat(fan, { message: `missed ${n}`, conversation_id: body.conversation_id });
      expect(await laptop.next('accepted')).toMatchObject({ message: `missed ${n}` });
      await laptop.next('completed');
    }
    await client.quit();
  });

  test('cancelling on one device is heard on both', async () => {
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'never';
    });
    const fan = await stage.fan();
    const { body } = await stage.chat(fan, {}, { headers: { Prefer: 'respond-async' } });
    const path = `/ws/${body.conversation_id}`;
    const a = await connect(`${path}/a`, { token: fan.token });
    const b = await connect(`${path}/b`, { token: fan.token, at: stage.other });
    await Promise.all([a.next('started'), b.next('started')]);
    a.send({ type: 'cancel', message_id: body.message_id });
    await Promise.all([a.next('cancelled'), b.next('cancelled')]);
    gate.open();
    a.send({ type: 'cancel', message_id: '0198c0de-0000-7000-8000-000000000000' });
    expect(await a.next('error')).toMatchObject({ problem: { code: 'not_found' } });
  });
});

describe('a bad frame', () => {
  test.each([
    ['no JSON', 'hello', 'malformed_json'],
    ['an unknown type', { type: 'dance' }, 'validation_failed'],
    ['deep JSON', `{"type":"message","message":${'['.repeat(20_000)}`, 'malformed_json'],
    ['no creator on a new session', { type: 'message', message: 'hi', idempotency_key: 'k9' }, 'validation_failed'],
    ['a lone surrogate', '{"type":"message","message":"\\ud800","creator_id":"ada"}', 'validation_failed'],
    ['a stranger’s message', { type: 'resume', message_id: 'm', last_seq: 0 }, 'not_found'],
  ])('%s is answered with an error, and the socket stays', async (_what, frame, code) => {
    const socket = await connect('/ws/new/phone', { token: (await stage.fan()).token });
    socket.send(frame);
    const error = await socket.next('error');
    expect(error).toMatchObject({ problem: { code } });
    if (JSON.stringify(frame).includes('k9')) expect(error.idempotency_key).toBe('k9');
    socket.send({ type: 'ping' });
    await socket.next('pong');
  });

  test('of bytes is answered with an error; one larger than 64 KiB closes with 1009, one that is not UTF-8 with 1007', async () => {
    const { token } = await stage.fan();
    const socket = await connect('/ws/new/phone', { token });
    socket.raw.send(Buffer.from([1, 2, 3]));
    expect(await socket.next('error')).toMatchObject({ problem: { code: 'bad_request' } });
    socket.raw.send('x'.repeat(64 * 1024 + 1));
    expect((await socket.waitClosed()).code).toBe(1009);
    const broken = await connect('/ws/new/phone', { token });
    broken.raw.send(Buffer.from([0xff, 0xfe]), { binary: false });
    expect((await broken.waitClosed()).code).toBe(1007);
  });
});

describe('a socket is closed', () => {
  test('that sends too much, with 4429', async () => {
    const socket = await connect('/ws/new/phone', { token: (await stage.fan()).token });
    for (let n = 0; n < 300; n++) socket.send({ type: 'ping' });
    expect((await socket.waitClosed()).code).toBe(4429);
  });

  test('whose token ends, with 4401', async () => {
    const { userId } = await stage.fan();
    const token = jwt.sign(
      { tenant: stage.tenantId, sid: userId, role: 'fan', tier: 'free' },
      createSecretKey(Buffer.from(testJwtSecret)),
      { algorithm: 'HS256', issuer: 'sidestage', audience: 'sidestage-api', subject: userId, expiresIn: 2 },
    );
    const socket = await connect('/ws/new/phone', { token });
    await socket.next('ready');
    expect((await socket.waitClosed()).code).toBe(4401);
  });

  test('whose credential was revoked, with 4401', async () => {
    const key = await stage.key('free');
    const socket = await connect('/ws/new/phone', { token: key.token });
    const operator = await stage.gateway.signIn('operator');
    const id = key.principal.slice('key:'.length);
    const answer = await stage.gateway.call('DELETE', `/api/v1/keys/${id}`, { token: operator.access_token });
    expect(answer.status).toBe(204);
    expect((await socket.waitClosed()).code).toBe(4401);
  });
});

describe('before the upgrade', () => {
  /** The plain HTTP answer to a handshake. */
  function handshake(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string; type: string }> {
    return new Promise((resolve, reject) => {
      const sent = request(`${stage.url}${path}`, {
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
          ...headers,
        },
      });
      sent.on('response', (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += String(chunk);
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, type: String(response.headers['content-type']) }),
        );
      });
      sent.on('upgrade', (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, body: '', type: '' });
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  test('no credential is 401, a strange page 403, another’s conversation 404, all as problems', async () => {
    const { token } = await stage.fan();
    const protocol = { 'Sec-WebSocket-Protocol': `sidestage, bearer.${token}` };
    const { body } = await stage.chat(await stage.fan(), {});
    const cases: [string, Record<string, string>, number][] = [
      ['/ws/new/phone', {}, 401],
      ['/ws/new/phone', { 'Sec-WebSocket-Protocol': 'sidestage, bearer.nonsense' }, 401],
      ['/ws/new/phone', { ...protocol, Origin: 'https://evil.example' }, 403],
      [`/ws/${body.conversation_id}/phone`, protocol, 404],
      ['/ws/nonsense/phone', protocol, 404],
      ['/elsewhere', protocol, 404],
      ['/ws/new/phone', { ...protocol, Origin: 'http://localhost:3000' }, 101],
      ['/ws/new/phone', protocol, 101],
    ];
    for (const [path, headers, status] of cases) {
      const answer = await handshake(path, headers);
      expect([path, answer.status]).toEqual([path, status]);
      if (status !== 101) {
        expect(answer.type).toBe('application/problem+json');
        expect(JSON.parse(answer.body).request_id).toBeTruthy();
      }
    }
  });

  test('a ticket opens one socket', async () => {
    const { token } = await stage.fan();
    const { body } = await stage.gateway.call('POST', '/api/v1/ws-tickets', { token });
    expect((await handshake(`/ws/new/phone?ticket=${body.ticket}`)).status).toBe(101);
    expect((await handshake(`/ws/new/phone?ticket=${body.ticket}`)).status).toBe(401);
  });

  test('there is room for so many and no more: 503', async () => {
    const { token } = await stage.fan();
    for (let n = 0; n < 5; n++) await connect(`/ws/new/${n}`, { token });
    const refused = await handshake('/ws/new/more', { 'Sec-WebSocket-Protocol': `sidestage, bearer.${token}` });
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'overloaded' });
  });
});

async function waitForSubscribers(conversationId: string, count: number): Promise<void> {
  const client = new Redis(stage.gateway.redis.url);
  try {
    await waitFor(async () => {
      const [, subscribers] = await client.pubsub(
        'NUMSUB',
        `sidestage:${stage.tenantId}:conversation:${conversationId}`,
      );
      return Number(subscribers) === count;
    });
  } finally {
    client.disconnect();
  }
}
