import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ReplyEvent, ReplyEventBody } from '@sidestage/contracts';
import { closeRedis, makeId, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { keys, makeReplyReader, makeReplyWriter, type ReplyReader } from '@sidestage/turns';
import { shownText } from '../test-support/worker-world.js';
import { makeReplyStreams, type ReplyStreams } from './reply-stream.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const cancelled: ReplyEventBody = { type: 'cancelled' };

describe('a run’s words on their way', () => {
  let server: TestRedis;
  let redis: Redis;
  let reader: ReplyReader;
  let streams: ReplyStreams;

  beforeAll(async () => {
    server = await makeTestRedis({ appendonly: true });
    redis = makeRedis(server.url, 'request', logger);
    await waitFor(() => redis.status === 'ready');
    reader = makeReplyReader({ redisUrl: server.url, redis, logger });
    streams = makeReplyStreams({ writer: makeReplyWriter({ redis }), logger });
  });
  afterAll(async () => {
    streams.close();
    await reader.close();
    await closeRedis(redis);
    await server.stop();
  });

  function begin(epoch = 1, generationId = makeId(), stillOurs = async () => true) {
    const events: ReplyEvent[] = [];
    let refused = 0;
    reader.follow({
      generationId,
      afterSeq: 0,
      deliver: (batch) => events.push(...batch),
      stored: async () => ({ terminal: null, content: [] }),
    });
    const stream = streams.make({
      generationId,
      epoch,
      onRefused: () => {
        refused += 1;
      },
      stillOurs,
    });
    const say = (text: string) => stream.say({ type: 'delta', text });
    return { stream, say, events, generationId, refused: () => refused };
  }

  test('the first text goes at once, what follows is gathered, nothing is lost', async () => {
    const { stream, say, events } = begin();
    say('first ');
    await waitFor(() => events.some((event) => event.type === 'delta'));
    for (let index = 0; index < 50; index++) say(`${index} `);
    expect(await stream.end(cancelled)).toBe(true);
    await waitFor(() => events.at(-1)?.type === 'cancelled');
    expect(shownText(events)).toBe(`first ${Array.from({ length: 50 }, (_, index) => `${index} `).join('')}`);
    expect(events.filter((event) => event.type === 'delta').length).toBeLessThan(10);
  });

  test('where Redis loses the buffer, what was said is said again before what follows', async () => {
    const { stream, say, events, generationId } = begin();
    say('one ');
    await waitFor(() => shownText(events) === 'one ');
    await redis.del(keys.replyState(generationId), keys.replyStream(generationId));
    say('two ');
    await waitFor(() => shownText(events) === 'one two ');
    await stream.end(cancelled);
    await waitFor(() => events.at(-1)?.type === 'cancelled');
    const late: ReplyEvent[] = [];
    reader.follow({
      generationId,
      afterSeq: 0,
      deliver: (batch) => late.push(...batch),
      stored: async () => ({ terminal: null, content: [] }),
    });
    await waitFor(() => late.at(-1)?.type === 'cancelled');
    expect(shownText(late)).toBe('one two ');
  });

  test('a Redis that answers late gets each word once', async () => {
    const { stream, say, events } = begin();
    say('one ');
    await waitFor(() => shownText(events) === 'one ');
    server.freeze();
    for (const word of ['two ', 'three ', 'four ']) {
      say(word);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    server.resume();
    say('five');
    await waitFor(() => shownText(events).endsWith('five'));
    expect(await stream.end(cancelled)).toBe(true);
    expect(shownText(events)).toBe('one two three four five');
  });

  test('a newer claim stops it, told once', async () => {
    const old = begin();
    old.say('old ');
    await waitFor(() => old.events.length > 0);
    const next = begin(2, old.generationId);
    next.say('new ');
    await waitFor(() => next.events.some((event) => event.type === 'delta' && event.text === 'new '));
    old.say('late ');
    await waitFor(() => old.refused() === 1);
    expect(await old.stream.end(cancelled)).toBe(false);
    expect(old.refused()).toBe(1);
    next.stream.close();
  });

  describe('before a model is asked', () => {
    const started: ReplyEventBody = { type: 'started', attempt: 1, model: 'test/test' };
    const askedPostgres = (ours: boolean | Error) => {
      let asked = 0;
      const stillOurs = async () => {
        asked += 1;
        if (ours instanceof Error) throw ours;
        return ours;
      };
      return { stillOurs, asked: () => asked };
    };

    test('what was said is in the buffer, and Postgres is left alone', async () => {
      const { stillOurs, asked } = askedPostgres(true);
      const { stream, generationId, refused } = begin(1, makeId(), stillOurs);
      stream.say(started);
      await stream.confirm();
      expect(await redis.xlen(keys.replyStream(generationId))).toBe(2);
      expect([refused(), asked()]).toEqual([0, 0]);
      stream.close();
    });

    test('a sealed buffer has refused', async () => {
      const { stillOurs, asked } = askedPostgres(true);
      const { stream, generationId, refused } = begin(1, makeId(), stillOurs);
      await makeReplyWriter({ redis }).append(generationId, 2, [cancelled]);
      stream.say(started);
      await stream.confirm();
      expect([refused(), asked()]).toEqual([1, 0]);
    });

    test.each([
      ['says that the turn is another’s', false, 1],
      ['says that it is ours', true, 0],
      ['does not answer either', new Error('away'), 0],
    ] as const)('a frozen Redis is not waited for: Postgres is asked, which %s', async (_, ours, refusals) => {
      const { stillOurs, asked } = askedPostgres(ours);
      const { stream, refused } = begin(1, makeId(), stillOurs);
      server.freeze();
      stream.say(started);
      await stream.confirm();
      expect([refused(), asked()]).toEqual([refusals, 1]);
      server.resume();
      stream.close();
      await waitFor(async () => (await redis.ping().catch(() => '')) === 'PONG');
    });
  });
});
