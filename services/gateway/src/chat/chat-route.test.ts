import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { collectSse, readSse, waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate, sayWords } from '../testing/scripted-worker.js';

let stage: ChatStage;
beforeAll(async () => {
  stage = await makeChatStage({ REQUEST_TIMEOUT_MS: '4000' });
});
beforeEach(() => stage.use(sayWords('Hello from the stage')));
afterAll(() => stage.close());

describe('waiting for the reply', () => {
  test('answers with the whole reply, its limits and its place', async () => {
    const fan = await stage.fan();
    const answer = await stage.chat(fan, {});
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      status: 'completed',
      creator_id: stage.creatorId,
      reply: { text: 'Hello from the stage', citations: [], grounded: true },
      finish_reason: 'stop',
      usage: { input_tokens: 1, output_tokens: 2 },
    });
    expect(answer.body).not.toHaveProperty('type');
    expect(answer.body).not.toHaveProperty('seq');
    expect(answer.headers.get('ratelimit-policy')).toBe('"hour";q=50;w=3600, "minute";q=10;w=60');
    expect(answer.headers.get('ratelimit')).toMatch(/^"hour";r=49;t=3(600|5\d\d), "minute";r=9;t=(60|5\d)$/);
    expect(answer.headers.get('x-request-id')).toBeTruthy();
    expect(answer.headers.get('x-process-time')).toBeTruthy();
  });

  test('that outlasts the bound turns into a 202, and the reply is kept all the same', async () => {
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'Late but kept';
    });
    const fan = await stage.fan();
    const answer = await stage.chat(fan, {});
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/v1/messages/${answer.body.message_id}`);
    gate.open();
    const kept = await waitFor(async () => {
      const view = await stage.gateway.call('GET', String(answer.headers.get('location')), { token: fan.token });
      return view.body.status === 'completed' && view.body;
    });
    expect(kept).toMatchObject({ reply: { text: 'Late but kept' } });
  });
});

describe('streaming', () => {
  test('sends the events in order, numbered without a gap', async () => {
    const response = await stage.stream(await stage.fan(), {});
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).toMatch(/no-store/);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('ratelimit')).toBeTruthy();
    const events = await collectSse(response);
    expect(events.map((event) => event.event)).toEqual([
      'queued',
      'started',
      'delta',
      'delta',
      'delta',
      'delta',
      'completed',
    ]);
    expect(events.map((event) => event.data.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(events.every((event) => event.id === String(event.data.seq))).toBe(true);
    expect(events.at(-1)?.data).toMatchObject({ status: 'completed', reply: { text: 'Hello from the stage' } });
  });

  test('a client that leaves loses the stream and not the reply; the other gateway has the rest of it', async () => {
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'one ' });
      await gate.opened;
      await say({ type: 'delta', text: 'two' });
      return 'one two';
    });
    const fan = await stage.fan();
    const response = await stage.stream(fan, {});
    let last = { id: '', messageId: '' };
    for await (const event of readSse(response)) {
      last = { id: String(event.id), messageId: String(event.data.message_id) };
      if (event.event === 'delta') break;
    }
    gate.open();
    const resumed = await fetch(`${stage.other}/api/v1/messages/${last.messageId}/events`, {
      headers: { Authorization: `Bearer ${fan.token}`, 'Last-Event-ID': last.id },
    });
    const rest = await collectSse(resumed);
    expect(rest.map((event) => event.event)).toEqual(['delta', 'completed']);
    expect(Number(rest[0]?.id)).toBe(Number(last.id) + 1);

    const again = await fetch(
      `${stage.url}/api/v1/messages/${last.messageId}/events?last_event_id=${rest.at(-1)?.id}`,
      { headers: { Authorization: `Bearer ${fan.token}` } },
    );
    expect(again.status).toBe(204);
  });
});

describe('not waiting', () => {
  test('answers 202 at once with the place in the line, and where to look', async () => {
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'done';
    });
    const fan = await stage.fan();
    const answer = await stage.chat(fan, {}, { headers: { Prefer: 'respond-async' } });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ status: 'queued', position: 1, creator_id: stage.creatorId });
    const path = String(answer.headers.get('location'));
    await waitFor(async () => (await stage.gateway.call('GET', path, { token: fan.token })).body.status === 'running');
    gate.open();
    await waitFor(
      async () => (await stage.gateway.call('GET', path, { token: fan.token })).body.status === 'completed',
    );
  });
});

describe('conversations', () => {
  test('are continued by id and by `latest`, and belong to one creator and one fan', async () => {
    const fan = await stage.fan();
    const first = await stage.chat(fan, {});
    const id = first.body.conversation_id;
    expect((await stage.chat(fan, { conversation_id: id })).body.conversation_id).toBe(id);
    expect((await stage.chat(fan, { conversation_id: 'latest' })).body.conversation_id).toBe(id);
    expect((await stage.chat(fan, {})).body.conversation_id).not.toBe(id);

    const stranger = await stage.chat(await stage.fan(), { conversation_id: id });
    expect(stranger.status).toBe(404);
    expect(stranger.body).toMatchObject({ code: 'not_found', errors: [{ path: 'conversation_id' }] });
    await stage.gateway.database.query(
      `INSERT INTO creators (id, tenant_id, slug, name) VALUES (gen_random_uuid(), $1, $2, 'Bea')`,
      [stage.tenantId, 'bea'],
    );
    const elsewhere = await stage.chat(fan, { conversation_id: id, creator_id: 'bea' });
    expect(elsewhere.status).toBe(422);
    expect((await stage.chat(fan, { creator_id: 'nobody' })).status).toBe(404);
    // What was refused was not counted: four turns were accepted.
    expect((await stage.chat(fan, {})).headers.get('ratelimit')).toMatch(/^"hour";r=45;/);
  });

  test('of an integrator stay with the end user they were begun for', async () => {
    const key = await stage.key('premium');
    const first = await stage.chat(key, { user_id: 'u1' });
    const named = { conversation_id: first.body.conversation_id };
    expect((await stage.chat(key, { ...named, user_id: 'u1' })).status).toBe(200);
    expect((await stage.chat(key, { ...named, user_id: 'u2' })).status).toBe(404);
    const latest = await stage.chat(key, { conversation_id: 'latest', user_id: 'u2' });
    expect(latest.body.conversation_id).not.toBe(named.conversation_id);
  });
});

describe('limits', () => {
  test('over two gateways exactly the tier’s turns are accepted; the refusal says which limit and when to come back', async () => {
    const fan = await stage.fan();
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'ok';
    });
    const send = (at: string) => stage.chat(fan, {}, { at, headers: { Prefer: 'respond-async' } });
    const answers = await Promise.all([stage.url, stage.other, stage.url, stage.other, stage.url].map(send));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(2);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(refused?.headers.get('ratelimit-policy')).toContain('"minute";q=10;w=60');
    expect(refused?.body).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      code: 'quota_exceeded',
      'violated-policies': ['in_flight'],
      limit: { policy: 'in_flight', limit: 2, remaining: 0 },
    });
    gate.open();
  });
});

describe('bad input', () => {
  test.each([
    ['malformed JSON', '{"message":', 400, null],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, null],
    ['deep JSON', `{"message":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400, null],
    ['no message', '{"creator_id":"ada"}', 422, 'message'],
    ['an empty message', '{"creator_id":"ada","message":"  "}', 422, 'message'],
    ['a message too long', JSON.stringify({ creator_id: 'ada', message: 'x'.repeat(8001) }), 422, 'message'],
    ['a lone surrogate', '{"creator_id":"ada","message":"\\ud800"}', 422, 'message'],
    ['a NUL', '{"creator_id":"ada","message":"a\\u0000b"}', 422, 'message'],
    ['a list', '[]', 422, ''],
    ['a wrong type', '{"creator_id":7,"message":"hello"}', 422, 'creator_id'],
    ['an address that is none', '{"creator_id":"ada","message":"hi","video_url":"javascript:1"}', 422, 'video_url'],
    ['too many bytes', JSON.stringify({ creator_id: 'ada', message: 'hi', more: 'x'.repeat(70_000) }), 413, null],
  ])('%s is refused and nothing is written', async (_what, raw, status, path) => {
    const fan = await stage.fan();
    const before = (await stage.turns()).length;
    const answer = await stage.gateway.call('POST', '/api/v1/chat', {
      token: fan.token,
      raw,
      headers: { 'Content-Type': 'application/json' },
    });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body.request_id).toBe(answer.headers.get('x-request-id'));
    if (path !== null) expect(answer.body).toMatchObject({ errors: [{ path }] });
    expect(await stage.turns()).toHaveLength(before);
  });

  test('no credential, a bad one, another tenant’s header: 401, 401, 403', async () => {
    const body = { creator_id: 'ada', message: 'hello' };
    expect((await stage.gateway.call('POST', '/api/v1/chat', { body })).status).toBe(401);
    const old = await stage.gateway.call('POST', '/api/v1/chat', { body, token: 'user123:premium' });
    expect(old.status).toBe(401);
    const { token } = await stage.fan();
    const headers = { 'X-Tenant-ID': '0198c0de-0000-7000-8000-000000000000' };
    expect((await stage.gateway.call('POST', '/api/v1/chat', { body, token, headers })).status).toBe(403);
  });
});
