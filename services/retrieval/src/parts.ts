import { type EmbeddingModel, makeEmbeddings } from '@sidestage/models';
import { type Lifecycle, type Logger, type Metrics, makeBreaker } from '@sidestage/runtime';
import {
  type Database,
  type IngestionRepository,
  makeDatabase,
  makeIngestionRepository,
  makePassageRepository,
  type PassageRepository,
} from '@sidestage/store';
import type { RetrievalConfig } from './config.js';
import { makeEmbeddedIndex } from './index/embedded-index.js';
import type { PassageIndex } from './index/passage-index.js';
import { makeWeaviateIndex, type WeaviateIndex } from './index/weaviate-index.js';
import { modelId } from './ingest/embed-windows.js';

/** What the service and the `reindex` command both need. */
export interface Parts {
  database: Database;
  ingestion: IngestionRepository;
  passages: PassageRepository;
  embeddings: EmbeddingModel;
  /** '<name>@<version>' */
  model: string;
  weaviate: WeaviateIndex | undefined;
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
  const database = makeDatabase({
    url: config.databaseUrl,
    max: Math.max(4, Math.floor(config.DB_POOL_MAX / config.FLEET_PROCESSES)),
    idleMs: config.DB_POOL_IDLE_MS,
    waitMs: config.DB_POOL_WAIT_MS,
    logger,
  });
  lifecycle.onClose('postgres', () => database.close());
  lifecycle.onClose('embeddings', () => embeddings.close());
  const model = modelId(embeddings);
  const passages = makePassageRepository(database.engine);
  const weaviate = makeWeaviate(config, passages, model, logger, metrics);
  const maxBytes = config.INDEX_MEMORY_MB * 1024 * 1024;
  const indexes: PassageIndex[] = [...(weaviate ? [weaviate] : []), makeEmbeddedIndex({ passages, model, maxBytes })];
  for (const index of indexes) lifecycle.onClose(`${index.kind} index`, () => index.close());
  const ingestion = makeIngestionRepository(database.engine);
  return { database, ingestion, passages, embeddings, model, weaviate, indexes, logger };
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
  passages: PassageRepository,
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
    wholeVectors: (creator, ids) => passages.wholeVectors(creator, ids, model),
  });
}
