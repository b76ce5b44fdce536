import { type ChatModel, type ModelProvider, makeModelLadder } from '@sidestage/models';
import {
  ConfigError,
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

const providers = ['gemini', 'openai', 'builtin'] as const;

const ladder = list.pipe(z.array(z.enum(providers, `must be a list of ${providers.join(', ')}`)).min(1));

/** `60` for every provider with a key, or `gemini=60,openai=500`. */
const requestsPerMinute = list.transform((parts, context): Partial<Record<ModelProvider, number>> => {
  const limits: Partial<Record<ModelProvider, number>> = {};
  for (const part of parts) {
    const [, name, count] = /^(?:(gemini|openai|builtin)\s*[=:]\s*)?(\d{1,7})$/.exec(part) ?? [];
    if (count === undefined || Number(count) === 0) {
      context.addIssue({ code: 'custom', message: 'must be a number, or a list such as gemini=60,openai=500' });
      return z.NEVER;
    }
    for (const provider of name === undefined ? (['gemini', 'openai'] as const) : [name as ModelProvider])
      limits[provider] = Number(count);
  }
  return limits;
});

const shape = {
  ...commonEnv,
  ...postgresEnv,
  ...redisEnv,
  PORT: port.default(8001),
  WORKER_CONCURRENCY: integer(1, 1_000).default(50),
  DRAIN_MS: integer(0, 600_000).default(10_000),
  RETRIEVAL_URL: url.default('http://127.0.0.1:8010'),
  RETRIEVAL_TOKEN: z.string().min(1, 'must be the token the retrieval service knows'),
  RETRIEVAL_TIMEOUT_MS: integer(50, 30_000).default(2_500),
  CACHE_ENABLED: flag.default(true),
  CONTEXT_CACHE_TTL: integer(0, 86_400).default(3_600),
  PUBLIC_WEB_URL: url.default('http://localhost:3000'),
  GOOGLE_API_KEY: z.string().optional(),
  GEMINI_MODEL: z.string().optional(),
  GOOGLE_BASE_URL: url.optional(),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_MODEL: z.string().optional(),
  CHAT_MODEL: z.string().optional(),
  OPENAI_BASE_URL: url.optional(),
  MODEL_LADDER: ladder.optional(),
  MODEL_RPM: requestsPerMinute.default({}),
  MODEL_FIRST_TOKEN_MS: integer(50, 120_000).default(10_000),
  MODEL_GAP_MS: integer(50, 120_000).default(8_000),
  MODEL_TOTAL_MS: integer(50, 600_000).default(120_000),
  BREAKER_TIMEOUT_MS: integer(50, 600_000).default(30_000),
  BREAKER_ERROR_PERCENT: integer(1, 100).default(50),
  BREAKER_RESET_MS: integer(50, 3_600_000).default(60_000),
};

export type WorkerConfig = ReturnType<typeof readConfig>;

/** The worker's settings, with its models made. Throws ConfigError. */
export function readConfig(env: Record<string, string | undefined>) {
  const parsed = parseEnv(shape, env);
  const addresses = { databaseUrl: databaseUrl(parsed), redisUrl: redisUrl(parsed) };
  const { RETRIEVAL_TOKEN } = parsed;
  refuseShippedSecrets(parsed.ENVIRONMENT, { keys: { RETRIEVAL_TOKEN }, ...addresses });
  return Object.freeze({
    ...parsed,
    ...addresses,
    /** This process's share of the fleet's connections. */
    poolMax: Math.max(4, Math.floor(parsed.DB_POOL_MAX / parsed.FLEET_PROCESSES)),
    /** 0: contexts are not kept. */
    contextCacheMs: parsed.CACHE_ENABLED ? parsed.CONTEXT_CACHE_TTL * 1_000 : 0,
    ladder: ladderOf(parsed),
  });
}

function ladderOf(config: z.infer<z.ZodObject<typeof shape>>): ChatModel[] {
  try {
    return makeModelLadder({
      ladder: config.MODEL_LADDER,
      gemini: { apiKey: config.GOOGLE_API_KEY, model: config.GEMINI_MODEL, baseUrl: config.GOOGLE_BASE_URL },
      openai: {
        apiKey: config.OPENAI_API_KEY,
        model: config.OPENAI_MODEL ?? config.CHAT_MODEL,
        baseUrl: config.OPENAI_BASE_URL,
      },
      deadlines: {
        firstTokenMs: Math.min(config.MODEL_FIRST_TOKEN_MS, config.BREAKER_TIMEOUT_MS),
        gapMs: config.MODEL_GAP_MS,
        totalMs: config.MODEL_TOTAL_MS,
      },
    });
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)]);
  }
}
