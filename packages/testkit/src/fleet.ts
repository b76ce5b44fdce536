import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '@sidestage/embedded';
import { makeTestDatabase, type TestDatabase } from './database.js';
import { type FleetProcess, type FleetService, makeFleetProcess } from './fleet-process.js';
import { type ModelServer, startGeminiServer, startOpenAiServer } from './model-servers/index.js';
import { makeTestRedis, type TestRedis } from './redis.js';

export interface FleetOptions {
  /** Default 1. */
  gateways?: number;
  /** Default 1. */
  workers?: number;
  /** Default true. */
  retrieval?: boolean;
  /** Default false. */
  web?: boolean;
  /** Which model server answers (default `openai`); `builtin` starts none, `none` leaves it to `env`. */
  model?: 'openai' | 'gemini' | 'builtin' | 'none';
  /** Made for the fleet when absent, and then removed with it. */
  database?: TestDatabase;
  /** Made for the fleet when absent (with an append-only file), and then removed with it. */
  redis?: TestRedis;
  /** Variables for every process, over the fleet's own. */
  env?: Record<string, string>;
  /** Variables for one process, by its name (`gateway-1`, `chat-worker-2`, `retrieval`), over `env`. */
  envOf?: (
    name: string,
    env: Readonly<Record<string, string>>,
  ) => Record<string, string> | Promise<Record<string, string>>;
}

/** Real processes of the compiled services, on free ports, against a database, a Redis and a model of their own. */
export interface TestFleet {
  readonly gateways: FleetProcess[];
  readonly workers: FleetProcess[];
  /** Undefined where `retrieval: false`. */
  readonly retrieval: FleetProcess | undefined;
  readonly web: FleetProcess | undefined;
  readonly database: TestDatabase;
  readonly redis: TestRedis;
  /** Undefined with the built-in answerer. */
  readonly model: ModelServer | undefined;
  /** The secret access tokens are signed with. */
  readonly jwtSecret: string;
  /** What every process was told. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends everything, newest first. Safe to call twice. */
  stop(): Promise<void>;
}

async function startModel(kind: FleetOptions['model']): Promise<{ model?: ModelServer; env: Record<string, string> }> {
  if (kind === 'none') return { env: {} };
  if (kind === 'builtin') return { env: { MODEL_LADDER: 'builtin' } };
  if (kind === 'gemini') {
    const model = await startGeminiServer();
    return { model, env: { GOOGLE_API_KEY: 'test', GOOGLE_BASE_URL: model.url, MODEL_LADDER: 'gemini' } };
  }
  const model = await startOpenAiServer();
  const env = {
    OPENAI_API_KEY: 'test',
    OPENAI_MODEL: 'test-model',
    OPENAI_BASE_URL: model.url,
    MODEL_LADDER: 'openai',
  };
  return { model, env };
}

interface Ports {
  gateways: number[];
  workers: number[];
  retrieval: number;
  web: number;
}

async function findPorts({ gateways = 1, workers = 1 }: FleetOptions): Promise<Ports> {
  // All held at once, so that no port is given twice.
  const all = await Promise.all(Array.from({ length: gateways + workers + 2 }, () => findFreePort()));
  const [retrieval = 0, web = 0, ...rest] = all;
  return { retrieval, web, gateways: rest.slice(0, gateways), workers: rest.slice(gateways) };
}

/**
 * Starts a fleet and waits until each process is ready. Its processes end with this one, however this one ends. To have
 * a tenant and keys, make the database first, fill it through the store, and pass it in.
 * @throws with the process's log when one does not start; what had started is ended.
 */
export async function startFleet(options: FleetOptions = {}): Promise<TestFleet> {
  const cleanups: (() => Promise<unknown> | unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
  };
  try {
    const folder = mkdtempSync(join(tmpdir(), 'sidestage-fleet-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const database = options.database ?? (await makeTestDatabase());
    if (!options.database) cleanups.push(() => database.drop());
    const redis = options.redis ?? (await makeTestRedis({ appendonly: true }));
    if (!options.redis) cleanups.push(() => redis.stop());
    const { model, env: modelEnv } = await startModel(options.model ?? 'openai');
    if (model) cleanups.push(() => model.close());
    const ports = await findPorts(options);
    const jwtSecret = randomBytes(32).toString('base64url');
    const count = ports.gateways.length + ports.workers.length + 1;
    const env: Record<string, string> = {
      LOG_LEVEL: 'INFO',
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      JWT_SECRET_KEY: jwtSecret,
      RETRIEVAL_TOKEN: randomBytes(32).toString('base64url'),
      RETRIEVAL_URL: `http://127.0.0.1:${ports.retrieval}`,
      PUBLIC_WEB_URL: `http://localhost:${ports.web}`,
      PUBLIC_GATEWAY_URL: `http://localhost:${ports.gateways[0] ?? 0}`,
      FLEET_PROCESSES: String(count),
      DB_POOL_MAX: String(count * 10),
      ...modelEnv,
      ...options.env,
    };
    const make = async (name: string, service: FleetService, port: number): Promise<FleetProcess> => {
      const own = await options.envOf?.(name, env);
      const made = makeFleetProcess({ name, service, port, env: { ...env, ...own }, folder });
      cleanups.push(() => made.stop());
      return made;
    };
    const makeAll = (name: string, service: FleetService, ofKind: number[]): Promise<FleetProcess[]> =>
      Promise.all(ofKind.map((port, index) => make(`${name}-${index + 1}`, service, port)));
    const retrieval = options.retrieval === false ? undefined : await make('retrieval', 'retrieval', ports.retrieval);
    const workers = await makeAll('chat-worker', 'chat-worker', ports.workers);
    const gateways = await makeAll('gateway', 'gateway', ports.gateways);
    const web = options.web ? await make('web', 'web', ports.web) : undefined;
    const all = [retrieval, ...workers, ...gateways, web].filter((one) => one !== undefined);
    await Promise.all(all.map((one) => one.start()));
    return { gateways, workers, retrieval, web, database, redis, model, jwtSecret, env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
