import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sidestage/contracts';
import { collectSse, openSocket, readSse, waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate } from '../testing/scripted-worker.js';

let stage: ChatStage;
afterEach(() => stage.close());

describe('a place in the line', () => {
  test('is told again when it changes, until the turn begins', async () => {
    stage = await makeChatStage();
    const gates = [makeGate(), makeGate()];
    const key = await stage.key('premium');
    stage.use(async (turn) => {
      await gates[Number(turn.message)]?.opened;
      return 'ok';
    });
    const later = { headers: { Prefer: 'respond-async' } };
    const first = await stage.chat(key, { message: '0' }, later);
    const conversation_id = first.body.conversation_id;
    await waitFor(() => stage.worker.claimed.includes('0'));
    await stage.chat(key, { message: '1', conversation_id }, later);
    const events = collectSse(await stage.stream(key, { message: '2', conversation_id }));
    gates[0]?.open();
    await waitFor(() => stage.worker.claimed.includes('1'));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    gates[1]?.open();
    const all = await events;
    const places = all.filter(({ event }) => event === 'queued').map(({ data }) => data.position);
    expect(places).toEqual([2, 1]);
    expect(all.map(({ id }) => Number(id))).toEqual(all.map((_, index) => index + 1));
  });
});

describe('a failed turn', () => {
  test.each(['model_failed', 'overloaded', 'deadline_exceeded'] as const)(
    '%s ends the wait with its own status',
    async (code) => {
      stage = await makeChatStage();
      stage.use(async (turn, say) => {
        const problem = new ProblemError(code, { retryAfterSeconds: 7 }).toProblem();
        await stage.gateway.database.query(
          `UPDATE turns SET state = 'done', outcome = 'failed', ended_at = now(), problem = $2 WHERE id = $1`,
          [turn.id, JSON.stringify(problem)],
        );
        await say({ type: 'failed', problem });
        return null;
      });
      const fan = await stage.fan();
      const headers = { 'Idempotency-Key': 'k' };
      const first = await stage.chat(fan, {}, { headers });
      expect(first.status).toBe(new ProblemError(code).status);
      expect(first.headers.get('content-type')).toBe('application/problem+json');
      expect(first.body.code).toBe(code);
      if (first.status === 503) expect(first.headers.get('retry-after')).toBe('7');
      const stored = await stage.chat(fan, {}, { headers });
      expect([stored.status, stored.body.code]).toEqual([first.status, code]);
      expect(stored.headers.get('idempotency-replayed')).toBe('true');
    },
  );
});

describe('a reader that does not read', () => {
  const big = 'x'.repeat(6_000);
  async function flood(say: (...events: { type: 'delta'; text: string }[]) => Promise<void>): Promise<void> {
    for (let n = 0; n < 1_000; n++) await say({ type: 'delta', text: big });
  }

  const threads = async () =>
    /^ai_chat_active_threads\S* (\d+)/m.exec(String((await stage.gateway.call('GET', '/metrics')).body))?.[1];

  /** A streamed reply whose reader stops at once, and everything it got when it reads again. */
  async function stalledStream(token: string): Promise<{ socket: Socket; got: () => string }> {
    const { hostname, port } = new URL(stage.url);
    const body = JSON.stringify({ creator_id: 'ada', message: 'hello' });
    const socket = connect({ host: hostname, port: Number(port) });
    const parts: Buffer[] = [];
    socket.on('error', () => undefined).on('data', (part: Buffer) => parts.push(part));
    socket.write(
      `POST /api/v1/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await waitFor(async () => (await threads()) === '1', { what: 'the stream to be followed' });
    socket.pause();
    return { socket, got: () => Buffer.concat(parts).toString() };
  }
  const numbers = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));

  test('of a stream is not followed while the reply goes on, and has all of it, in order, when it reads again', async () => {
    stage = await makeChatStage();
    const flooded = makeGate();
    stage.use(async (_turn, say) => {
      await flood(say);
      flooded.open();
      return 'long';
    });
    const { token } = await stage.fan();
    const { socket, got } = await stalledStream(token);
    await waitFor(async () => (await threads()) === '0', { timeoutMs: 20_000, what: 'the reader to be left' });
    await flooded.opened;
    socket.resume();
    await waitFor(() => got().includes('event: completed'), { timeoutMs: 20_000, what: 'the whole reply' });
    expect(numbers(got())).toEqual(Array.from({ length: 1_003 }, (_, index) => index + 1));
    socket.destroy();
  });

  test('of a stream, which left, resumes where it was', async () => {
    stage = await makeChatStage();
    stage.use(async (_turn, say) => {
      await flood(say);
      return 'long';
    });
    const fan = await stage.fan();
    const { socket } = await stalledStream(fan.token);
    await waitFor(async () => (await threads()) === '0', { timeoutMs: 20_000, what: 'the reader to be left' });
    socket.destroy();
    const [turn] = await stage.turns();
    const rest = await fetch(`${stage.url}/api/v1/messages/${turn?.id}/events`, {
      headers: { Authorization: `Bearer ${fan.token}`, 'Last-Event-ID': '1000' },
    });
    expect((await collectSse(rest)).map(({ event }) => event)).toEqual(['delta', 'delta', 'completed']);
  });

  test('of a socket has all of it, in order, when it reads again in time', async () => {
    stage = await makeChatStage();
    const flooded = makeGate();
    stage.use(async (_turn, say) => {
      await flood(say);
      flooded.open();
      return 'long';
    });
    const { token } = await stage.fan();
    const socket = await openSocket(`${stage.url}/ws/new/slow`, { token });
    socket.send({ type: 'message', message: 'hello', creator_id: 'ada' });
    await socket.next('accepted');
    socket.raw.pause();
    await waitFor(async () => (await threads()) === '0', { timeoutMs: 20_000, what: 'the reader to be left' });
    await flooded.opened;
    socket.raw.resume();
    await socket.next('completed', 20_000);
    const numbered = socket.messages.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
    expect(numbered).toEqual(Array.from({ length: 1_003 }, (_, index) => index + 1));
    await socket.close();
  });

  test('of a socket that takes nothing for ten seconds is closed with 1013 and resumes', async () => {
    stage = await makeChatStage();
    stage.use(async (_turn, say) => {
      await flood(say);
      return 'long';
    });
    const { token } = await stage.fan();
    const socket = await openSocket(`${stage.url}/ws/new/slow`, { token });
    socket.send({ type: 'message', message: 'hello', creator_id: 'ada' });
    await socket.next('accepted');
    socket.raw.pause();
    await waitFor(
      async () => {
        const { body } = await stage.gateway.call<string>('GET', '/metrics');
        return /^ai_chat_ws_connections\S* 0/m.test(body);
      },
      { timeoutMs: 20_000, what: 'the socket to be let go' },
    );
    socket.raw.resume();
    await socket.waitClosed();
    const accepted = socket.messages.find(({ type }) => type === 'accepted');
    const back = await openSocket(`${stage.url}/ws/${accepted?.conversation_id}/slow`, { token });
    back.send({ type: 'resume', message_id: accepted?.message_id, last_seq: 1_000 });
    await back.next('completed');
    expect(back.messages.map(({ seq }) => seq)).toEqual([undefined, 1_001, 1_002, 1_003]);
    await back.close();
  });
});

describe('a gateway that is told to stop', () => {
  test('answers waits with 202, asks streams and sockets to come back, and the reply is told elsewhere', async () => {
    stage = await makeChatStage();
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'kept';
    });
    const key = await stage.key('premium');
    const waiting = stage.chat(key, {});
    const stream = await stage.stream(key, {});
    const socket = await openSocket(`${stage.url}/ws/new/phone`, { token: key.token });
    socket.send({ type: 'message', message: 'hello', creator_id: 'ada' });
    const accepted = await socket.next('accepted');
    await waitFor(() => stage.worker.claimed.length === 3);
    const stopping = stage.stopFirst();
    const events = [];
    for await (const event of readSse(stream)) events.push(event);
    expect(events.map(({ event }) => event)).toEqual(['queued', 'started']);
    expect((await socket.waitClosed()).code).toBe(1012);
    const answer = await waiting;
    expect(answer.status).toBe(202);
    await stopping;
    gate.open();
    const back = await openSocket(`${stage.other}/ws/${accepted.conversation_id}/phone`, { token: key.token });
    back.send({ type: 'resume', message_id: accepted.message_id, last_seq: 2 });
    expect(await back.next('completed')).toMatchObject({ reply: { text: 'kept' } });
    await back.close();
    const rest = await fetch(`${stage.other}${answer.headers.get('location')}/events`, {
      headers: { Authorization: `Bearer ${key.token}` },
    });
    expect((await collectSse(rest)).at(-1)?.event).toBe('completed');
  });
});

describe('a gateway that is unready', () => {
  test('takes everything until load balancers have seen it, then refuses with 503, and gives each connection up', async () => {
    stage = await makeChatStage({ DRAIN_NOTICE_MS: '1500' });
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'kept';
    });
    const key = await stage.key('enterprise');
    const later = { headers: { Prefer: 'respond-async' } };
    const stream = await stage.stream(key, {});
    const stopping = stage.stopFirst();
    const isReady = async () => (await stage.gateway.call('GET', '/health/ready')).status === 200;
    await waitFor(async () => !(await isReady()), { what: 'it to be unready' });
    const taken = await stage.chat(key, {}, later);
    expect([taken.status, taken.headers.get('connection')]).toEqual([202, 'close']);
    const socket = await openSocket(`${stage.url}/ws/new/phone`, { token: key.token });
    const refused = await waitFor(
      async () => {
        const answer = await stage.chat(key, {}, later);
        return answer.status === 202 ? null : answer;
      },
      { everyMs: 100 },
    );
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'unavailable' });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('connection')).toBe('close');
    await expect(openSocket(`${stage.url}/ws/new/phone`, { token: key.token })).rejects.toThrow('503');
    gate.open();
    expect((await collectSse(stream)).at(-1)?.event).toBe('completed');
    expect((await socket.waitClosed()).code).toBe(1012);
    await stopping;
  });
});

describe('a gateway with its hands full', () => {
  test('refuses with 503 before anything is counted', async () => {
    stage = await makeChatStage({ ASYNC_CONCURRENCY_LIMIT: '2' });
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'ok';
    });
    const key = await stage.key('premium');
    const busy = [stage.chat(key, {}), stage.chat(key, {})];
    await waitFor(async () => (await stage.turns()).length === 2);
    const refused = await stage.chat(key, {});
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'overloaded', 'violated-policies': ['concurrency'] });
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]/);
    expect((await stage.chat(key, {}, { at: stage.other, headers: { Prefer: 'respond-async' } })).status).toBe(202);
    gate.open();
    for (const answer of await Promise.all(busy)) expect(answer.status).toBe(200);
  });
});
