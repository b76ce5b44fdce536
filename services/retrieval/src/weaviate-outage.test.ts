import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { retrievalSearchAnswer } from '@sidestage/contracts';
import { Lifecycle, makeLogger, makeMetrics } from '@sidestage/runtime';
import type { SourceVersion } from '@sidestage/store';
import {
  makeTestDatabase,
  makeTestRedis,
  startWeaviate,
  type TestDatabase,
  type TestRedis,
  type TestWeaviate,
  waitFor,
  weaviateMissing,
} from '@sidestage/testkit';
import { type RetrievalConfig, readConfig } from './config.js';
import { makeParts } from './parts.js';
import { rebuild } from './rebuild.js';
import { type RunningRetrieval, runRetrieval } from './run.js';
import { addCreator, addSource, stateOf, type TestCreator } from './testing/sources.js';
import { makeToyEmbeddings } from './testing/toy-embeddings.js';

const token = 'a-token-for-tests';
/** Where a search with a slow Weaviate must have ended: its 800 ms, and room for a loaded machine. */
const searchWithinMs = 5_000;
const about = (subject: string) =>
  Array.from({ length: 12 }, (_, at) => `Remark ${at} concerns ${subject} and nothing besides ${subject}.`).join(' ');

let database: TestDatabase;
let redis: TestRedis;
let weaviate: TestWeaviate;
let config: RetrievalConfig;
let service: RunningRetrieval;
let creator: TestCreator;
let bread: SourceVersion;

(weaviateMissing() ? describe.skip : describe)('a running service whose Weaviate', () => {
  beforeAll(async () => {
    [database, redis, weaviate] = await Promise.all([makeTestDatabase(), makeTestRedis(), startWeaviate()]);
    config = readConfig({
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      RETRIEVAL_TOKEN: token,
      LOG_LEVEL: 'FATAL',
      WEAVIATE_URL: weaviate.url,
      BREAKER_RESET_MS: '500',
    });
    service = await runRetrieval({ ...config, PORT: 0 }, { embeddings: makeToyEmbeddings() });
    creator = await addCreator(database);
    bread = await addReady('sourdough bread');
    await untilWeaviateAnswers();
  }, 120_000);
  afterAll(async () => {
    await service?.lifecycle.close();
    await Promise.all([database?.drop(), redis?.stop(), weaviate?.stop()]);
  }, 60_000);

  async function addReady(subject: string): Promise<SourceVersion> {
    const source = await addSource(database, creator, about(subject));
    await database.query(`UPDATE sources SET updated_at = now() - interval '1 hour' WHERE id = $1`, [source.source_id]);
    await waitFor(async () => (await stateOf(database, source))?.status === 'ready', { timeoutMs: 60_000 });
    return source;
  }
  async function ask(query: string) {
    const response = await fetch(`http://127.0.0.1:${service.port}/internal/search`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...creator, query, limit: 5 }),
      signal: AbortSignal.timeout(searchWithinMs),
    });
    expect(response.status).toBe(200);
    return retrievalSearchAnswer.parse(await response.json());
  }
  const indexOf = async () => (await ask('sourdough bread')).index;
  const untilWeaviateAnswers = () =>
    waitFor(async () => (await indexOf()) === 'weaviate', { timeoutMs: 60_000, everyMs: 100, what: 'its answers' });
  const read = async (path: string) => (await fetch(`http://127.0.0.1:${service.port}${path}`)).text();
  const breakerState = async () =>
    /^ai_chat_breaker_state\{dependency="weaviate"[^}]*\} (\d)/m.exec(await read('/metrics'))?.[1];

  test('is frozen answers in time from the embedded index, spares it by its breaker, and asks it again when it is back', async () => {
    weaviate.freeze();
    try {
      await waitFor(
        async () => {
          expect(await indexOf()).toBe('embedded');
          return (await breakerState()) === '2';
        },
        { timeoutMs: 60_000, everyMs: 1, what: 'the breaker to open' },
      );
      expect(JSON.parse(await read('/health'))).toMatchObject({ status: 'degraded' });
    } finally {
      weaviate.resume();
    }
    await untilWeaviateAnswers();
    expect(await breakerState()).toBe('0');
  }, 120_000);

  test('is killed ingests and finds all the same, and Weaviate has what it missed before it answers again', async () => {
    await weaviate.kill();
    expect(await indexOf()).toBe('embedded');
    const guitars = await addReady('electric guitars');
    const during = await ask('electric guitars');
    expect(during).toMatchObject({ index: 'embedded', sources_searched: 2 });
    expect(during.passages[0]?.source_id).toBe(guitars.source_id);
    await weaviate.restart();
    // Whichever index answers: what is ready is found.
    await waitFor(
      async () => {
        const answer = await ask('electric guitars');
        expect(answer.passages[0]?.source_id).toBe(guitars.source_id);
        return answer.index === 'weaviate';
      },
      { timeoutMs: 60_000, everyMs: 100, what: 'weaviate to answer with the new source' },
    );
  }, 180_000);

  test('lost all its data is filled again by the reindex command, and nobody misses a source meanwhile', async () => {
    await weaviate.kill();
    await weaviate.restart({ wipe: true });
    expect((await ask('sourdough bread')).passages[0]?.source_id).toBe(bread.source_id);
    const lifecycle = new Lifecycle(makeLogger({ service: 'test', level: 'FATAL' }));
    try {
      const logger = makeLogger({ service: 'test', level: 'FATAL' });
      const parts = makeParts(config, logger, makeMetrics('test'), lifecycle, makeToyEmbeddings());
      const report = await rebuild({ ...parts, passages: parts.bulkPassages });
      expect(report).toEqual({ embedded: 0, indexed: 2 });
      expect(await parts.weaviate?.store.sets(creator.tenant_id)).toHaveLength(2);
    } finally {
      await lifecycle.close();
    }
    await waitFor(
      async () => {
        const answer = await ask('sourdough bread');
        expect(answer.passages[0]?.source_id).toBe(bread.source_id);
        return answer.index === 'weaviate';
      },
      { timeoutMs: 60_000, everyMs: 100, what: 'weaviate to answer again' },
    );
  }, 180_000);
});
