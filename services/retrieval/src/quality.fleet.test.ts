import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeBuiltinEmbeddings } from '@sidestage/models';
import {
  cacheFolder,
  makeTestDatabase,
  makeTestRedis,
  startWeaviate,
  type TestDatabase,
  type TestRedis,
  type TestWeaviate,
  waitFor,
  weaviateMissing,
} from '@sidestage/testkit';
import { makeHttpSearch, makePlainSearch } from './bench/_searches.js';
import { readConfig } from './config.js';
import { connectWeaviate } from './index/weaviate-connection.js';
import { classNameOf } from './index/weaviate-schema.js';
import { makeWeaviateStore } from './index/weaviate-store.js';
import { modelId } from './ingest/embed-windows.js';
import { readSource } from './parse/read-source.js';
import { type RunningRetrieval, runRetrieval } from './run.js';
import { type CachedEmbeddings, makeCachedEmbeddings } from './testing/cached-embeddings.js';
import { type HitRates, measureHits } from './testing/hit-rates.js';
import { isIngested, type StoredShow, storeShow } from './testing/show-library.js';
import { findShared, readQuestions, readShow, type Show, type ShowQuestion } from './testing/shows.js';

const shared = findShared(process.env);
const noWeaviate = weaviateMissing();
if (shared === null) {
  process.stderr.write(
    'the tests of search quality are skipped: SIDESTAGE_SHARED names no folder with the shared material\n',
  );
}
/** Where no vector is known yet, some 7,400 are computed. */
const ingestWithinMs = 1_200_000;
const token = 'quality-retrieval-token';
// A thread runs compiled code.
const threadFile = new URL('../dist/parse/read-thread.js', import.meta.url);
const read: typeof readSource = (request) => readSource(request, threadFile);

let database: TestDatabase;
let redis: TestRedis;
let weaviate: TestWeaviate | undefined;
let embeddings: CachedEmbeddings;
let show: Show;
let questions: ShowQuestion[];
let stored: StoredShow;
const services: RunningRetrieval[] = [];
const library = new Map<string, StoredShow>();

(shared === null ? describe.skip : describe)('on 34 real episodes and what fans ask of them', () => {
  beforeAll(async () => {
    [database, redis] = await Promise.all([makeTestDatabase(), makeTestRedis()]);
    const model = makeBuiltinEmbeddings({ threads: 2 });
    embeddings = makeCachedEmbeddings(model, join(cacheFolder(), 'vectors', `${modelId(model)}.bin`));
    show = readShow(shared ?? '', 'brainscience');
    questions = readQuestions(shared ?? '').filter(
      (question) => question.show === show.name && question.language === 'en' && question.expected.length > 0,
    );
    await start({});
    stored = await storeShow(database, show);
    library.set(show.name, stored);
    await waitFor(() => isIngested(database, stored), {
      timeoutMs: ingestWithinMs,
      everyMs: 250,
      what: 'all to be ready',
    });
  }, ingestWithinMs);
  afterAll(async () => {
    for (const service of services.toReversed()) await service.lifecycle.close();
    await Promise.all([database?.drop(), redis?.stop(), weaviate?.stop()]);
  });

  async function start(more: Record<string, string>): Promise<RunningRetrieval> {
    const settings = {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      RETRIEVAL_TOKEN: token,
      LOG_LEVEL: 'ERROR',
      ...more,
    };
    // The first service closes the model.
    const model = services.length === 0 ? embeddings : { ...embeddings, close: async () => undefined };
    const service = await runRetrieval({ ...readConfig(settings), PORT: 0 }, { embeddings: model, read });
    services.push(service);
    return service;
  }

  async function rates(index: string, port: number): Promise<HitRates> {
    return measureHits([show], questions, makeHttpSearch(port, token, library, index));
  }

  test('the embedded index finds an expected episode in the first five for 75 %, and is not behind plain vectors', async () => {
    const plain = await measureHits([show], questions, await makePlainSearch(database, embeddings, library));
    const found = await rates('embedded', services[0]?.port ?? 0);
    expect(found.questions).toBeGreaterThan(30);
    expect(found.top5).toBeGreaterThanOrEqual(75);
    expect(found.top5).toBeGreaterThanOrEqual(plain.top5);
    expect(found.top1).toBeGreaterThanOrEqual(plain.top1);
  });

  const onWeaviate = noWeaviate ? test.skip : test;
  onWeaviate(
    'so does Weaviate',
    async () => {
      weaviate = await startWeaviate();
      const service = await start({ WEAVIATE_URL: weaviate.url, INGEST: 'false' });
      const store = makeWeaviateStore(connectWeaviate(weaviate.url), classNameOf(modelId(embeddings)));
      const isFilled = async () => (await store.sets(stored.tenant_id)).length === stored.files.size;
      await waitFor(isFilled, { timeoutMs: 300_000, everyMs: 500, what: 'weaviate to hold every source' });
      expect((await rates('weaviate', service.port)).top5).toBeGreaterThanOrEqual(75);
    },
    400_000,
  );
});
