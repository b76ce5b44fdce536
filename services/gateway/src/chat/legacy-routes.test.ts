import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';

let stage: ChatStage;
beforeAll(async () => {
  stage = await makeChatStage();
});
afterAll(() => stage.close());

describe('the calls of the first API', () => {
  test('a visitor without a credential becomes a guest, chats in a session and reads it', async () => {
    const session = await stage.gateway.call('POST', '/chat/session', { body: {} });
    expect(session.status).toBe(201);
    expect(session.body).toEqual({
      session_id: expect.any(String),
      creator_id: stage.creatorId,
      token: expect.any(String),
    });
    const token = String(session.body.token);
    const message = { session_id: session.body.session_id, message: 'hello' };
    const answer = await stage.gateway.call('POST', '/chat/message', { token, body: message });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      conversation_id: session.body.session_id,
      status: 'completed',
      reply: { text: 'Hello from the stage' },
    });
    const read = await stage.gateway.call('GET', `/chat/session/${session.body.session_id}`, { token });
    expect(read.body).toMatchObject({
      session_id: session.body.session_id,
      creator_id: stage.creatorId,
      created_at: expect.any(String),
      messages: [
        { role: 'fan', text: 'hello' },
        { role: 'creator', text: 'Hello from the stage' },
      ],
    });
    const stranger = (await stage.fan()).token;
    const path = `/chat/session/${session.body.session_id}`;
    expect((await stage.gateway.call('GET', path, { token: stranger })).status).toBe(404);
    expect((await stage.gateway.call('POST', '/chat/message', { token: stranger, body: message })).status).toBe(404);
    expect((await stage.gateway.call('POST', '/chat/message', { body: message })).status).toBe(401);
  });

  test('an account gets no token, and names its creator', async () => {
    const { token } = await stage.fan();
    const session = await stage.gateway.call('POST', '/chat/session', { token, body: { creator_id: 'ada' } });
    expect(session.status).toBe(201);
    expect(session.body).not.toHaveProperty('token');
    const nobody = await stage.gateway.call('POST', '/chat/session', { token, body: { creator_id: 'nobody' } });
    expect(nobody.status).toBe(404);
  });
});

describe('the calls of the second API', () => {
  const envelope = { user_id: 'u1', channel: 'web', content: { type: 'text', text: 'hello' } };

  test('take a channel envelope and keep an end user in one conversation', async () => {
    const { token } = await stage.key('premium');
    const send = (body: Record<string, unknown>) =>
      stage.gateway.call('POST', '/api/v2/chat/message', { token, body, headers: { 'X-Tenant-ID': stage.tenantId } });
    const first = await send(envelope);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ creator_id: stage.creatorId, reply: { text: 'Hello from the stage' } });
    expect((await send(envelope)).body.conversation_id).toBe(first.body.conversation_id);
    expect((await send({ ...envelope, user_id: 'u2' })).body.conversation_id).not.toBe(first.body.conversation_id);
    const read = await stage.gateway.call('GET', `/api/v2/chat/conversations/${first.body.conversation_id}`, { token });
    expect(read.body).toMatchObject({ id: first.body.conversation_id, user_id: 'u1' });
    expect(read.body.messages).toHaveLength(4);
  });

  test('refuse other channels and contents by name', async () => {
    const { token } = await stage.key('premium');
    const send = (body: unknown) => stage.gateway.call('POST', '/api/v2/chat/message', { token, body });
    const sms = await send({ ...envelope, channel: 'sms' });
    expect(sms.status).toBe(422);
    expect(sms.body).toMatchObject({ errors: [{ path: 'channel' }] });
    const image = await send({ ...envelope, content: { type: 'image', text: 'x' } });
    expect(image.body).toMatchObject({ errors: [{ path: 'content.type' }] });
  });
});

test('without guests a visitor is told to sign in', async () => {
  const closed = await makeChatStage({ GUESTS: 'false' });
  try {
    expect((await closed.gateway.call('POST', '/chat/session', { body: {} })).status).toBe(401);
  } finally {
    await closed.close();
  }
});
