import type { EmbeddingModel } from '@sidestage/models';
import {
  closeServer,
  type HealthOptions,
  Lifecycle,
  type Logger,
  listen,
  type Metrics,
  makeHttpServer,
  makeLogger,
  makeMetrics,
  type PgPool,
  probe,
} from '@sidestage/runtime';
import type { RetrievalConfig } from './config.js';
import { fetchSource } from './fetch/fetch-source.js';
import { makeApp } from './http/app.js';
import { runReadAhead } from './index/read-ahead.js';
import { type Reconciler, runReconciler } from './index/reconcile.js';
import { type IngestQueue, runIngestQueue } from './ingest/ingest-queue.js';
import { type IngestOptions, makeIngestSource } from './ingest/ingest-source.js';
import { runSweeper } from './ingest/sweeper.js';
import type { readSource } from './parse/read-source.js';
import { makeParts, type Parts } from './parts.js';
import { embedMissing, makeRebuildStarter, putSource } from './rebuild.js';
import { makeSearch } from './search/search-passages.js';

const service = 'retrieval';
const version = '0.1.0';

export interface RunningRetrieval {
  lifecycle: Lifecycle;
  logger: Logger;
  port: number;
}

/** What may be given in place of what the configuration says. */
export interface GivenParts {
  embeddings?: EmbeddingModel;
  /** What reads a source; default `readSource`. */
  read?: typeof readSource;
}

/** Starts the service: connections, indexes, ingestion, HTTP. Resolves once it listens. */
export async function runRetrieval(config: RetrievalConfig, given: GivenParts = {}): Promise<RunningRetrieval> {
  const logger = makeLogger({ service, level: config.LOG_LEVEL, debug: config.DEBUG });
  const metrics = makeMetrics(service);
  const lifecycle = new Lifecycle(logger);
  const parts = makeParts(config, logger, metrics, lifecycle, given.embeddings);
  const bulk: Parts = { ...parts, passages: parts.bulkPassages };
  const reconciler = runReconciling(bulk, lifecycle);
  const queue = config.INGEST
    ? runIngestion(config, { ...bulk, reconciler, read: given.read }, metrics, lifecycle)
    : undefined;

  const app = makeApp({
    token: config.RETRIEVAL_TOKEN,
    search: makeSearch({ ...parts, publicWebUrl: config.PUBLIC_WEB_URL, metrics }),
    removeSource: async (source) => {
      try {
        for (const index of parts.indexes) await index.remove(source);
      } catch (error) {
        // Postgres has forgotten it: nobody finds it any more.
        logger.warn({ err: error, source_id: source.source_id }, 'an index is behind');
        reconciler?.nudge();
      }
    },
    startRebuild: makeRebuildStarter(bulk),
    health: makeHealth(parts, metrics, lifecycle, queue),
    logger,
    metrics,
  });
  const server = makeHttpServer(app);
  const port = await listen(server, config.PORT, config.HOST);
  lifecycle.onClose('http', () => closeServer(server, 5_000));
  logger.info({ port, embeddings: parts.model, index: parts.indexes[0]?.kind }, 'listening');
  runReadingAhead(parts, lifecycle);
  return { lifecycle, logger, port };
}

/** With Weaviate the embedded index only steps in: it takes memory when it has to. */
function runReadingAhead({ weaviate, embedded, bulkPassages, logger }: Parts, lifecycle: Lifecycle): void {
  if (weaviate) return;
  const reading = runReadAhead({ passages: bulkPassages, index: embedded, logger });
  lifecycle.onClose('reading ahead', () => reading.close());
}

function runReconciling(parts: Parts, lifecycle: Lifecycle): Reconciler | undefined {
  const { weaviate, passages, logger } = parts;
  if (!weaviate) return undefined;
  const put = (source: Parameters<typeof putSource>[1]) => putSource({ ...parts, indexes: [weaviate] }, source);
  const reconciler = runReconciler({ store: weaviate.store, passages, put, everyMs: 30_000, logger });
  lifecycle.onClose('reconciler', () => reconciler.close());
  return reconciler;
}

function runIngestion(
  config: RetrievalConfig,
  parts: Parts & Pick<GivenParts, 'read'> & { reconciler: Reconciler | undefined },
  metrics: Metrics,
  lifecycle: Lifecycle,
): IngestQueue {
  const { ingestion: repository, embeddings, read, logger } = parts;
  const onReady = async (source: Parameters<typeof putSource>[1]) => {
    try {
      await putSource(parts, source);
    } catch (error) {
      parts.reconciler?.nudge();
      throw error;
    }
  };
  const fetchContent: IngestOptions['fetchContent'] = (address, signal) =>
    fetchSource(address, { allowedHosts: config.FETCH_ALLOWED_HOSTS }, signal);
  const ingest = makeIngestSource({ repository, embeddings, read, fetchContent, logger, onReady });
  const { redisUrl, INGEST_CONCURRENCY: concurrency } = config;
  const queue = runIngestQueue({ redisUrl, concurrency, repository, ingest, logger, metrics });
  lifecycle.onClose('ingest queue', () => queue.close());
  const sweeper = runSweeper({ repository, queue, everyMs: 5_000, olderThanMs: 15_000, logger });
  lifecycle.onClose('sweeper', () => sweeper.close());
  embedMissing(parts).catch((error: unknown) => {
    if (!lifecycle.draining) logger.error({ err: error }, 'some passages are without vectors of this embedding model');
  });
  return queue;
}

function makeHealth(
  parts: Parts,
  metrics: Metrics,
  lifecycle: Lifecycle,
  queue: IngestQueue | undefined,
): HealthOptions {
  const { pools } = parts;
  const askPostgres = () => probe(() => pools.search.query('SELECT 1'));
  const unused = { status: 'unused', latency_ms: null } as const;
  const measure = (pool: PgPool) => ({
    total: pool.totalCount,
    idle: pool.idleCount,
    waiting: pool.waitingCount,
    max: pool.options.max ?? 0,
  });
  return {
    service,
    version,
    metrics,
    essential: ['postgres'],
    ready: async () => {
      if (lifecycle.draining) return 'shutting down';
      const { status, detail } = await askPostgres();
      return status === 'ok' ? true : (detail ?? 'postgres does not answer');
    },
    details: async () => ({
      dependencies: {
        postgres: { ...(await askPostgres()), pool: measure(pools.search) },
        redis: queue ? await probe(() => queue.measure()) : unused,
        weaviate: parts.weaviate ? await probe(parts.weaviate.store.ready) : unused,
      },
    }),
    onScrape: async () => {
      for (const [pool, connections] of Object.entries(pools)) {
        for (const [state, count] of Object.entries(measure(connections))) {
          if (state !== 'max') metrics.poolConnections.set({ pool, state }, count);
        }
      }
      await queue?.measure().catch(() => undefined);
    },
    info: { embeddings: parts.model, index: parts.indexes[0]?.kind },
  };
}
