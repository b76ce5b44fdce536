import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openSocket, waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate } from '../testing/scripted-worker.js';

let stage: ChatStage;
beforeEach(async () => {
  stage = await makeChatStage();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await stage.close();
});

const openSockets = async () =>
  Number(/^ai_chat_ws_connections\S* (\d+)/m.exec((await stage.gateway.call<string>('GET', '/metrics')).body)?.[1]);

describe('half-open TCP', () => {
  test('a socket that answers no ping is freed within 40 s of its last sign of life; one that answers stays', async () => {
    const { token } = await stage.key('premium');
    const silent = await openSocket(`${stage.url}/ws/new/silent`, { token, autoPong: false });
    const alive = await openSocket(`${stage.url}/ws/new/alive`, { token });
    await Promise.all([silent.next('ready'), alive.next('ready')]);
    const now = performance.now.bind(performance);
    let ahead = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now() + ahead);
    const pinged = new Promise((resolve) => alive.raw.once('ping', resolve));
    ahead = 30_500;
    await pinged;
    // The next look of the gateway has heard the one that answers.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(silent.closed).toBeUndefined();
    ahead = 41_500;
    expect((await silent.waitClosed()).code).toBe(1006);
    await waitFor(async () => (await openSockets()) === 1);
    expect(alive.closed).toBeUndefined();
    await alive.close();
  });
});

describe('tiny fragments', () => {
  test('of a message without end close the socket before they are kept', async () => {
    const { token } = await stage.key('premium');
    const socket = await openSocket(`${stage.url}/ws/new/phone`, { token });
    await socket.next('ready');
    for (let sent = 0; sent < 70_000 && !socket.closed; sent++) {
      socket.raw.send('x', { fin: false });
      if (sent % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect([1008, 1009]).toContain((await socket.waitClosed()).code);
    const next = await openSocket(`${stage.url}/ws/new/phone`, { token });
    await next.next('ready');
    await next.close();
  });
});

describe('a client that leaves', () => {
  test('by any door, in the middle of its reply: the reply is saved', async () => {
    const key = await stage.key('premium');
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'half ' });
      await gate.opened;
      return 'half and whole';
    });
    const left = new AbortController();
    const waits = fetch(`${stage.url}/api/v1/chat`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ creator_id: 'ada', message: 'waits' }),
      signal: left.signal,
    }).catch(() => 'gone');
    const stream = await stage.stream(key, { message: 'streams' }, { signal: left.signal });
    const socket = await openSocket(`${stage.url}/ws/new/phone`, { token: key.token });
    socket.send({ type: 'message', message: 'on a socket', creator_id: 'ada' });
    await socket.next('delta');
    await waitFor(() => stage.worker.claimed.length === 3);
    left.abort();
    socket.raw.terminate();
    expect(await waits).toBe('gone');
    await expect(stream.text()).rejects.toThrow();
    gate.open();
    await waitFor(async () => (await stage.turns()).every(({ outcome }) => outcome === 'completed'), {
      what: 'the three replies to be saved',
    });
  });
});

describe('a reconnect storm', () => {
  test('after a gateway’s end: 300 readers come to the other one at once, and each gets the rest, byte for byte', async () => {
    const key = await stage.key('premium');
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      for (const word of ['one ', 'two ']) await say({ type: 'delta', text: word });
      await gate.opened;
      for (const word of ['three ', 'four']) await say({ type: 'delta', text: word });
      return 'one two three four';
    });
    const later = { headers: { Prefer: 'respond-async' } };
    const turns = await Promise.all(
      ['a', 'b', 'c'].map(async (message) => String((await stage.chat(key, { message }, later)).body.message_id)),
    );
    await waitFor(() => stage.worker.claimed.length === 3);
    await stage.stopFirst();
    const resume = async (turn: string, after: number) => {
      const response = await fetch(`${stage.other}/api/v1/messages/${turn}/events`, {
        headers: { Authorization: `Bearer ${key.token}`, 'Last-Event-ID': String(after) },
      });
      expect(response.status).toBe(200);
      const { body } = response;
      if (!body) throw new Error('no stream');
      return new Response(body).text();
    };
    // queued 1, started 2, one 3, two 4.
    const readers = Array.from({ length: 300 }, (_, index) => resume(turns[index % 3] ?? '', 3));
    await new Promise((resolve) => setTimeout(resolve, 500));
    gate.open();
    const rests = await Promise.all(readers);
    for (const [index, turn] of turns.entries()) {
      const same = new Set(rests.filter((_, reader) => reader % 3 === index).map(withoutComments));
      expect(same.size).toBe(1);
      const [rest = ''] = same;
      expect([...rest.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual([4, 5, 6, 7]);
      expect(rest).toContain(turn);
    }
  }, 60_000);
});

const withoutComments = (text: string) => text.replace(/^(:.*|retry: \d+)\n\n/gm, '');
