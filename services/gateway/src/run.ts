import {
  checkEvictionPolicy,
  closeRedis,
  closeServer,
  Lifecycle,
  type Logger,
  listen,
  makeHttpServer,
  makeLogger,
  makeMetrics,
  makeRedis,
  type Redis,
} from '@sidestage/runtime';
import { makeDatabase } from '@sidestage/store';
import { makeDispatcher } from '@sidestage/turns';
import { makeApp } from './app.js';
import type { GatewayConfig } from './config.js';
import { gatewayHealth } from './health.js';
import { makePlatform } from './platform.js';

/** How long requests under way may take to end after SIGTERM. */
const graceMs = 10_000;
/** How long the start waits for Redis before it goes on without. */
const redisWaitMs = 1_500;

/** Wires and starts a gateway. Resolves once it listens; Redis or Postgres may still be down: it starts degraded and says so. */
export async function runGateway(
  config: GatewayConfig,
): Promise<{ lifecycle: Lifecycle; logger: Logger; port: number }> {
  const logger = makeLogger({ service: 'gateway', level: config.logLevel, debug: config.debug });
  const metrics = makeMetrics('gateway');
  const lifecycle = new Lifecycle(logger);
  try {
    const redis = makeRedis(config.redisUrl, 'request', logger);
    lifecycle.onClose('redis', () => closeRedis(redis));
    await refuseEviction(redis, logger);
    const database = makeDatabase({ url: config.databaseUrl, ...config.pool, logger });
    lifecycle.onClose('postgres', () => database.close());
    await database.engine.query('SELECT 1').catch((error: unknown) => {
      logger.warn({ err: error }, 'postgres is not reachable: started degraded');
    });

    const platform = makePlatform({ config, logger, metrics, redis, database, lifecycle });
    const dispatcher = makeDispatcher({ redisUrl: config.redisUrl, logger });
    lifecycle.onClose('dispatcher', () => dispatcher.close());

    const health = gatewayHealth({
      config,
      metrics,
      database,
      redis,
      retrieval: platform.retrieval,
      dispatcher,
      connections: () => 0,
      draining: () => lifecycle.draining,
    });
    const app = makeApp({
      config,
      logger,
      metrics,
      origins: platform.origins,
      health: [...health, platform.documents],
      chat: null,
      identify: platform.identify,
      routers: platform.routers,
    });
    const server = makeHttpServer(app);
    lifecycle.onClose('http', () => closeServer(server, graceMs));
    const port = await listen(server, config.port, config.host);
    logger.info({ port, host: config.host }, 'gateway listens');
    return { lifecycle, logger, port };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}

/**
 * Throws when Redis may evict keys. While it cannot be reached the start goes on, degraded, and the check is made up for when it is back:
 * then it can only be said.
 */
async function refuseEviction(redis: Redis, logger: Logger): Promise<void> {
  if (redis.status !== 'ready') {
    await Promise.race([
      new Promise((resolve) => redis.once('ready', resolve)),
      new Promise((resolve) => setTimeout(resolve, redisWaitMs).unref()),
    ]);
  }
  await checkEvictionPolicy(redis);
  redis.on('ready', () => {
    checkEvictionPolicy(redis).catch((error: unknown) => logger.error({ err: error }, 'redis may drop queued work'));
  });
}
