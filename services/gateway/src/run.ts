import {
  checkEvictionPolicy,
  closeRedis,
  closeServer,
  endKeepAlive,
  Lifecycle,
  type Logger,
  listen,
  makeHttpServer,
  makeLogger,
  makeMetrics,
  makeRedis,
  type Redis,
} from '@sidestage/runtime';
import {
  makeDatabase,
  makeDeadTurnRepository,
  makeTurnAcceptor,
  makeTurnSettler,
  makeWriteHealth,
} from '@sidestage/store';
import {
  makeAdmission,
  makeAdmissionLedger,
  makeDispatcher,
  makeReplyReader,
  makeReplyWriter,
  makeWaitingLine,
} from '@sidestage/turns';
import { deadTurnRouter } from './admin/dead-turn-routes.js';
import { makeApp, makeCompression, makeCors } from './app.js';
import { makeChatModule } from './chat/chat-module.js';
import type { GatewayConfig } from './config.js';
import { gatewayHealth } from './health.js';
import { makePlatform } from './platform.js';

/** How long requests under way may take to end after SIGTERM. */
const graceMs = 10_000;
/** Longest time one step of a shutdown may take, beside that notice. Milliseconds. */
const stepMs = 15_000;
/** How long the start waits for Redis before it goes on without. */
const redisWaitMs = 1_500;

/** Wires and starts a gateway. Resolves once it listens; Redis or Postgres may still be down: it starts degraded and says so. */
export async function runGateway(
  config: GatewayConfig,
): Promise<{ lifecycle: Lifecycle; logger: Logger; port: number }> {
  const logger = makeLogger({ service: 'gateway', level: config.logLevel, debug: config.debug });
  const metrics = makeMetrics('gateway', { turns: true });
  const lifecycle = new Lifecycle(logger, config.drainNoticeMs + stepMs);
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
    const replyReader = makeReplyReader({ redisUrl: config.redisUrl, redis, logger });
    lifecycle.onClose('reply reader', () => replyReader.close());
    const writes = makeWriteHealth(database.engine);
    const acceptor = makeTurnAcceptor(database.engine, { onError: writes.note });
    lifecycle.onClose('acceptor', () => acceptor.drain());
    const settler = makeTurnSettler(database.engine);
    lifecycle.onClose('settler', () => settler.drain());
    const replyWriter = makeReplyWriter({ redis });
    const waitingLine = makeWaitingLine({ redis });
    const ledger = makeAdmissionLedger({ redis, logger });
    const deadTurns = deadTurnRouter({
      deadTurns: makeDeadTurnRepository(database.engine),
      replyWriter,
      waitingLine,
      dispatcher,
      ledger,
      turnDeadlineMs: config.turnDeadlineMs,
      logger,
    });
    const chat = makeChatModule({
      ...platform,
      config,
      logger,
      metrics,
      database,
      redis,
      dispatcher,
      replyReader,
      replyWriter,
      waitingLine,
      admission: makeAdmission({ redis, logger, gateways: config.gateways }),
      ledger,
      settler,
      acceptor,
    });

    const health = gatewayHealth({
      config,
      metrics,
      database,
      writes,
      redis,
      retrieval: platform.retrieval,
      dispatcher,
      connections: () => chat.connections(),
      draining: () => lifecycle.draining,
    });
    const cors = makeCors(platform.origins);
    const compress = makeCompression();
    const app = makeApp({
      config,
      logger,
      metrics,
      cors,
      compress,
      health: [...health, platform.documents],
      chat: chat.router,
      identify: platform.identify,
      routers: [...platform.routers, deadTurns],
    });
    const server = makeHttpServer((request, response) => {
      if (chat.isMessage(request))
        cors(request, response, () => compress(request, response, () => chat.handle(request, response)));
      else app(request, response);
    });
    server.on('upgrade', chat.handleUpgrade);
    lifecycle.onClose('http', () => closeServer(server, graceMs));
    // Before the server: its streams and sockets end only when they are told to.
    lifecycle.onClose('chat', () => chat.drain());
    lifecycle.onClose('keep-alive', () => endKeepAlive(server));
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
