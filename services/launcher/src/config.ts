import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, parseEnv as parseEnvFile } from 'node:util';
import {
  ConfigError,
  commonEnv,
  databaseUrl,
  integer,
  parseEnv,
  port,
  postgresEnv,
  redisEnv,
  redisUrl,
  url,
} from '@sidestage/runtime';
import { z } from 'zod';

const shape = {
  ...commonEnv,
  ...postgresEnv,
  ...redisEnv,
  /** The port of the one service that `--only` names; of no use for the whole fleet, whose services have one each. */
  PORT: port.optional(),
  GATEWAY_PORT: port.default(8000),
  /** Of the first chat-worker; the others follow. */
  WORKER_PORT: port.default(8001),
  CHAT_WORKERS: integer(1, 8).default(2),
  RETRIEVAL_PORT: port.default(8010),
  WEB_PORT: port.default(3000),
  PUBLIC_WEB_URL: url.optional(),
  PUBLIC_GATEWAY_URL: url.optional(),
  JWT_SECRET_KEY: z.string().optional(),
  RETRIEVAL_TOKEN: z.string().optional(),
  SIDESTAGE_DATA_DIR: z.string().default('.sidestage'),
  DEMO_DIR: z.string().default('demo'),
};

const serviceNames = ['gateway', 'chat-worker', 'retrieval', 'web'] as const;
export type ServiceName = (typeof serviceNames)[number];

export interface LauncherConfig {
  /** The clone's folder. */
  root: string;
  /** Absolute; holds data, secrets, logs. */
  dataDir: string;
  demoDir: string;
  production: boolean;
  host: string;
  ports: Record<ServiceName, number>;
  chatWorkers: number;
  /** Services to run: all, or those `--only` names. */
  services: readonly ServiceName[];
  /** A server of the user's own, or undefined for the embedded one. */
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  publicWebUrl: string;
  publicGatewayUrl: string;
  jwtSecret: string | undefined;
  retrievalToken: string | undefined;
  /** What the services inherit: the environment, and under it the `.env` file. */
  inherited: Record<string, string | undefined>;
  /** PORT was set although several services start: it is ignored and that is said. */
  ignoredPort: number | undefined;
  /** Names in `.env`, and names of the environment with our prefix, that are no setting: most likely mistyped. */
  unknownNames: readonly string[];
}

/** Names that only tests and benches read. */
const namesOfTests = ['SIDESTAGE_SHARED'];

function findUnknownNames(root: string, fromFile: NodeJS.Dict<string>, environment: NodeJS.ProcessEnv): string[] {
  const example = readFileSync(join(root, '.env.example'), 'utf8');
  const known = new Set([
    ...namesOfTests,
    ...[...example.matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map((match) => match[1]),
  ]);
  const ours = Object.keys(environment).filter((name) => name.startsWith('SIDESTAGE_'));
  return [...new Set([...Object.keys(fromFile), ...ours])].filter((name) => !known.has(name)).sort();
}

function readServices(args: readonly string[]): readonly ServiceName[] {
  let only: string | undefined;
  try {
    only = parseArgs({ args: [...args], options: { only: { type: 'string' } } }).values.only;
  } catch (error) {
    throw new ConfigError([
      `${error instanceof Error ? error.message : String(error)} (known: --only gateway,retrieval)`,
    ]);
  }
  if (only === undefined) return serviceNames;
  const named = only.split(',').map((name) => name.trim());
  const unknown = named.filter((name) => !serviceNames.some((known) => known === name));
  if (unknown.length > 0) {
    throw new ConfigError([`--only is "${only}": must be one or more of ${serviceNames.join(', ')}, parted by commas`]);
  }
  return serviceNames.filter((name) => named.includes(name));
}

/**
 * Reads the environment, the clone's `.env` under it, and the arguments (`--only <service>[,<service>]`).
 * @throws {ConfigError} that names each bad variable, what was read and what is allowed.
 */
export function readConfig(environment: NodeJS.ProcessEnv, args: readonly string[]): Readonly<LauncherConfig> {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const envFile = join(root, '.env');
  const fromFile = existsSync(envFile) ? parseEnvFile(readFileSync(envFile, 'utf8')) : {};
  const inherited = { ...fromFile, ...environment };
  const env = parseEnv(shape, inherited);
  const services = readServices(args);
  const lone = services.length === 1 && services[0] !== undefined ? services[0] : undefined;
  const ports: Record<ServiceName, number> = {
    gateway: env.GATEWAY_PORT,
    'chat-worker': env.WORKER_PORT,
    retrieval: env.RETRIEVAL_PORT,
    web: env.WEB_PORT,
  };
  if (lone && env.PORT !== undefined) ports[lone] = env.PORT;
  const ownDatabase = env.DATABASE_URL ?? env.POSTGRESQL_URI ?? env.DB_HOST;
  const ownRedis = env.REDIS_URL ?? env.REDIS_HOST;
  return Object.freeze({
    root,
    dataDir: resolve(root, env.SIDESTAGE_DATA_DIR),
    demoDir: resolve(root, env.DEMO_DIR),
    production: env.ENVIRONMENT === 'production',
    host: env.HOST,
    ports,
    chatWorkers: lone === 'chat-worker' && env.PORT !== undefined ? 1 : env.CHAT_WORKERS,
    services,
    databaseUrl: ownDatabase === undefined ? undefined : databaseUrl(env),
    redisUrl: ownRedis === undefined ? undefined : redisUrl(env),
    publicWebUrl: env.PUBLIC_WEB_URL ?? `http://localhost:${ports.web}`,
    publicGatewayUrl: env.PUBLIC_GATEWAY_URL ?? `http://localhost:${ports.gateway}`,
    jwtSecret: env.JWT_SECRET_KEY,
    retrievalToken: env.RETRIEVAL_TOKEN,
    inherited,
    ignoredPort: lone ? undefined : env.PORT,
    unknownNames: findUnknownNames(root, fromFile, environment),
  });
}
