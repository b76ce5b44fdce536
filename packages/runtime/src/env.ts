import { z } from 'zod';

/** A setting that stops the start: names the variable, what was read and what is allowed. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`bad configuration\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

const secretName = /SECRET|PASSWORD|API_KEY|TOKEN|DATABASE_URL|POSTGRESQL_URI|REDIS_URL/;

/**
 * Parses the environment once with `schema` (an object of variables) and freezes the result.
 * An empty variable counts as unset. Throws ConfigError.
 */
export function parseEnv<T extends z.ZodRawShape>(
  shape: T,
  env: Record<string, string | undefined>,
): Readonly<z.infer<z.ZodObject<T>>> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
  const result = z.object(shape).safeParse(given);
  if (result.success) return Object.freeze(result.data);
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0] ?? '');
      const value = given[name];
      const read = value === undefined ? 'is not set' : secretName.test(name) ? 'has a bad value' : `is "${value}"`;
      return `${name} ${read}: ${issue.message}`;
    }),
  );
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number(message).int(message).min(min, message).max(max, message);
}

export const port = integer(1, 65535);

/** true, 1, yes, on or false, 0, no, off. */
export const flag = z
  .string()
  .regex(/^(true|1|yes|on|false|0|no|off)$/i, 'must be true or false')
  .transform((value) => /^(true|1|yes|on)$/i.test(value));

function address(schemes: readonly string[], example: string) {
  return z
    .string()
    .refine(
      (value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)),
      `must be an address such as ${example}`,
    );
}

/** An address over HTTP or HTTPS. */
export const url = address(['http', 'https'], 'http://localhost:8010');
const postgresAddress = address(['postgres', 'postgresql'], 'postgres://user:password@localhost:5432/sidestage');
const redisAddress = address(['redis', 'rediss'], 'redis://:password@localhost:6379/0');

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** Variables every service has. Names of the older systems stay (`WARNING` and `CRITICAL` as levels). */
export const commonEnv = {
  ENVIRONMENT: z.enum(['development', 'production'], 'must be development or production').default('development'),
  DEBUG: flag.default(false),
  LOG_LEVEL: z
    .string()
    .toUpperCase()
    .pipe(
      z.enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR', 'FATAL', 'CRITICAL'], {
        error: 'must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL',
      }),
    )
    .default('INFO'),
  HOST: z.string().default('127.0.0.1'),
  /** Processes that share DB_POOL_MAX; the launcher and compose set it. */
  FLEET_PROCESSES: integer(1, 10_000).default(4),
};

export const postgresEnv = {
  DATABASE_URL: postgresAddress.optional(),
  POSTGRESQL_URI: postgresAddress.optional(),
  DB_HOST: z.string().optional(),
  DB_PORT: port.default(5432),
  POSTGRES_USER: z.string().default('sidestage'),
  POSTGRES_PASSWORD: z.string().default(''),
  POSTGRES_DB: z.string().default('sidestage'),
  DB_POOL_MIN: integer(0, 1000).default(10),
  DB_POOL_MAX: integer(2, 10_000).default(100),
  DB_POOL_IDLE_MS: integer(1000, 3_600_000).default(45_000),
  DB_POOL_WAIT_MS: integer(50, 60_000).default(2000),
};

export const redisEnv = {
  REDIS_URL: redisAddress.optional(),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: port.default(6379),
  REDIS_PASSWORD: z.string().optional(),
};

/** The database's address from either form; throws ConfigError when neither is set. */
export function databaseUrl(config: {
  DATABASE_URL?: string | undefined;
  POSTGRESQL_URI?: string | undefined;
  DB_HOST?: string | undefined;
  DB_PORT: number;
  POSTGRES_USER: string;
  POSTGRES_PASSWORD: string;
  POSTGRES_DB: string;
}): string {
  const whole = config.DATABASE_URL ?? config.POSTGRESQL_URI;
  if (whole) return whole;
  if (!config.DB_HOST) {
    throw new ConfigError(['DATABASE_URL is not set (nor DB_HOST): name the PostgreSQL server, or use `npm start`']);
  }
  const address = new URL('postgres://localhost');
  address.hostname = config.DB_HOST;
  address.port = String(config.DB_PORT);
  address.username = config.POSTGRES_USER;
  address.password = config.POSTGRES_PASSWORD;
  address.pathname = `/${config.POSTGRES_DB}`;
  return address.toString();
}

/** Redis's address from either form; throws ConfigError when neither is set. */
export function redisUrl(config: {
  REDIS_URL?: string | undefined;
  REDIS_HOST?: string | undefined;
  REDIS_PORT: number;
  REDIS_PASSWORD?: string | undefined;
}): string {
  if (config.REDIS_URL) return config.REDIS_URL;
  if (!config.REDIS_HOST) {
    throw new ConfigError(['REDIS_URL is not set (nor REDIS_HOST): name the Redis server, or use `npm start`']);
  }
  const address = new URL('redis://localhost');
  address.hostname = config.REDIS_HOST;
  address.port = String(config.REDIS_PORT);
  if (config.REDIS_PASSWORD) address.password = config.REDIS_PASSWORD;
  return address.toString();
}
