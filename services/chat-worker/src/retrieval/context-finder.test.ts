import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeRedis, makeId, makeLogger, makeMetrics, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { keys } from '@sidestage/turns';
import { passages } from '../test-support/fake-retrieval.js';
import { makeContextCache } from './context-cache.js';
import { makeContextFinder } from './context-finder.js';
import { type ContextQuestion, contextKey } from './context-key.js';
import type { Found, RetrievalClient, RetrievalQuery } from './retrieval-client.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const trace = { requestId: null, traceparent: null };
const never = () => new AbortController().signal;
const whole: Found = { passages, sources: 48, watching: null, partial: false };

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** A retrieval that answers when told to, and counts. */
function makeCounting(answer: () => Promise<Found | null> = async () => whole) {
  const asked: { query: RetrievalQuery; signal: AbortSignal }[] = [];
  const retrieval: RetrievalClient = {
    isThere: async () => true,
    search: (query, _trace, signal) => {
      asked.push({ query, signal });
      return Promise.race([
        answer(),
        new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
    },
  };
  return { retrieval, asked };
}

describe('the passages for a question', () => {
  let server: TestRedis;
  let redis: Redis;

  beforeAll(async () => {
    server = await makeTestRedis();
    redis = makeRedis(server.url, 'request', logger);
    await waitFor(() => redis.status === 'ready');
  });
  afterAll(async () => {
    await closeRedis(redis);
    await server.stop();
  });
  beforeEach(async () => {
    await redis.flushall();
  });

  function make({ answer, ...how }: { answer?: () => Promise<Found | null>; ttlMs?: number; most?: number } = {}) {
    const { retrieval, asked } = makeCounting(answer);
    const metrics = makeMetrics('test');
    const find = makeContextFinder({
      retrieval,
      cache: makeContextCache({ redis, ttlMs: 60_000, logger, ...how }),
      metrics,
    });
    const counted = async (result: string) =>
      (await metrics.cacheRequests.get()).values.find(({ labels }) => labels.result === result)?.value ?? 0;
    return { find, asked, counted };
  }
  const question = (fields: Partial<ContextQuestion> = {}): ContextQuestion => ({
    tenant_id: 'tenant',
    creator_id: 'creator',
    knowledge_version: 1,
    query: 'How does sleep help?',
    limit: 6,
    ...fields,
  });
  const kept = (fields?: Partial<ContextQuestion>) =>
    waitFor(async () => (await redis.exists(contextKey(question(fields)))) === 1, { what: 'the context to be kept' });

  test('are searched for once, whoever asks and however it is written', async () => {
    const { find, asked, counted } = make();
    const first = await find(question(), trace, never());
    await kept();
    const again = await make().find(question({ query: '  how does SLEEP\thelp ' }), trace, never());
    expect(again).toMatchObject({ passages: first?.passages, sources: 48 });
    expect(await find(question(), trace, never())).toMatchObject({ passages, sources: 48 });
    expect(asked).toHaveLength(1);
    expect([await counted('miss'), await counted('hit')]).toEqual([1, 1]);
  });

  test.each([
    ['another tenant', { tenant_id: 'other' }],
    ['another creator', { creator_id: 'other' }],
    ['a later state of knowledge', { knowledge_version: 2 }],
    ['another question', { query: 'How do naps help?' }],
    ['another number of passages', { limit: 3 }],
    ['another video', { video_url: 'https://youtu.be/abcdefg' }],
  ])('are never those of %s', async (_, fields) => {
    const { find, asked } = make();
    await find(question(), trace, never());
    await kept();
    await find(question(fields), trace, never());
    expect(asked).toHaveLength(2);
  });

  test('are kept without the words of the fan', async () => {
    await make().find(question({ query: 'My name is Eve, how do I sleep?' }), trace, never());
    await kept({ query: 'My name is Eve, how do I sleep?' });
    for (const key of await redis.keys('*')) expect(key).not.toMatch(/eve|sleep/i);
  });

  test('end with their time to live', async () => {
    await make({ ttlMs: 60_000 }).find(question(), trace, never());
    await kept();
    const left = await redis.pttl(contextKey(question()));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
    expect(await redis.pttl(keys.contexts())).toBeGreaterThan(0);
  });

  test('that are too large, searched by words only or not to be had are not kept', async () => {
    const large = {
      passages: passages.map((each) => ({ ...each, text: 'x'.repeat(70_000) })),
      sources: 1,
      watching: null,
    };
    for (const answer of [large, { ...whole, partial: true }, null]) {
      const { find, asked } = make({ answer: async () => answer });
      await find(question(), trace, never());
      await find(question(), trace, never());
      expect(asked).toHaveLength(2);
    }
    expect(await redis.keys('*')).toEqual([]);
  });

  test('are so many at most: the oldest go', async () => {
    const { find } = make({ most: 3 });
    const versions = [1, 2, 3, 4, 5];
    for (const knowledge_version of versions) {
      await find(question({ knowledge_version }), trace, never());
      await waitFor(
        async () => (await redis.zscore(keys.contexts(), contextKey(question({ knowledge_version })))) !== null,
      );
    }
    await waitFor(async () => (await redis.zcard(keys.contexts())) === 3);
    await waitFor(async () => (await redis.keys('*')).length === 4, { what: 'three contexts and their list' });
    expect(await redis.exists(contextKey(question({ knowledge_version: 5 })))).toBe(1);
  });

  test('are searched for when what is kept cannot be read', async () => {
    const { find, asked, counted } = make();
    for (const garbage of ['no json', '{"passages":[{"text":1}],"sources":"many"}', '{}']) {
      await redis.set(contextKey(question()), garbage);
      expect(await find(question(), trace, never())).toEqual(whole);
      await waitFor(async () => (await redis.get(contextKey(question()))) !== garbage);
    }
    expect(asked).toHaveLength(3);
    expect(await counted('hit')).toBe(0);
  });

  test('come from a search while Redis is frozen or gone, and nobody hears of it', async () => {
    const { find, asked } = make();
    await find(question(), trace, never());
    await kept();
    server.freeze();
    expect(await find(question(), trace, never())).toEqual(whole);
    server.resume();
    await server.kill();
    await waitFor(() => redis.status !== 'ready');
    expect(await find(question(), trace, never())).toEqual(whole);
    expect(asked).toHaveLength(3);
    await server.restart();
    await waitFor(() => redis.status === 'ready');
  });

  test('asked for by many at once take one search', async () => {
    const { promise, resolve } = deferred<Found>();
    const { find, asked, counted } = make({ answer: () => promise });
    const all = Array.from({ length: 20 }, () => find(question(), trace, never()));
    await waitFor(() => asked.length === 1);
    resolve(whole);
    expect(await Promise.all(all)).toEqual(all.map(() => whole));
    expect(asked).toHaveLength(1);
    expect([await counted('miss'), await counted('hit')]).toEqual([1, 19]);
  });

  test('are still found for the others when the first to ask leaves; when all have left the search ends', async () => {
    const { promise, resolve } = deferred<Found>();
    const { find, asked } = make({ answer: () => promise });
    const [first, second] = [new AbortController(), new AbortController()];
    const left = find(question(), trace, first.signal);
    const stays = find(question(), trace, second.signal);
    await waitFor(() => asked.length === 1);
    first.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect(asked[0]?.signal.aborted).toBe(false);
    resolve(whole);
    expect(await stays).toEqual(whole);

    const other = question({ query: `another ${makeId()}` });
    const alone = new AbortController();
    const hanging = make({ answer: () => new Promise(() => {}) });
    const abandoned = hanging.find(other, trace, alone.signal);
    await waitFor(() => hanging.asked.length === 1);
    alone.abort(new Error('gone too'));
    await expect(abandoned).rejects.toThrow('gone too');
    expect(hanging.asked[0]?.signal.aborted).toBe(true);
  });
});
