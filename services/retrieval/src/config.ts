import {
  commonEnv,
  databaseUrl,
  flag,
  integer,
  list,
  parseEnv,
  port,
  postgresEnv,
  redisEnv,
  redisUrl,
  refuseShippedSecrets,
  url,
} from '@sidestage/runtime';
import { z } from 'zod';

const schema = {
  ...commonEnv,
  ...postgresEnv,
  ...redisEnv,
  PORT: port.default(8010),
  /** Shared with gateway and workers: whoever has it may search and delete for every tenant. */
  RETRIEVAL_TOKEN: z
    .string('set the token that gateway and workers send (npm start makes one)')
    .min(16, 'must have at least 16 characters'),
  PUBLIC_WEB_URL: url.default('http://localhost:3000'),
  EMBEDDINGS: z.enum(['builtin', 'gemini', 'openai'], 'must be builtin, gemini or openai').default('builtin'),
  /** Threads of the built-in embedding model. */
  EMBEDDING_THREADS: integer(1, 64).default(2),
  GOOGLE_API_KEY: z.string().optional(),
  GOOGLE_BASE_URL: url.optional(),
  GEMINI_EMBEDDING_MODEL: z.string().optional(),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: url.optional(),
  OPENAI_EMBEDDING_MODEL: z.string().optional(),
  WEAVIATE_URL: url.optional(),
  /** Memory of the embedded index, in MiB. */
  INDEX_MEMORY_MB: integer(16, 65_536).default(512),
  /** Sources ingested at once. */
  INGEST_CONCURRENCY: integer(1, 64).default(2),
  /** False: this process only searches. */
  INGEST: flag.default(true),
  /** `host:port` pairs sources may be fetched from though they are not public: an operator's own sites. */
  FETCH_ALLOWED_HOSTS: list.default([]),
  BREAKER_ERROR_PERCENT: integer(1, 100).default(50),
  BREAKER_RESET_MS: integer(100, 3_600_000).default(60_000),
};

/** The settings of the retrieval service. Throws ConfigError. */
export function readConfig(env: Record<string, string | undefined>) {
  const settings = parseEnv(schema, env);
  const addresses = { databaseUrl: databaseUrl(settings), redisUrl: redisUrl(settings) };
  const { RETRIEVAL_TOKEN } = settings;
  refuseShippedSecrets(settings.ENVIRONMENT, { keys: { RETRIEVAL_TOKEN }, ...addresses });
  return Object.freeze({ ...settings, ...addresses });
}
export type RetrievalConfig = ReturnType<typeof readConfig>;
