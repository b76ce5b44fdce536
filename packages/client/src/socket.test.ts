import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ClientEvent } from '@sidestage/contracts';
import { waitFor } from '@sidestage/testkit';
import { makeSidestage, type Sidestage, type SidestageOptions, type Turn } from './index.js';
import {
  accepted,
  completed,
  delta,
  event,
  type HeardSocket,
  type ScriptedGateway,
  started,
  startScriptedGateway,
} from './testing/scripted-gateway.js';

let gateway: ScriptedGateway;
const clients: Sidestage[] = [];
const others: ScriptedGateway[] = [];
beforeEach(async () => {
  gateway = await startScriptedGateway();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const each of [gateway, ...others.splice(0)]) await each.close();
});

function begin(options: Partial<SidestageOptions> = {}) {
  const client = makeSidestage({
    url: gateway.url,
    credential: 'token',
    transports: ['ws'],
    backoff: { baseMs: 10, maxMs: 40 },
    ...options,
  });
  clients.push(client);
  return client.conversation({ creatorId: 'ada' });
}
async function accept(socket: HeardSocket, messageId = 'm1', place = 0): Promise<void> {
  const { idempotency_key, message } = await socket.frame('message', place);
  socket.send(accepted(messageId, idempotency_key, message));
}
async function finish(turn: Turn, socket: HeardSocket, messageId = 'm1', seq = turn.lastSeq + 1) {
  socket.send(event(messageId, seq, completed(messageId, 'whole')));
  return turn.reply;
}
function listen(turn: Turn): ClientEvent[] {
  const heard: ClientEvent[] = [];
  turn.onEvent((each) => heard.push(each));
  return heard;
}
const numbers = (events: ClientEvent[]) => events.map(({ seq }) => seq);
const quota = { type: 'about:blank', title: 'used up', status: 429, code: 'quota_exceeded', retry_after_seconds: 42 };
const overloaded = { type: 'about:blank', title: 'full', status: 503, code: 'overloaded' };

describe('a message over a socket', () => {
  test('is sent with a key, followed to its end, and read as events', async () => {
    const conversation = begin();
    const turn = conversation.send('hello', { videoUrl: 'https://v.example/1' });
    const socket = await gateway.socket(0);
    expect(socket.path).toMatch(/^\/ws\/new\/\w+\?resumes=0$/);
    expect(await socket.frame('message')).toEqual({
      type: 'message',
      message: 'hello',
      creator_id: 'ada',
      video_url: 'https://v.example/1',
      idempotency_key: turn.idempotencyKey,
    });
    await accept(socket);
    socket.send(event('m1', 1, started));
    socket.send(event('m1', 2, delta('wh')));
    await waitFor(() => turn.text === 'wh');
    expect(conversation.id).toBe('conversation');
    expect(await finish(turn, socket)).toMatchObject({ status: 'completed', reply: { text: 'whole' } });
    const types: string[] = [];
    for await (const each of turn) types.push(each.type);
    expect(types).toEqual(['started', 'delta', 'completed']);
    expect(turn).toMatchObject({ text: 'whole', lastSeq: 3, messageId: 'm1', phase: 'ended' });
  });

  test('that was cut off before it was accepted goes again with the same key', async () => {
    const turn = begin().send('hello');
    const first = await gateway.socket(0);
    const { idempotency_key } = await first.frame('message');
    first.raw.terminate();
    const second = await gateway.socket(1);
    expect(await second.frame('message')).toMatchObject({ message: 'hello', idempotency_key });
    await accept(second);
    await finish(turn, second);
  });

  test('waits for the one before it, which gives the conversation its id', async () => {
    const conversation = begin();
    const turns = ['one', 'two', 'three'].map((words) => conversation.send(words));
    const socket = await gateway.socket(0);
    await socket.frame('message');
    expect(socket.frames.map((frame) => frame.type === 'message' && frame.message)).toEqual(['one']);
    for (const place of [0, 1, 2]) await accept(socket, `m${place}`, place);
    expect(socket.frames.map((frame) => frame.type === 'message' && frame.message)).toEqual(['one', 'two', 'three']);
    for (const [place, turn] of turns.entries()) await finish(turn, socket, `m${place}`);
  });

  test('is refused at once where a limit is used up, and the next one goes on', async () => {
    const conversation = begin();
    const [first, second] = [conversation.send('one'), conversation.send('two')];
    const socket = await gateway.socket(0);
    const { idempotency_key } = await socket.frame('message');
    socket.send({ type: 'error', problem: quota, idempotency_key });
    await expect(first?.reply).rejects.toMatchObject({ name: 'SidestageError', problem: quota, retryAfterMs: 42_000 });
    await expect(first?.accepted).rejects.toMatchObject({ code: 'quota_exceeded' });
    await accept(socket, 'm2', 1);
    if (second) await finish(second, socket, 'm2');
  });

  test('is sent again with the same key when the gateway was too busy, not before it said', async () => {
    const turn = begin().send('hello');
    const socket = await gateway.socket(0);
    const { idempotency_key } = await socket.frame('message');
    const refusedAt = performance.now();
    socket.send({ type: 'error', problem: { ...overloaded, retry_after_seconds: 0.3 }, idempotency_key });
    expect(await socket.frame('message', 1)).toMatchObject({ idempotency_key });
    expect(performance.now() - refusedAt).toBeGreaterThanOrEqual(295);
    await accept(socket, 'm1', 1);
    await finish(turn, socket);
  });

  test('larger than a frame may be is refused here and sent nowhere', async () => {
    const turn = begin().send('x'.repeat(70_000));
    await expect(turn.reply).rejects.toMatchObject({ code: 'too_large' });
    expect(gateway.sockets).toHaveLength(0);
  });

  test('that no gateway takes is given up, and nobody has to listen to that', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    await gateway.close();
    const turn = begin({ giveUpMs: 200 }).send('hello');
    await waitFor(() => turn.phase === 'ended');
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
    await expect(turn.reply).rejects.toMatchObject({ code: 'unreachable' });
    gateway = await startScriptedGateway();
  });
});

describe('a reply over a socket', () => {
  test('goes on after the last event when the line was cut, with nothing delivered twice', async () => {
    const turn = begin().send('hello');
    const heard = listen(turn);
    const first = await gateway.socket(0);
    await accept(first);
    first.send(event('m1', 1, started));
    first.send(event('m1', 2, delta('wh')));
    await waitFor(() => turn.lastSeq === 2);
    first.raw.terminate();
    const second = await gateway.socket(1);
    expect(second.path).toMatch(/^\/ws\/conversation\//);
    expect(second.path).toMatch(/\?resumes=1$/);
    expect(await second.frame('resume')).toMatchObject({ message_id: 'm1', last_seq: 2 });
    expect(second.frames.map(({ type }) => type)).toEqual(['resume']);
    // An older gateway may begin again from the start.
    second.send(event('m1', 1, started));
    second.send(event('m1', 2, delta('wh')));
    second.send(event('m1', 3, delta('ole')));
    await waitFor(() => turn.text === 'whole');
    await finish(turn, second);
    expect(numbers(heard)).toEqual([1, 2, 3, 4]);
  });

  test('with a hole in its numbers asks for what is missing and takes nothing before it', async () => {
    const turn = begin().send('hello');
    const heard = listen(turn);
    const socket = await gateway.socket(0);
    await accept(socket);
    socket.send(event('m1', 1, started));
    socket.send(event('m1', 3, delta('ole')));
    socket.send(event('m1', 4, delta('!')));
    expect(await socket.frame('resume')).toMatchObject({ message_id: 'm1', last_seq: 1 });
    expect(turn.text).toBe('');
    socket.send(event('m1', 2, delta('wh')));
    socket.send(event('m1', 3, delta('ole')));
    await waitFor(() => turn.text === 'whole');
    await finish(turn, socket);
    expect(numbers(heard)).toEqual([1, 2, 3, 4]);
    expect(socket.frames.filter(({ type }) => type === 'resume')).toHaveLength(1);
  });

  test('begins again at a reset, also at a far higher number where the buffer was lost', async () => {
    const turn = begin().send('hello');
    const socket = await gateway.socket(0);
    await accept(socket);
    socket.send(event('m1', 1, delta('lost')));
    socket.send(event('m1', 2, { type: 'reset', attempt: 2 }));
    socket.send(event('m1', 3, delta('also lost')));
    await waitFor(() => turn.text === 'also lost');
    socket.send(event('m1', 9_000, { type: 'reset', attempt: 3, recovered: false }));
    socket.send(event('m1', 9_001, delta('kept')));
    await waitFor(() => turn.text === 'kept');
    await finish(turn, socket);
    expect(socket.frames.filter(({ type }) => type === 'resume')).toHaveLength(0);
  });

  test('that fails rejects with the turn’s problem, after the event', async () => {
    const turn = begin().send('hello');
    const socket = await gateway.socket(0);
    await accept(socket);
    const problem = { type: 'about:blank', title: 'no', status: 502, code: 'model_failed' };
    socket.send(event('m1', 1, { type: 'failed', problem }));
    await expect(turn.reply).rejects.toMatchObject({ problem });
    const types: string[] = [];
    for await (const each of turn) types.push(each.type);
    expect(types).toEqual(['failed']);
  });

  test('whose turn is gone ends with what the server says to the resume', async () => {
    const turn = begin().follow('m7', { lastSeq: 4, text: 'so far' });
    const socket = await gateway.socket(0);
    const { idempotency_key, last_seq } = await socket.frame('resume');
    expect(last_seq).toBe(4);
    const gone = { type: 'about:blank', title: 'no', status: 404, code: 'not_found' };
    socket.send({ type: 'error', problem: gone, idempotency_key });
    await expect(turn.reply).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('the line', () => {
  test('is told as it goes and comes, and moves to the next gateway when one restarts', async () => {
    const other = await startScriptedGateway();
    others.push(other);
    const conversation = begin({ url: [gateway.url, other.url] });
    const links: string[] = [];
    conversation.onLink((link) => links.push(link));
    const turn = conversation.send('hello');
    const first = await gateway.socket(0);
    await accept(first);
    await turn.accepted;
    first.raw.close(1012, 'the server restarts, reconnect');
    const second = await other.socket(0);
    await second.frame('resume');
    await finish(turn, second);
    await conversation.close();
    expect(links).toEqual(['connecting', 'open', 'reconnecting', 'open', 'closed']);
    expect(gateway.sockets).toHaveLength(1);
  });

  test('waits a while when it is told to try later', async () => {
    const conversation = begin({ random: () => 0 });
    conversation.connect();
    const first = await gateway.socket(0);
    await waitFor(() => conversation.link === 'open');
    const closedAt = performance.now();
    first.raw.close(1013, 'too many connections, try later');
    await gateway.socket(1);
    expect(performance.now() - closedAt).toBeGreaterThanOrEqual(990);
  });

  test('asks for another credential when a live socket is closed over it', async () => {
    const asked: (string | null)[] = [];
    const conversation = begin({
      credential: (refused) => {
        asked.push(refused);
        return refused === null ? 'old' : 'new';
      },
    });
    const turn = conversation.send('hello');
    const first = await gateway.socket(0);
    await accept(first);
    await turn.accepted;
    first.raw.close(4401, 'the credential has ended');
    const second = await gateway.socket(1);
    expect([first.credential, second.credential]).toEqual(['old', 'new']);
    expect(asked).toEqual([null, 'old']);
    await second.frame('resume');
    await finish(turn, second);
  });

  test('is spread by full jitter: no wait is longer than its bound, and each may be none', async () => {
    const conversation = begin({ random: () => 0, backoff: { baseMs: 60_000, maxMs: 60_000 } });
    conversation.connect();
    for (const place of [0, 1, 2]) (await gateway.socket(place)).raw.terminate();
  });

  test('is closed for good: what runs is told, and nothing connects again', async () => {
    const conversation = begin();
    const [running, waiting] = [conversation.send('one'), conversation.send('two')];
    await accept(await gateway.socket(0));
    await running?.accepted;
    await conversation.close();
    await expect(running?.reply).rejects.toMatchObject({ code: 'closed' });
    await expect(waiting?.reply).rejects.toMatchObject({ code: 'closed' });
    await expect(conversation.send('three').reply).rejects.toMatchObject({ code: 'closed' });
    expect(gateway.sockets).toHaveLength(1);
  });
});

describe('cancelling', () => {
  test('goes as a frame, again on the next socket, and ends with the server’s word', async () => {
    const turn = begin().send('hello');
    const first = await gateway.socket(0);
    await accept(first);
    await turn.accepted;
    const done = turn.cancel();
    await first.frame('cancel');
    first.raw.terminate();
    const second = await gateway.socket(1);
    expect(await second.frame('cancel')).toMatchObject({ message_id: 'm1' });
    second.send(event('m1', 1, { type: 'cancelled' }));
    await done;
    await expect(turn.reply).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('before the answer is there stops the turn as soon as it has an id', async () => {
    const turn = begin().send('hello');
    const socket = await gateway.socket(0);
    await socket.frame('message');
    const done = turn.cancel();
    await accept(socket);
    await socket.frame('cancel');
    socket.send(event('m1', 1, { type: 'cancelled' }));
    await done;
  });

  test('of a message that was never sent needs no server', async () => {
    const conversation = begin();
    conversation.send('one');
    const second = conversation.send('two');
    await second.cancel();
    await expect(second.reply).rejects.toMatchObject({ code: 'cancelled' });
    const socket = await gateway.socket(0);
    await accept(socket);
    const third = conversation.send('three');
    await accept(socket, 'm3', 1);
    expect((await socket.frame('message', 1)).message).toBe('three');
    await finish(third, socket, 'm3');
  });
});

describe('other devices', () => {
  test('are heard: their words, and their replies to the end', async () => {
    const conversation = begin();
    const turns: Turn[] = [];
    conversation.onTurn((turn) => turns.push(turn));
    conversation.connect();
    const socket = await gateway.socket(0);
    socket.send(accepted('m9', undefined, 'from my phone'));
    socket.send(event('m9', 1, delta('well')));
    const turn = await waitFor(() => turns[0]);
    expect(turn.message).toBe('from my phone');
    await waitFor(() => turn.text === 'well');
    socket.raw.terminate();
    const next = await gateway.socket(1);
    expect(await next.frame('resume')).toMatchObject({ message_id: 'm9', last_seq: 1 });
    await finish(turn, next, 'm9');
  });

  test('are not made up: our own message, heard of before its answer, is ours with every event', async () => {
    const conversation = begin();
    const turns: Turn[] = [];
    conversation.onTurn((turn) => turns.push(turn));
    const turn = conversation.send('hello');
    const heard = listen(turn);
    const socket = await gateway.socket(0);
    await socket.frame('message');
    socket.send(accepted('m1'));
    socket.send(event('m1', 1, delta('wh')));
    socket.send(event('m1', 2, delta('ole')));
    await accept(socket);
    await finish(turn, socket, 'm1', 3);
    expect(numbers(heard)).toEqual([1, 2, 3]);
    expect(turns).toEqual([]);
  });
});
