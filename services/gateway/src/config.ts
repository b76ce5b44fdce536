import { createSecretKey, type KeyObject } from 'node:crypto';
import { applyPolicy, defaultPolicy, type Policy } from '@sidestage/contracts';
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

const shape = {
  ...commonEnv,
  ...postgresEnv,
  ...redisEnv,
  PORT: port.default(8000),
  JWT_SECRET_KEY: z.string('name a secret of at least 32 characters (`npm start` makes one)').min(32),
  RETRIEVAL_URL: url.default('http://127.0.0.1:8010'),
  /** Shared by gateway, workers and retrieval. */
  RETRIEVAL_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, 'must be at least 16 visible ASCII characters')
    .optional(),
  PUBLIC_WEB_URL: url.default('http://localhost:3000'),
  CORS_ORIGINS: list.default([]),
  GUESTS: flag.default(true),
  AUTH_RATE_PER_MINUTE: integer(1, 1_000_000).default(30),
  ANON_RATE_PER_MINUTE: integer(1, 1_000_000).default(120),
  RATE_LIMIT_PER_MINUTE: integer(1, 1_000_000).default(defaultPolicy.tiers.enterprise.per_minute),
  RATE_LIMIT_PER_HOUR: integer(1, 10_000_000).default(defaultPolicy.tiers.enterprise.per_hour),
  ASYNC_CONCURRENCY_LIMIT: integer(1, 100_000).default(1000),
  WEBSOCKET_MAX_CONNECTIONS: integer(1, 1_000_000).default(10_000),
  REQUEST_TIMEOUT_MS: integer(100, 600_000).default(30_000),
  TURN_DEADLINE_MS: integer(1000, 3_600_000).default(180_000),
  /** After SIGTERM everything is still taken for so long, unready: a load balancer has to see it. Milliseconds. */
  DRAIN_NOTICE_MS: integer(0, 60_000).default(2_000),
  /** Seconds. */
  CONFIG_CACHE_TTL: integer(0, 86_400).default(5),
  CACHE_ENABLED: flag.default(true),
  BREAKER_ERROR_PERCENT: integer(1, 100).default(50),
  BREAKER_RESET_MS: integer(100, 3_600_000).default(60_000),
  /** Proxies in front whose X-Forwarded-For is believed. */
  TRUST_PROXY_HOPS: integer(0, 10).default(0),
  /** Gateways that share the tiers' limits while Redis is away. */
  GATEWAYS: integer(1, 1000).default(1),
};

/** The page may be opened by either name of this machine. */
function ownOrigins(publicWebUrl: string): string[] {
  const own = new URL(publicWebUrl);
  if (own.hostname !== 'localhost') return [own.origin];
  const byNumber = new URL(publicWebUrl);
  byNumber.hostname = '127.0.0.1';
  return [own.origin, byNumber.origin];
}

export interface GatewayConfig {
  production: boolean;
  debug: boolean;
  logLevel: string;
  host: string;
  port: number;
  databaseUrl: string;
  pool: { max: number; idleMs: number; waitMs: number; fleetMax: number; min: number };
  redisUrl: string;
  jwtKey: KeyObject;
  retrievalUrl: string;
  retrievalToken: string;
  publicWebUrl: string;
  /** The page's own and CORS_ORIGINS; tenants may add theirs. */
  origins: readonly string[];
  guests: boolean;
  authRatePerMinute: number;
  anonymousRatePerMinute: number;
  /** In force where a tenant has no policy of its own. */
  defaultPolicy: Policy;
  concurrencyLimit: number;
  maxConnections: number;
  requestTimeoutMs: number;
  turnDeadlineMs: number;
  drainNoticeMs: number;
  configCacheMs: number;
  cacheEnabled: boolean;
  breaker: { errorPercent: number; resetMs: number };
  trustProxyHops: number;
  gateways: number;
}

/** Reads the gateway's settings once. Throws ConfigError that names each bad variable. */
export function readConfig(variables: Record<string, string | undefined>): Readonly<GatewayConfig> {
  const env = parseEnv(shape, variables);
  const database = databaseUrl(env);
  const { JWT_SECRET_KEY, RETRIEVAL_TOKEN } = env;
  const redis = redisUrl(env);
  refuseShippedSecrets(env.ENVIRONMENT, {
    keys: { JWT_SECRET_KEY, RETRIEVAL_TOKEN },
    databaseUrl: database,
    redisUrl: redis,
  });
  return Object.freeze({
    production: env.ENVIRONMENT === 'production',
    debug: env.DEBUG,
    logLevel: env.LOG_LEVEL,
    host: env.HOST,
    port: env.PORT,
    databaseUrl: database,
    pool: {
      max: Math.max(2, Math.floor(env.DB_POOL_MAX / env.FLEET_PROCESSES)),
      idleMs: env.DB_POOL_IDLE_MS,
      waitMs: env.DB_POOL_WAIT_MS,
      fleetMax: env.DB_POOL_MAX,
      min: env.DB_POOL_MIN,
    },
    redisUrl: redis,
    jwtKey: createSecretKey(Buffer.from(env.JWT_SECRET_KEY, 'utf8')),
    retrievalUrl: env.RETRIEVAL_URL.replace(/\/$/, ''),
    retrievalToken: env.RETRIEVAL_TOKEN ?? '',
    publicWebUrl: env.PUBLIC_WEB_URL.replace(/\/$/, ''),
    origins: [...new Set([...ownOrigins(env.PUBLIC_WEB_URL), ...env.CORS_ORIGINS])],
    guests: env.GUESTS,
    authRatePerMinute: env.AUTH_RATE_PER_MINUTE,
    anonymousRatePerMinute: env.ANON_RATE_PER_MINUTE,
    defaultPolicy: applyPolicy(defaultPolicy, {
      tiers: { enterprise: { per_minute: env.RATE_LIMIT_PER_MINUTE, per_hour: env.RATE_LIMIT_PER_HOUR } },
    }),
    concurrencyLimit: env.ASYNC_CONCURRENCY_LIMIT,
    maxConnections: env.WEBSOCKET_MAX_CONNECTIONS,
    requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
    turnDeadlineMs: env.TURN_DEADLINE_MS,
    drainNoticeMs: env.DRAIN_NOTICE_MS,
    configCacheMs: env.CACHE_ENABLED ? env.CONFIG_CACHE_TTL * 1000 : 0,
    cacheEnabled: env.CACHE_ENABLED,
    breaker: { errorPercent: env.BREAKER_ERROR_PERCENT, resetMs: env.BREAKER_RESET_MS },
    trustProxyHops: env.TRUST_PROXY_HOPS,
    gateways: env.GATEWAYS,
  });
}
