import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBuiltinEmbeddings } from '@sidestage/models';
import { Lifecycle, makeLogger } from '@sidestage/runtime';
import { migrate } from '@sidestage/store';
import {
  cacheFolder,
  makeTestDatabase,
  makeTestRedis,
  startTestParts,
  startWeaviate,
  type TestDatabase,
  waitFor,
  weaviateMissing,
} from '@sidestage/testkit';
import { readConfig } from '../config.js';
import { connectWeaviate } from '../index/weaviate-connection.js';
import { classNameOf } from '../index/weaviate-schema.js';
import { makeWeaviateStore } from '../index/weaviate-store.js';
import { modelId } from '../ingest/embed-windows.js';
import { runRetrieval } from '../run.js';
import { type CachedEmbeddings, makeCachedEmbeddings } from '../testing/cached-embeddings.js';
import { measureHits } from '../testing/hit-rates.js';
import { isIngested, type StoredShow, storeShow } from '../testing/show-library.js';
import {
  findShared,
  readOwnQuestions,
  readQuestions,
  readShow,
  type Show,
  type ShowQuestion,
} from '../testing/shows.js';
import { measureNearness } from './_nearness.js';
import { print, printHits, printNearness, quantile, type Report, writeReport } from './_report.js';
import { makeHttpSearch, makePlainSearch, type Search } from './_searches.js';

/*
 * `npm run bench -- retrieval [--cold]`: hit rates of the shared shows by plain vectors, the embedded index and Weaviate, and times. Vectors
 * are kept between runs; --cold computes them anew, and then the ingestion times are ingestion's own.
 */

const token = 'bench-retrieval-token';
const showNames = ['brainscience', 'practicalai', 'shipit'];
const readyWithinMs = 1_800_000;
/** Of our own questions that have an answer. */
const kinds = ['paraphrase', 'name', 'vague', 'typo', 'long'];

interface Bench {
  database: TestDatabase;
  settings: Record<string, string>;
  embeddings: CachedEmbeddings;
  shows: Show[];
  questions: ShowQuestion[];
  /** Of a kind each. */
  own: ShowQuestion[];
  library: Map<string, StoredShow>;
  report: Report;
}

async function runBench(shared: string, cold: boolean, lifecycle: Lifecycle): Promise<Report> {
  const parts = await startTestParts({ migrate });
  lifecycle.onClose('postgres', parts.stop);
  const database = await makeTestDatabase();
  lifecycle.onClose('database', database.drop);
  const redis = await makeTestRedis();
  lifecycle.onClose('redis', redis.stop);
  const bench: Bench = {
    database,
    settings: { LOG_LEVEL: 'ERROR', RETRIEVAL_TOKEN: token, DATABASE_URL: database.url, REDIS_URL: redis.url },
    embeddings: openEmbeddings(cold),
    shows: showNames.map((name) => readShow(shared, name)),
    questions: readQuestions(shared),
    own: readOwnQuestions(),
    library: new Map(),
    report: { at: new Date().toISOString(), ingestion: [], hits: [], nearness: [], misses: [], queries: [] },
  };
  const service = await runRetrieval({ ...readConfig(bench.settings), PORT: 0 }, { embeddings: bench.embeddings });
  lifecycle.onClose('service', () => service.lifecycle.close());
  for (const show of bench.shows) await ingestShow(bench, show);
  await measure(bench, 'plain vectors', await makePlainSearch(database, bench.embeddings, bench.library));
  const embedded = makeHttpSearch(service.port, token, bench.library, 'embedded');
  await measure(bench, 'embedded', embedded);
  Object.assign(bench.report, await measureNearness(bench.questions, embedded));
  await measureWeaviate(bench, lifecycle);
  return bench.report;
}

function openEmbeddings(cold: boolean): CachedEmbeddings {
  const model = makeBuiltinEmbeddings({ threads: 2 });
  const folder = cold ? mkdtempSync(join(tmpdir(), 'sidestage-bench-')) : join(cacheFolder(), 'vectors');
  return makeCachedEmbeddings(model, join(folder, `${modelId(model)}.bin`));
}

async function ingestShow(bench: Bench, show: Show): Promise<void> {
  const { computed, known } = bench.embeddings.counts;
  const startedAt = performance.now();
  const stored = await storeShow(bench.database, show);
  bench.library.set(show.name, stored);
  const isReady = () => isIngested(bench.database, stored);
  await waitFor(isReady, { timeoutMs: readyWithinMs, everyMs: 250, what: `${show.name} to be ready` });
  const line = {
    show: show.name,
    episodes: show.episodes.length,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    computed: bench.embeddings.counts.computed - computed,
    known: bench.embeddings.counts.known - known,
  };
  bench.report.ingestion.push(line);
  print(
    `${line.show}: ${line.episodes} episodes ready in ${line.seconds} s (${line.computed} vectors computed, ${line.known} known)`,
  );
}

async function measure({ shows, questions, own, report }: Bench, index: string, search: Search): Promise<void> {
  const times: number[] = [];
  const timed: Search = async (question) => {
    const startedAt = performance.now();
    const found = await search(question);
    times.push(performance.now() - startedAt);
    return found;
  };
  // The first question to a show has its vectors read from Postgres.
  for (const { name } of shows) {
    const first = questions.find(({ show }) => show === name);
    if (first) await search(first);
  }
  const answerable = questions.filter(({ expected }) => expected.length > 0);
  const english = answerable.filter(({ language }) => language === 'en');
  const groups: [string, ShowQuestion[]][] = [
    ...shows.map(({ name }): [string, ShowQuestion[]] => [name, english.filter(({ show }) => show === name)]),
    ['all shows', english],
    ['all shows, other languages', answerable.filter(({ language }) => language !== 'en')],
    ...kinds.map((kind): [string, ShowQuestion[]] => [`our own: ${kind}`, own.filter((each) => each.kind === kind)]),
    ['our own, all', own.filter(({ expected }) => expected.length > 0)],
  ];
  for (const [questionsOf, group] of groups) {
    report.hits.push({ index, questionsOf, ...(await measureHits(shows, group, timed)) });
  }
  report.queries.push({ index, count: times.length, p50Ms: quantile(times, 0.5), p95Ms: quantile(times, 0.95) });
}

async function measureWeaviate(bench: Bench, lifecycle: Lifecycle): Promise<void> {
  const missing = weaviateMissing();
  if (missing) {
    print(`weaviate: skipped, ${missing}`);
    return;
  }
  const server = await startWeaviate();
  lifecycle.onClose('weaviate', server.stop);
  const startedAt = performance.now();
  const config = readConfig({ ...bench.settings, INGEST: 'false', WEAVIATE_URL: server.url });
  // The other service closes the model.
  const embeddings = { ...bench.embeddings, close: async () => undefined };
  const service = await runRetrieval({ ...config, PORT: 0 }, { embeddings });
  lifecycle.onClose('service over weaviate', () => service.lifecycle.close());
  const store = makeWeaviateStore(connectWeaviate(server.url), classNameOf(modelId(bench.embeddings)));
  for (const { tenant_id, files } of bench.library.values()) {
    const isFilled = async () => (await store.sets(tenant_id)).length === files.size;
    await waitFor(isFilled, { timeoutMs: readyWithinMs, everyMs: 500, what: 'weaviate to hold every source' });
  }
  print(`weaviate: filled from postgres in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  await measure(bench, 'weaviate', makeHttpSearch(service.port, token, bench.library, 'weaviate'));
}

const shared = findShared(process.env);
if (shared === null) {
  print('skipped: the shared material is not here; SIDESTAGE_SHARED names its folder');
} else {
  const lifecycle = new Lifecycle(makeLogger({ service: 'bench', level: 'ERROR' }));
  const report = await runBench(shared, process.argv.includes('--cold'), lifecycle).finally(() => lifecycle.close());
  printHits(report.hits);
  printNearness(report.nearness, report.misses);
  print('');
  for (const { index, p50Ms, p95Ms } of report.queries) print(`${index}: a query p50 ${p50Ms} ms, p95 ${p95Ms} ms`);
  print(`written to ${writeReport(report)}`);
}
