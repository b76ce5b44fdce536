import { makeEmbeddings } from '@sidestage/models';
import {
  closeServer,
  Lifecycle,
  type Logger,
  listen,
  makeHttpServer,
  makeLogger,
  makeMetrics,
  probe,
} from '@sidestage/runtime';
import { makeDatabase, makeIngestionRepository, makePassageRepository } from '@sidestage/store';
import type { RetrievalConfig } from './config.js';
import { makeApp } from './http/app.js';
import { makeEmbeddedIndex } from './index/embedded-index.js';
import type { PassageIndex } from './index/passage-index.js';
import { modelId } from './ingest/embed-windows.js';
import { type IngestQueue, runIngestQueue } from './ingest/ingest-queue.js';
import { makeIngestSource } from './ingest/ingest-source.js';
import { runSweeper } from './ingest/sweeper.js';
import { embedMissing, putSource, rebuild } from './rebuild.js';
import { makeSearch } from './search/search-passages.js';

const service = 'retrieval';
const version = '0.1.0';

export interface RunningRetrieval {
  lifecycle: Lifecycle;
  logger: Logger;
  port: number;
}

/** Starts the service: connections, indexes, ingestion, HTTP. Resolves once it listens. */
export async function runRetrieval(config: RetrievalConfig): Promise<RunningRetrieval> {
  const logger = makeLogger({ service, level: config.LOG_LEVEL, debug: config.DEBUG });
  const metrics = makeMetrics(service);
  const lifecycle = new Lifecycle(logger);
  const database = makeDatabase({
    url: config.databaseUrl,
    max: Math.max(4, Math.floor(config.DB_POOL_MAX / config.FLEET_PROCESSES)),
    idleMs: config.DB_POOL_IDLE_MS,
    waitMs: config.DB_POOL_WAIT_MS,
    logger,
  });
  lifecycle.onClose('postgres', () => database.close());
  const embeddings = makeEmbeddings({
    provider: config.EMBEDDINGS,
    threads: config.EMBEDDING_THREADS,
    gemini: { apiKey: config.GOOGLE_API_KEY, baseUrl: config.GOOGLE_BASE_URL, model: config.GEMINI_EMBEDDING_MODEL },
    openai: { apiKey: config.OPENAI_API_KEY, baseUrl: config.OPENAI_BASE_URL, model: config.OPENAI_EMBEDDING_MODEL },
  });
  lifecycle.onClose('embeddings', () => embeddings.close());
  const ingestion = makeIngestionRepository(database.engine);
  const passages = makePassageRepository(database.engine);
  const indexes: PassageIndex[] = [
    makeEmbeddedIndex({ passages, model: modelId(embeddings), maxBytes: config.INDEX_MEMORY_MB * 1024 * 1024 }),
  ];
  for (const index of indexes) lifecycle.onClose(`${index.kind} index`, () => index.close());
  const parts = { ingestion, passages, embeddings, indexes, logger };

  let queue: IngestQueue | undefined;
  if (config.INGEST) {
    const ingest = makeIngestSource({
      repository: ingestion,
      embeddings,
      logger,
      onReady: (source) => putSource(parts, source),
    });
    queue = runIngestQueue({
      redisUrl: config.redisUrl,
      concurrency: config.INGEST_CONCURRENCY,
      repository: ingestion,
      ingest,
      logger,
      metrics,
    });
    lifecycle.onClose('ingest queue', () => queue?.close());
    const sweeper = runSweeper({ repository: ingestion, queue, everyMs: 5_000, olderThanMs: 15_000, logger });
    lifecycle.onClose('sweeper', () => sweeper.close());
    embedMissing(parts).catch((error: unknown) =>
      logger.error({ err: error }, 'passages are without vectors of this model'),
    );
  }

  let rebuilding = false;
  const app = makeApp({
    token: config.RETRIEVAL_TOKEN,
    search: makeSearch({ passages, embeddings, indexes, publicWebUrl: config.PUBLIC_WEB_URL, logger, metrics }),
    removeSource: async (source) => {
      for (const index of indexes) await index.remove(source);
    },
    startRebuild: () => {
      if (rebuilding) return false;
      rebuilding = true;
      rebuild(parts)
        .catch((error: unknown) => logger.error({ err: error }, 'the rebuild failed'))
        .finally(() => {
          rebuilding = false;
        });
      return true;
    },
    health: {
      service,
      version,
      metrics,
      essential: ['postgres'],
      ready: async () => {
        if (lifecycle.draining) return 'shutting down';
        const postgres = await probe(() => database.engine.query('SELECT 1'));
        return postgres.status === 'ok' ? true : (postgres.detail ?? 'postgres does not answer');
      },
      details: async () => ({
        dependencies: {
          postgres: {
            ...(await probe(() => database.engine.query('SELECT 1'))),
            pool: {
              total: database.engine.totalCount,
              idle: database.engine.idleCount,
              waiting: database.engine.waitingCount,
              max: database.engine.options.max ?? 0,
            },
          },
          redis: queue ? await probe(() => queue.measure()) : { status: 'unused', latency_ms: null },
          model: { status: 'ok', latency_ms: null, detail: modelId(embeddings) },
        },
      }),
      onScrape: () => queue?.measure().catch(() => undefined),
      info: { embeddings: modelId(embeddings), index: indexes[0]?.kind },
    },
    logger,
    metrics,
  });
  const server = makeHttpServer(app);
  const port = await listen(server, config.PORT, config.HOST);
  lifecycle.onClose('http', () => closeServer(server, 5_000));
  logger.info({ port, embeddings: modelId(embeddings), index: indexes[0]?.kind }, 'listening');
  return { lifecycle, logger, port };
}
