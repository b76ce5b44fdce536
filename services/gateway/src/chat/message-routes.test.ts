import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { collectSse, openSocket, waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate, sayWords } from '../testing/scripted-worker.js';

let stage: ChatStage;
beforeAll(async () => {
  stage = await makeChatStage({ REQUEST_TIMEOUT_MS: '4000' });
});
beforeEach(() => stage.use(sayWords('Hello from the stage')));
afterAll(() => stage.close());

describe('cancelling', () => {
  test('ends a waiting turn for everyone, gives its quota back, and lets the next one run', async () => {
    const gate = makeGate();
    stage.use(async (turn) => {
      if (turn.message === 'first') await gate.opened;
      return `answer to ${turn.message}`;
    });
    const key = await stage.key('premium');
    const later = { headers: { Prefer: 'respond-async' } };
    const first = await stage.chat(key, { message: 'first' }, later);
    const conversation_id = first.body.conversation_id;
    const response = await stage.stream(key, { message: 'second', conversation_id });
    const events = collectSse(response);
    const turns = await stage.turns();
    const second = turns.find((turn) => turn.message === 'second');
    const path = `/api/v1/messages/${second?.id}`;
    const before = await stage.chat(key, { message: 'third', conversation_id }, later);
    expect(before.headers.get('ratelimit')).toMatch(/^"hour";r=497/);

    const cancelled = await stage.gateway.call('DELETE', `${stage.other}${path}`, { token: key.token });
    expect(cancelled.status).toBe(200);
    expect(cancelled.body).toMatchObject({ status: 'cancelled' });
    expect((await stage.gateway.call('DELETE', path, { token: key.token })).status).toBe(200);
    expect((await events).at(-1)).toMatchObject({ event: 'cancelled' });
    expect(cancelled.headers.get('ratelimit')).toMatch(/^"hour";r=498/);
    gate.open();
    await waitFor(async () => {
      const view = await stage.gateway.call('GET', `/api/v1/messages/${before.body.message_id}`, { token: key.token });
      return view.body.status === 'completed';
    });
    expect(stage.worker.claimed).not.toContain('second');
    const late = await stage.gateway.call('DELETE', `/api/v1/messages/${first.body.message_id}`, { token: key.token });
    expect(late.status).toBe(409);
    expect(late.body.code).toBe('conflict');
  });

  test('a running turn: its writer is fenced off, the waiting request ends with 409, and its quota goes back', async () => {
    const begun = makeGate();
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      begun.open();
      await gate.opened;
      await say({ type: 'delta', text: 'too late' });
      return 'too late';
    });
    const fan = await stage.fan();
    const waiting = stage.chat(fan, {});
    await begun.opened;
    const turn = (await stage.turns()).at(-1);
    const path = `/api/v1/messages/${turn?.id}`;
    expect((await stage.gateway.call('DELETE', path, { token: fan.token })).status).toBe(200);
    const answer = await waiting;
    expect(answer.status).toBe(409);
    expect(answer.body.code).toBe('cancelled');
    gate.open();
    const view = await stage.gateway.call('GET', path, { token: fan.token });
    expect(view.body).toMatchObject({ status: 'cancelled' });
    expect(view.headers.get('ratelimit')).toMatch(/^"hour";r=50/);
    const replay = await fetch(`${stage.url}${path}/events`, { headers: { Authorization: `Bearer ${fan.token}` } });
    expect((await collectSse(replay)).map((event) => event.event)).toEqual(['queued', 'started', 'cancelled']);
  });

  test('running turns again and again gives back what the tier grants a minute, and no more', async () => {
    stage.use(async () => null);
    const fan = await stage.fan();
    const later = { headers: { Prefer: 'respond-async' } };
    const statuses: number[] = [];
    for (let n = 0; n < 22; n++) {
      const { status, body } = await stage.chat(fan, {}, later);
      statuses.push(status);
      if (status !== 202) continue;
      await waitFor(async () =>
        (await stage.turns()).some(({ id, state }) => id === body.message_id && state === 'running'),
      );
      await stage.gateway.call('DELETE', `/api/v1/messages/${body.message_id}`, { token: fan.token });
    }
    expect(statuses).toEqual([...Array(20).fill(202), 429, 429]);
  });
});

describe('cancelling the head of a conversation', () => {
  test('lets the next one run', async () => {
    const gate = makeGate();
    stage.use(async (turn) => {
      if (turn.message === 'stuck') await gate.opened;
      return `answer to ${turn.message}`;
    });
    const fan = await stage.fan();
    const later = { headers: { Prefer: 'respond-async' } };
    const stuck = await stage.chat(fan, { message: 'stuck' }, later);
    const next = stage.chat(fan, { message: 'next', conversation_id: stuck.body.conversation_id });
    await waitFor(async () => (await stage.turns()).some(({ message }) => message === 'next'));
    await stage.gateway.call('DELETE', `/api/v1/messages/${stuck.body.message_id}`, { token: fan.token });
    expect((await next).body).toMatchObject({ reply: { text: 'answer to next' } });
    gate.open();
  });
});

describe('a message', () => {
  test('is there for its fan only, and takes feedback once it is answered', async () => {
    const fan = await stage.fan();
    const { body } = await stage.chat(fan, {});
    const path = `/api/v1/messages/${body.message_id}`;
    const view = await stage.gateway.call('GET', path, { token: fan.token });
    expect(view.body).toEqual(body);
    const rate = (token: string, feedback: unknown) =>
      stage.gateway.call('PUT', `${path}/feedback`, { token, body: feedback });
    expect((await rate(fan.token, { rating: 'up', comment: 'so kind' })).status).toBe(204);
    expect((await rate(fan.token, { rating: 'sideways' })).status).toBe(422);
    const stranger = (await stage.fan()).token;
    expect((await stage.gateway.call('GET', path, { token: stranger })).status).toBe(404);
    expect((await stage.gateway.call('GET', `${path}/events`, { token: stranger })).status).toBe(404);
    expect((await stage.gateway.call('DELETE', path, { token: stranger })).status).toBe(404);
    expect((await rate(stranger, { rating: 'down' })).status).toBe(404);
    const [row] = await stage.gateway.database.query('SELECT feedback, feedback_comment FROM turns WHERE id = $1', [
      body.message_id,
    ]);
    expect(row).toEqual({ feedback: 'up', feedback_comment: 'so kind' });
  });
});

describe('a client that comes back to a running reply', () => {
  test('is let in without the database, on any gateway and over both roads; strangers are not', async () => {
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'Hello ' });
      await gate.opened;
      await say({ type: 'delta', text: 'again' });
      return 'Hello again';
    });
    const [fan, stranger] = [await stage.fan(), await stage.fan()];
    const { body } = await stage.chat(fan, {}, { headers: { Prefer: 'respond-async' } });
    const address = `${stage.other}/api/v1/messages/${body.message_id}/events`;
    const sockets = [fan, stranger].map(({ token }) => openSocket(`${stage.other}/ws/new/phone`, { token }));
    const [own, foreign] = await Promise.all(sockets);
    await waitFor(() => stage.worker.claimed.includes('hello'), { what: 'the reply to begin' });
    const { database } = stage.gateway;
    await database.query('ALTER TABLE turns RENAME TO turns_away');
    let events: Awaited<ReturnType<typeof collectSse>>;
    try {
      const headers = { Authorization: `Bearer ${fan.token}`, 'Last-Event-ID': '2' };
      const response = await fetch(address, { headers });
      expect(response.status).toBe(200);
      const refused = await fetch(address, { headers: { Authorization: `Bearer ${stranger.token}` } });
      expect(refused.status).toBeGreaterThanOrEqual(400);
      own?.send({ type: 'resume', message_id: body.message_id, last_seq: 2 });
      foreign?.send({ type: 'resume', message_id: body.message_id, last_seq: 0 });
      await own?.next('delta');
      await foreign?.next('error');
      await database.query('ALTER TABLE turns_away RENAME TO turns');
      gate.open();
      events = await collectSse(response);
    } finally {
      await database.query('ALTER TABLE IF EXISTS turns_away RENAME TO turns');
    }
    expect(events.map(({ event, id }) => [event, id])).toEqual([
      ['delta', '3'],
      ['delta', '4'],
      ['completed', '5'],
    ]);
    await own?.next('completed');
    expect(foreign?.messages.some(({ type }) => type === 'delta')).toBe(false);
    await Promise.all([own?.close(), foreign?.close()]);
  });
});
