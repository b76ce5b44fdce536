import { type EmbeddingModel, makeEmbeddings } from '@sidestage/models';
import { type Lifecycle, type Logger, type Metrics, makeBreaker, makePool, type PgPool } from '@sidestage/runtime';
import {
  type IngestionRepository,
  makeIngestionRepository,
  makePassageRepository,
  type PassageRepository,
} from '@sidestage/store';
import type { RetrievalConfig } from './config.js';
import { type EmbeddedIndex, makeEmbeddedIndex } from './index/embedded-index.js';
import type { PassageIndex } from './index/passage-index.js';
import { makeWeaviateIndex, type WeaviateIndex } from './index/weaviate-index.js';
import { modelId } from './ingest/embed-windows.js';

/** What the service and the `reindex` command both need. */
export interface Parts {
  pools: Pools;
  ingestion: IngestionRepository;
  /** For searches. */
  passages: PassageRepository;
  /** For what nobody waits for: ingestion, rebuilds, reconciling. */
  bulkPassages: PassageRepository;
  embeddings: EmbeddingModel;
  /** '<name>@<version>' */
  model: string;
  weaviate: WeaviateIndex | undefined;
  embedded: EmbeddedIndex;
  /** In the order in which they are asked. */
  indexes: PassageIndex[];
  logger: Logger;
}

/** Makes the connections, the indexes and (where none is given) the configured embedding model; `lifecycle` closes them. */
export function makeParts(
  config: RetrievalConfig,
  logger: Logger,
  metrics: Metrics,
  lifecycle: Lifecycle,
  embeddings: EmbeddingModel = makeConfiguredEmbeddings(config),
): Parts {
  const pools = makePools(config, logger);
  lifecycle.onClose('postgres', () => Promise.all([pools.search.end(), pools.bulk.end()]));
  lifecycle.onClose('embeddings', () => embeddings.close());
  const model = modelId(embeddings);
  const passages = makePassageRepository(pools.search);
  const bulkPassages = makePassageRepository(pools.bulk);
  const weaviate = makeWeaviate(config, { passages, bulkPassages }, model, logger, metrics);
  const embedded = makeEmbeddedIndex({
    passages,
    model,
    maxBytes: config.INDEX_MEMORY_MB * 1024 * 1024,
    readsAtOnce: Math.min(mostReads, Math.ceil((pools.search.options.max ?? 2) / 2)),
  });
  const indexes: PassageIndex[] = [...(weaviate ? [weaviate] : []), embedded];
  for (const index of indexes) lifecycle.onClose(`${index.kind} index`, () => index.close());
  const ingestion = makeIngestionRepository(pools.bulk);
  return { pools, ingestion, passages, bulkPassages, embeddings, model, weaviate, embedded, indexes, logger };
}

/** Searches have connections that ingestion, rebuilds and reconciling cannot take, opened before they are needed. */
export interface Pools {
  search: PgPool;
  bulk: PgPool;
}

/** Connections beside those of sources being ingested: progress, sweeper, a rebuild, the reconciler. */
const bulkExtra = 2;
/**
 * Few connections, all opened at the start and kept: statements of searches take a millisecond each and wait for one another less than
 * for a new connection, which on a loaded machine takes seconds (it failed searches there).
 */
const searchMost = 8;
/** Sources read into memory at once; the other connections are for the searches of those who are there. */
const mostReads = 3;
/** Nobody waits for a bulk statement; deleting a source of ten megabytes has some 60,000 rows. */
const bulkMs = { wait: 30_000, statement: 30_000 } as const;

function makePools(config: RetrievalConfig, logger: Logger): Pools {
  const total = Math.max(4, Math.floor(config.DB_POOL_MAX / config.FLEET_PROCESSES));
  const bulkMax = Math.min(config.INGEST_CONCURRENCY + bulkExtra, Math.floor(total / 2));
  const shared = { url: config.databaseUrl, role: 'sidestage_engine', idleMs: config.DB_POOL_IDLE_MS, logger } as const;
  const searchMax = Math.min(searchMost, total - bulkMax);
  return {
    search: makePool({ ...shared, max: searchMax, min: searchMax, waitMs: config.DB_POOL_WAIT_MS }),
    bulk: makePool({ ...shared, max: bulkMax, waitMs: bulkMs.wait, statementMs: bulkMs.statement }),
  };
}

function makeConfiguredEmbeddings(config: RetrievalConfig): EmbeddingModel {
  return makeEmbeddings({
    provider: config.EMBEDDINGS,
    threads: config.EMBEDDING_THREADS,
    gemini: { apiKey: config.GOOGLE_API_KEY, baseUrl: config.GOOGLE_BASE_URL, model: config.GEMINI_EMBEDDING_MODEL },
    openai: { apiKey: config.OPENAI_API_KEY, baseUrl: config.OPENAI_BASE_URL, model: config.OPENAI_EMBEDDING_MODEL },
  });
}

/** The index in Weaviate, when its address is set. The embedded index answers while it cannot. */
function makeWeaviate(
  config: RetrievalConfig,
  { passages, bulkPassages }: Pick<Parts, 'passages' | 'bulkPassages'>,
  model: string,
  logger: Logger,
  metrics: Metrics,
): WeaviateIndex | undefined {
  if (config.WEAVIATE_URL === undefined) return undefined;
  const breaker = makeBreaker({
    name: 'weaviate',
    errorPercent: config.BREAKER_ERROR_PERCENT,
    resetMs: config.BREAKER_RESET_MS,
    logger,
    metrics,
  });
  return makeWeaviateIndex({
    url: config.WEAVIATE_URL,
    model,
    breaker,
    wordStats: bulkPassages.wordStats,
    passageSets: passages.passageSets,
  });
}
