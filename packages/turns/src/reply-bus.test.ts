import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ReplyEvent, ReplyEventBody } from '@sidestage/contracts';
import { closeRedis, makeId, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { recoveredSeqBase } from './follower.js';
import { keys } from './keys.js';
import type { FollowOptions, ReplyReader, ReplyWriter, StoredOutcome } from './ports.js';
import { makeReplyReader } from './reply-reader.js';
import { makeReplyWriter } from './reply-writer.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const delta = (text: string): ReplyEventBody => ({ type: 'delta', text });
const queued: ReplyEventBody = { type: 'queued', position: 1, eta_ms: null };
const cancelled: ReplyEventBody = { type: 'cancelled' };

let server: TestRedis;
let redis: Redis;
let writer: ReplyWriter;
const readers: ReplyReader[] = [];

beforeAll(async () => {
  server = await makeTestRedis();
  redis = makeRedis(server.url, 'request', logger);
  writer = makeReplyWriter({ redis });
  await waitFor(() => redis.status === 'ready');
});
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close();
});
afterAll(async () => {
  await closeRedis(redis);
  await server.stop();
});

const open: StoredOutcome = { terminal: null, content: [] };

function makeReader(): ReplyReader {
  const reader = makeReplyReader({ redisUrl: server.url, redis, logger, tickMs: 100, quietMs: 300, storedMs: 600 });
  readers.push(reader);
  return reader;
}

function follow(generationId: string, how: Partial<FollowOptions> = {}, reader = makeReader()): ReplyEvent[] {
  const events: ReplyEvent[] = [];
  reader.follow({
    generationId,
    afterSeq: 0,
    deliver: (batch) => events.push(...batch),
    stored: async () => open,
    ...how,
  });
  return events;
}

const numbers = (events: ReplyEvent[]) => events.map((event) => event.seq);
const ended = (events: ReplyEvent[]) => waitFor(() => events.at(-1)?.type === 'cancelled', { what: 'the last event' });

describe('writing a reply', () => {
  test('numbers events from 1 without a hole, over appends and epochs', async () => {
    const id = makeId();
    expect(await writer.append(id, 0, [queued])).toEqual({ accepted: true, seq: 1 });
    expect(await writer.append(id, 1, [delta('a'), delta('b')])).toEqual({ accepted: true, seq: 3 });
    expect(await writer.append(id, 2, [delta('c')])).toEqual({ accepted: true, seq: 4 });
  });

  test('refuses an old epoch, and everything after the last event', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    await writer.append(id, 2, [delta('new')]);
    expect(await writer.append(id, 1, [delta('old')])).toEqual({ accepted: false });
    expect(await writer.append(id, 2, [cancelled])).toMatchObject({ accepted: true });
    expect(await writer.append(id, 3, [delta('after the end')])).toEqual({ accepted: false });
    expect(await redis.xlen(keys.replyStream(id))).toBe(3);
  });

  test('an append tried again after its answer was lost is there once, also the last one', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    for (const [operation, event] of [
      ['one', delta('a')],
      ['two', cancelled],
    ] as const) {
      const first = await writer.append(id, 1, [event], { operation });
      expect(await writer.append(id, 1, [event], { operation })).toEqual(first);
    }
    expect(await redis.xlen(keys.replyStream(id))).toBe(3);
  });

  test('a lost buffer begins again higher than any number given, with what was said so far', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const before = await writer.append(id, 1, [delta('a'), delta('b')]);
    const events = follow(id);
    await waitFor(() => events.length === 3);
    await redis.del(keys.replyState(id), keys.replyStream(id));
    await writer.append(id, 1, [delta('c')], { soFar: () => [delta('ab')] });
    await writer.append(id, 1, [cancelled]);
    await ended(events);
    expect(events.slice(3)).toMatchObject([
      { type: 'reset', recovered: false },
      { type: 'delta', text: 'ab' },
      { type: 'delta', text: 'c' },
      { type: 'cancelled' },
    ]);
    expect(before.accepted && events[3] && events[3].seq > before.seq).toBe(true);
  });

  test('a lost buffer of a turn that still waits is said too, and what a worker says then goes on from it', async () => {
    // The id of a generation made a minute ago.
    const madeAt = (Date.now() - 60_000).toString(16).padStart(12, '0');
    const id = `${madeAt.slice(0, 8)}-${madeAt.slice(8)}${makeId().slice(13)}`;
    const events = follow(id, { afterSeq: 4 });
    await writer.append(id, 0, [queued]);
    await writer.append(id, 1, [delta('a')]);
    await writer.append(id, 1, [cancelled]);
    await ended(events);
    expect(events.map((event) => event.type)).toEqual(['reset', 'queued', 'delta', 'cancelled']);
    expect(Math.min(...numbers(events))).toBeGreaterThan(4);
  });

  test('keeps the buffer for a while and no longer', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    for (const key of [keys.replyState(id), keys.replyStream(id)]) {
      expect(await redis.pttl(key)).toBeGreaterThan(60_000);
      expect(await redis.pttl(key)).toBeLessThanOrEqual(30 * 60_000);
    }
  });
});

describe('following a reply', () => {
  test('two clients on two gateways get every event once, in order, whenever they come', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const early = follow(id);
    const reader = makeReader();
    const late: ReplyEvent[][] = [];
    for (let index = 0; index < 60; index++) {
      if (index % 20 === 10) late.push(follow(id, {}, reader));
      await writer.append(id, 1, [delta(`${index} `)]);
    }
    await writer.append(id, 1, [cancelled]);
    for (const events of [early, ...late]) {
      await ended(events);
      expect(numbers(events)).toEqual(Array.from({ length: 62 }, (_, index) => index + 1));
    }
  });

  test('resumes after the number the client has', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    await writer.append(id, 1, [delta('a'), delta('b'), cancelled]);
    const events = follow(id, { afterSeq: 2 });
    await ended(events);
    expect(numbers(events)).toEqual([3, 4]);
  });

  test('what is heard live and what is read from the stream are the same bytes', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const live = follow(id);
    await waitFor(() => live.length === 1);
    await writer.append(id, 1, [{ type: 'started', attempt: 1, model: 'm', sources: 3 }, delta('a')]);
    await writer.append(id, 1, [
      { problem: { type: 't', title: 'no', status: 502, code: 'model_failed' }, type: 'failed' },
    ]);
    await waitFor(() => live.at(-1)?.type === 'failed');
    const read = follow(id);
    await waitFor(() => read.at(-1)?.type === 'failed');
    expect(JSON.stringify(read)).toBe(JSON.stringify(live));
  });

  test('events whose message was lost are read from the stream', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const events = follow(id);
    await waitFor(() => events.length === 1);
    await redis.xadd(keys.replyStream(id), '2-0', 'e', JSON.stringify(delta('silent')));
    await redis.hset(keys.replyState(id), 'seq', '2');
    await writer.append(id, 1, [delta('heard')]);
    await waitFor(() => events.length === 3);
    expect(events.slice(1)).toMatchObject([
      { seq: 2, text: 'silent' },
      { seq: 3, text: 'heard' },
    ]);
  });

  test('a last event whose message was lost is found without another', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const events = follow(id);
    await waitFor(() => events.length === 1);
    await redis.xadd(keys.replyStream(id), '2-0', 'e', JSON.stringify(cancelled));
    await redis.hset(keys.replyState(id), 'seq', '2');
    await ended(events);
  });

  test('the subscriber’s connection killed 20 times: no gap, no repeat', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const events = follow(id);
    for (let index = 0; index < 200; index++) {
      if (index % 10 === 5) await redis.client('KILL', 'TYPE', 'pubsub');
      await writer.append(id, 1, [delta(`${index}`)]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await writer.append(id, 1, [cancelled]);
    await ended(events);
    expect(numbers(events)).toEqual(Array.from({ length: 202 }, (_, index) => index + 1));
  });

  test('a buffer that is gone: told so, then the stored reply, the same at every reading', async () => {
    const id = makeId();
    const stored = async (): Promise<StoredOutcome> => ({ terminal: cancelled, content: [delta('stored')] });
    const whole = follow(id, { stored, afterSeq: 7 });
    await ended(whole);
    expect(whole).toMatchObject([
      { type: 'reset', recovered: false, seq: recoveredSeqBase + 1 },
      { type: 'delta', text: 'stored' },
      { type: 'cancelled' },
    ]);
    const rest = follow(id, { stored, afterSeq: recoveredSeqBase + 2 });
    await ended(rest);
    expect(rest).toEqual(whole.slice(2));
  });

  test('a turn that was deleted ends for those who follow it', async () => {
    await ended(follow(makeId(), { stored: async () => null }));
  });

  test('Redis frozen: the end comes from Postgres', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    let stored = open;
    const events = follow(id, { stored: async () => stored });
    await waitFor(() => events.length === 1);
    server.freeze();
    try {
      stored = { terminal: cancelled, content: [] };
      await ended(events);
    } finally {
      server.resume();
    }
  });

  test('nothing follows the last event, and a closed client gets nothing more', async () => {
    const id = makeId();
    await writer.append(id, 0, [queued]);
    const reader = makeReader();
    const events: ReplyEvent[] = [];
    const following = reader.follow({
      generationId: id,
      afterSeq: 0,
      deliver: (batch) => events.push(...batch),
      stored: async () => open,
    });
    const other = follow(id, {}, reader);
    await waitFor(() => events.length === 1);
    following.close();
    await writer.append(id, 1, [cancelled]);
    await ended(other);
    expect(events).toHaveLength(1);
    await waitFor(async () => (await redis.pubsub('NUMSUB', keys.replyChannel(id)))[1] === 0, { what: 'unsubscribe' });
  });
});

test('commands sent in one go leave in one write, and one alone is not kept back', async () => {
  const ids = Array.from({ length: 50 }, () => makeId());
  await Promise.all(ids.map((id) => writer.append(id, 0, [queued])));
  let writes = 0;
  const { stream } = redis;
  for (const name of ['_write', '_writev'] as const) {
    const before = stream[name];
    stream[name] = (...args: unknown[]): void => {
      writes += 1;
      Reflect.apply(before ?? (() => undefined), stream, args);
    };
  }
  const written = await Promise.all(ids.map((id) => writer.append(id, 0, [delta('one')])));
  expect(written.map(({ accepted }) => accepted)).toEqual(ids.map(() => true));
  expect(writes).toBe(1);
  await redis.ping();
  expect(writes).toBe(2);
});
