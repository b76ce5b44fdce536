import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ClientEvent } from '@sidestage/contracts';
import { waitFor } from '@sidestage/testkit';
import { makeSidestage, type Sidestage, type SidestageOptions, type Turn } from './index.js';
import {
  completed,
  delta,
  event,
  type HeardRequest,
  type ScriptedGateway,
  sendJson,
  sendProblem,
  started,
  startScriptedGateway,
  writeEvents,
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

function begin(options: Partial<SidestageOptions> = {}, where: { conversationId?: string; userId?: string } = {}) {
  const client = makeSidestage({
    url: gateway.url,
    credential: 'token',
    transports: ['sse'],
    backoff: { baseMs: 10, maxMs: 40 },
    ...options,
  });
  clients.push(client);
  return client.conversation({ creatorId: 'ada', ...where });
}
/** Each request gets the next answer; the last one goes on. */
function answer(...answers: ((request: HeardRequest) => void)[]): void {
  let place = 0;
  gateway.onRequest = (request) => {
    answers[Math.min(place, answers.length - 1)]?.(request);
    place += 1;
  };
}
function listen(turn: Turn): ClientEvent[] {
  const heard: ClientEvent[] = [];
  turn.onEvent((each) => heard.push(each));
  return heard;
}
const lines = () => gateway.requests.map(({ method, path }) => `${method} ${path}`);
const numbers = (events: ClientEvent[]) => events.map(({ seq }) => seq);
const stream =
  (...events: ClientEvent[]) =>
  (request: HeardRequest) =>
    writeEvents(request, 'm1', events);
const whole = event('m1', 4, completed('m1', 'whole'));
/** What is written and then cut without an end. */
const cutAfter =
  (...events: ClientEvent[]) =>
  (request: HeardRequest) => {
    writeEvents(request, 'm1', events);
    setTimeout(() => request.response.destroy(), 20);
  };

describe('a message over a stream', () => {
  test('carries key, body and credential, and is read to its end', async () => {
    answer(stream(event('m1', 1, started), event('m1', 2, delta('wh')), event('m1', 3, delta('ole')), whole));
    const conversation = begin({}, { conversationId: 'latest', userId: 'u1' });
    const turn = conversation.send('hello', { videoUrl: 'https://v.example/1', idempotencyKey: 'k1' });
    expect(await turn.reply).toMatchObject({ reply: { text: 'whole' } });
    const [{ headers, body } = { headers: {}, body: null }] = gateway.requests;
    expect(headers).toMatchObject({
      authorization: 'Bearer token',
      accept: 'text/event-stream',
      'idempotency-key': 'k1',
    });
    const words = { message: 'hello', creator_id: 'ada', user_id: 'u1', video_url: 'https://v.example/1' };
    expect(body).toEqual({ ...words, conversation_id: 'latest' });
    expect([conversation.id, conversation.link, conversation.transport]).toEqual(['conversation', 'open', 'sse']);
    void conversation.send('and then?');
    expect((await gateway.request(1)).body).toMatchObject({ conversation_id: 'conversation' });
  });

  test('whose answer never came goes again with the same key', async () => {
    answer(({ response }) => response.destroy(), stream(event('m1', 1, completed('m1', 'whole'))));
    const turn = begin().send('hello');
    await turn.reply;
    expect(lines()).toEqual(['POST /api/v1/chat', 'POST /api/v1/chat']);
    const [first, second] = gateway.requests;
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
  });

  test('goes to the next gateway when one is gone', async () => {
    const other = await startScriptedGateway();
    others.push(other);
    other.onRequest = stream(event('m1', 1, completed('m1', 'whole')));
    answer(({ response }) => response.destroy());
    await begin({ url: [gateway.url, other.url] }).send('hello').reply;
    expect([gateway.requests.length, other.requests.length]).toEqual([1, 1]);
  });

  test('waits as long as a 503 says, and goes again with the same key', async () => {
    answer(
      (request) => sendProblem(request, 503, 'overloaded', { 'Retry-After': '1' }),
      stream(event('m1', 1, completed('m1', 'whole'))),
    );
    await begin().send('hello').reply;
    const [first, second] = gateway.requests;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(995);
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
  });

  test.each([
    [429, 'quota_exceeded'],
    [404, 'not_found'],
    [422, 'validation_failed'],
  ])('that is refused with %i is told so at once', async (status, code) => {
    answer((request) => sendProblem(request, status, code, { 'Retry-After': '7' }));
    await expect(begin().send('hello').reply).rejects.toMatchObject({ problem: { status, code }, retryAfterMs: 7_000 });
    expect(gateway.requests).toHaveLength(1);
  });

  test('asks once for another credential after a 401', async () => {
    gateway.onRequest = (request) => {
      if (request.headers.authorization === 'Bearer new')
        writeEvents(request, 'm1', [event('m1', 1, completed('m1', '!'))]);
      else sendProblem(request, 401, 'unauthenticated');
    };
    await begin({ credential: async (refused) => (refused === 'old' ? 'new' : 'old') }).send('hello').reply;
    await expect(begin({ credential: 'wrong' }).send('hello').reply).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(gateway.requests).toHaveLength(3);
  });

  test('is given up with the last problem when nobody takes it for too long', async () => {
    answer((request) => sendProblem(request, 503, 'overloaded'));
    await expect(begin({ giveUpMs: 150 }).send('hello').reply).rejects.toMatchObject({ code: 'overloaded' });
  });
});

describe('a reply over a stream', () => {
  test('that is cut goes on after the last event, and not before `retry:` has passed', async () => {
    answer(
      (request) => {
        writeEvents(request, 'm1', [event('m1', 1, started), event('m1', 2, delta('wh'))], 300);
        request.response.end();
      },
      stream(event('m1', 2, delta('wh')), event('m1', 3, delta('ole')), whole),
    );
    const turn = begin().send('hello');
    const heard = listen(turn);
    await turn.reply;
    const [first, second] = gateway.requests;
    expect(lines()).toEqual(['POST /api/v1/chat', 'GET /api/v1/messages/m1/events']);
    expect(second?.headers['last-event-id']).toBe('2');
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(295);
    expect(numbers(heard)).toEqual([1, 2, 3, 4]);
  });

  test('that is accepted and cut before its first event is followed and not sent again', async () => {
    answer(cutAfter(), stream(event('m1', 1, completed('m1', 'whole'))));
    await begin().send('hello').reply;
    expect(lines()).toEqual(['POST /api/v1/chat', 'GET /api/v1/messages/m1/events']);
  });

  test('with a hole in its numbers is asked for again from the last one on', async () => {
    answer(
      stream(event('m1', 1, delta('wh')), event('m1', 3, delta('lost'))),
      stream(event('m1', 2, delta('ole')), event('m1', 3, completed('m1', 'whole'))),
    );
    const turn = begin().send('hello');
    const heard = listen(turn);
    await turn.reply;
    expect(gateway.requests[1]?.headers['last-event-id']).toBe('1');
    expect(numbers(heard)).toEqual([1, 2, 3]);
  });

  test('survives any number of cuts, refusals and busy gateways once it is accepted', async () => {
    answer(
      cutAfter(event('m1', 1, started)),
      (request) => sendProblem(request, 503, 'unavailable'),
      (request) => sendProblem(request, 429, 'quota_exceeded'),
      ({ response }) => response.destroy(),
      cutAfter(event('m1', 2, delta('wh'))),
      stream(event('m1', 3, delta('ole')), whole),
    );
    const turn = begin().send('hello');
    const phases: string[] = [];
    turn.onPhase((phase) => phases.push(phase));
    await turn.reply;
    expect(phases).toEqual(['sending', 'accepted', 'ended']);
    expect(gateway.requests).toHaveLength(6);
  });

  test('that the gateway has nothing to add to is read from the stored turn', async () => {
    answer(
      cutAfter(event('m1', 1, started)),
      ({ response }) => response.writeHead(204).end(),
      (request) => sendJson(request, 200, completed('m1', 'whole')),
    );
    const turn = begin().send('hello');
    await turn.reply;
    expect(turn.text).toBe('whole');
    expect(lines()[2]).toBe('GET /api/v1/messages/m1');
  });

  test('is stopped by DELETE, tried until it is heard', async () => {
    answer(
      stream(event('m1', 1, started)),
      ({ response }) => response.destroy(),
      (request) => {
        sendJson(request, 200, { message_id: 'm1', conversation_id: 'conversation', status: 'cancelled' });
        const [post] = gateway.requests;
        if (post) writeEvents(post, 'm1', [event('m1', 2, { type: 'cancelled' })]);
      },
    );
    const turn = begin().send('hello');
    await turn.accepted;
    await turn.cancel();
    await expect(turn.reply).rejects.toMatchObject({ code: 'cancelled' });
    expect(lines()).toEqual(['POST /api/v1/chat', 'DELETE /api/v1/messages/m1', 'DELETE /api/v1/messages/m1']);
  });
});

const view = (status: string, rest: object = {}) => ({
  message_id: 'm1',
  conversation_id: 'conversation',
  creator_id: 'c',
  status,
  ...rest,
});

describe('plain requests', () => {
  const begins = () => begin({ transports: ['post'] });

  test('hand the message in and ask until the reply is there', async () => {
    answer(
      (request) => sendJson(request, 202, view('queued', { position: 2, eta_ms: 50 })),
      (request) => sendJson(request, 200, view('queued', { position: 1, eta_ms: 20 })),
      ({ response }) => response.destroy(),
      (request) => sendJson(request, 200, view('running')),
      (request) => sendJson(request, 200, completed('m1', 'whole')),
    );
    const turn = begins().send('hello');
    const heard = listen(turn);
    expect(await turn.reply).toMatchObject({ reply: { text: 'whole' } });
    expect(gateway.requests[0]?.headers).toMatchObject({ prefer: 'respond-async' });
    expect(heard.map(({ type }) => type)).toEqual(['queued', 'queued', 'reset', 'delta', 'completed']);
    expect(turn.text).toBe('whole');
  });

  test('follow the turn that a repeated key is told still runs', async () => {
    answer(
      ({ response }) => response.destroy(),
      (request) => sendProblem(request, 409, 'idempotency_in_progress', { Location: '/api/v1/messages/m1' }),
      (request) => sendJson(request, 200, completed('m1', 'whole')),
    );
    await begins().send('hello').reply;
    expect(lines()[2]).toBe('GET /api/v1/messages/m1');
  });

  test('tell the failure of the turn and not of the request when a repeated key finds it failed', async () => {
    const headers = { 'Idempotency-Replayed': 'true', 'Content-Location': '/api/v1/messages/m1' };
    const problem = { type: 'about:blank', title: 'no', status: 502, code: 'model_failed' };
    answer(
      ({ response }) => response.destroy(),
      (request) => sendProblem(request, 502, 'model_failed', headers),
      (request) => sendJson(request, 200, view('failed', { error: problem })),
    );
    await expect(begins().send('hello').reply).rejects.toMatchObject({ problem });
    expect(lines()).toEqual(['POST /api/v1/chat', 'POST /api/v1/chat', 'GET /api/v1/messages/m1']);
  });
});

describe('roads', () => {
  test('a socket that never gets through gives way to a stream, and takes over again once it does', async () => {
    let through = false;
    gateway.onUpgrade = () => (through ? null : 403);
    answer(stream(event('m1', 1, completed('m1', 'whole'))));
    const conversation = begin({ transports: ['ws', 'sse', 'post'] });
    await conversation.send('hello').reply;
    expect([conversation.transport, conversation.link]).toEqual(['sse', 'open']);
    through = true;
    await waitFor(() => conversation.transport === 'ws');
    void conversation.send('and now?');
    const frames = () => gateway.sockets.flatMap((socket) => socket.frames);
    expect(await waitFor(() => frames()[0])).toMatchObject({ type: 'message', message: 'and now?' });
  });

  test('a socket that began before the conversation did is not used for the next message of it', async () => {
    gateway.onUpgrade = () => 403;
    gateway.onRequest = () => {
      gateway.onUpgrade = () => null;
    };
    const conversation = begin({ transports: ['ws', 'sse'] });
    const first = conversation.send('one');
    void conversation.send('two');
    const request = await gateway.request(0);
    expect((await gateway.socket(0)).path).toMatch(/^\/ws\/new\//);
    await waitFor(() => conversation.transport === 'ws');
    writeEvents(request, 'm1', [event('m1', 1, started)]);
    // On the one begun as `new` it would begin a conversation of its own.
    const second = await gateway.socket(1);
    expect(second.path).toMatch(/^\/ws\/conversation\//);
    expect(await second.frame('message')).toMatchObject({ message: 'two' });
    expect(gateway.sockets[0]?.frames).toEqual([]);
    writeEvents(request, 'm1', [event('m1', 2, completed('m1', 'whole'))]);
    await first.reply;
  });

  test('a stream that brings not one byte gives way to plain requests, for the very same turn', async () => {
    gateway.onUpgrade = () => 403;
    const page = ({ response }: HeardRequest) =>
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Welcome to our network</h1>');
    gateway.onRequest = (request) => {
      if (request.headers.accept === 'text/event-stream') page(request);
      else if (request.method === 'POST') sendJson(request, 202, view('running'));
      else sendJson(request, 200, completed('m1', 'whole'));
    };
    const conversation = begin({ transports: ['ws', 'sse', 'post'] });
    expect((await conversation.send('hello').reply).reply.text).toBe('whole');
    expect(conversation.transport).toBe('post');
    const keys = gateway.requests.map(({ headers }) => headers['idempotency-key']).filter((key) => key !== undefined);
    expect(new Set(keys).size).toBe(1);
  });

  test('a reply begun over a socket goes on over a stream when sockets die for good', async () => {
    answer(stream(event('m1', 3, delta('ole')), whole));
    const conversation = begin({ transports: ['ws', 'sse'] });
    const turn = conversation.send('hello');
    const heard = listen(turn);
    const socket = await gateway.socket(0);
    const { idempotency_key } = await socket.frame('message');
    gateway.onUpgrade = () => 403;
    socket.send({
      type: 'accepted',
      message_id: 'm1',
      conversation_id: 'conversation',
      creator_id: 'c',
      message: 'hello',
      ...(idempotency_key && { idempotency_key }),
    });
    socket.send(event('m1', 1, started));
    socket.send(event('m1', 2, delta('wh')));
    await waitFor(() => turn.lastSeq === 2);
    socket.raw.terminate();
    await turn.reply;
    expect(gateway.requests[0]).toMatchObject({ method: 'GET', path: '/api/v1/messages/m1/events' });
    expect(gateway.requests[0]?.headers['last-event-id']).toBe('2');
    expect(numbers(heard)).toEqual([1, 2, 3, 4]);
  });

  test('a gateway that is down is no reason to change the road: the message is held until it is back', async () => {
    const { url } = gateway;
    await gateway.close();
    const conversation = begin({ url, transports: ['sse', 'post'] });
    const turn = conversation.send('hello');
    await waitFor(() => conversation.link === 'reconnecting');
    expect(turn.phase).toBe('held');
    expect(conversation.transport).toBe('sse');
    gateway = await startScriptedGateway(Number(new URL(url).port));
    answer(stream(event('m1', 1, completed('m1', 'whole'))));
    await turn.reply;
  });

  test('with nothing to send, it is known whether only sockets do not get through or nothing does', async () => {
    gateway.onUpgrade = () => 403;
    answer((request) => sendJson(request, 200, { items: [], next_cursor: null }));
    const blocked = begin({ transports: ['ws', 'sse'] });
    blocked.connect();
    await waitFor(() => blocked.transport === 'sse' && blocked.link === 'open');
    await gateway.close();
    const cut = begin({ transports: ['ws', 'sse'] });
    cut.connect();
    await waitFor(() => cut.transport === 'sse' && cut.link === 'reconnecting');
    gateway = await startScriptedGateway();
  });

  test('an end user and the latest conversation are never sent over a socket, which cannot carry them', () => {
    expect(begin({ transports: ['ws', 'sse'] }, { userId: 'u1' }).transport).toBe('sse');
    expect(begin({ transports: ['ws', 'sse'] }, { conversationId: 'latest' }).transport).toBe('sse');
    expect(() => begin({ transports: ['ws'] }, { userId: 'u1' })).toThrow(TypeError);
    expect(() => makeSidestage({ url: 'localhost:8000', credential: 'k' })).toThrow(/http/);
  });

  test('what is left of the limits is told from the headers of each answer', async () => {
    const told: unknown[] = [];
    answer(({ response }) => {
      response.setHeader('RateLimit-Policy', '"minute";q=10;w=60, "hour";q=50;w=3600');
      response.setHeader('RateLimit', '"minute";r=9;t=42');
      sendProblem({ response } as HeardRequest, 404, 'not_found');
    });
    await begin({ onRateLimit: (limits) => told.push(limits) })
      .send('hello')
      .reply.catch(() => undefined);
    expect(told).toEqual([[{ policy: 'minute', limit: 10, remaining: 9, reset_seconds: 42 }]]);
  });
});
