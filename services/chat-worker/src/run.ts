import { queues } from '@sidestage/contracts';
import type { ModelProvider } from '@sidestage/models';
import {
  type Breaker,
  checkEvictionPolicy,
  closeRedis,
  closeServer,
  Lifecycle,
  type Logger,
  listen,
  makeBreaker,
  makeHttpServer,
  makeLogger,
  makeMetrics,
  makeRedis,
  type RecoveryProbe,
} from '@sidestage/runtime';
import {
  makeDatabase,
  makeHousekeeping,
  makeTurnRunRepository,
  makeTurnSettler,
  makeTurnSweepRepository,
  makeWorkerDeathRepository,
  makeWriteHealth,
} from '@sidestage/store';
import { makeAdmissionLedger, makeDispatcher, makeReplyWriter, makeWaitingLine } from '@sidestage/turns';
import express from 'express';
import { makeAnswerer } from './answer/answerer.js';
import { makeReplyStreams } from './answer/reply-stream.js';
import type { WorkerConfig } from './config.js';
import { makeTurnEnder } from './ending/turn-ender.js';
import { workerHealth } from './health.js';
import { makeProviderQuota } from './model/provider-quota.js';
import { makeReplyLadder } from './model/reply-ladder.js';
import { makeChatConsumer } from './queue/chat-consumer.js';
import { drain } from './queue/drain.js';
import { makeContextCache } from './retrieval/context-cache.js';
import { makeContextFinder } from './retrieval/context-finder.js';
import { makeRetrievalClient, retrievalProbe } from './retrieval/retrieval-client.js';
import { RunGate } from './runs/run-gate.js';
import { makeRunningJobs } from './runs/running-jobs.js';
import { SlowStart } from './runs/slow-start.js';
import { makeTurnRunner } from './runs/turn-runner.js';
import { makeSweeper } from './sweep/sweeper.js';

export interface RunningWorker {
  lifecycle: Lifecycle;
  logger: Logger;
  /** Of the health routes. */
  port: number;
}

/** Wires a chat worker and starts it. */
export async function runWorker(config: WorkerConfig): Promise<RunningWorker> {
  const logger = makeLogger({ service: 'chat-worker', level: config.LOG_LEVEL, debug: config.DEBUG });
  const metrics = makeMetrics('chat-worker', { turns: true });
  const lifecycle = new Lifecycle(logger, config.DRAIN_MS + 5_000);

  const redis = makeRedis(config.redisUrl, 'request', logger);
  lifecycle.onClose('redis', () => closeRedis(redis));
  await checkEvictionPolicy(redis).catch(async (error: unknown) => {
    await lifecycle.close();
    throw error;
  });
  const database = makeDatabase({
    url: config.databaseUrl,
    max: config.poolMax,
    min: config.DB_POOL_MIN,
    idleMs: config.DB_POOL_IDLE_MS,
    waitMs: config.DB_POOL_WAIT_MS,
    logger,
  });
  lifecycle.onClose('postgres', () => database.close());
  const dispatcher = makeDispatcher({ redisUrl: config.redisUrl, logger });
  lifecycle.onClose('dispatcher', () => dispatcher.close());

  const breakerOf = (name: string, probe?: RecoveryProbe): Breaker => {
    const breaker = makeBreaker({
      name,
      ...(probe && { probe }),
      errorPercent: config.BREAKER_ERROR_PERCENT,
      resetMs: config.BREAKER_RESET_MS,
      logger,
      metrics,
    });
    lifecycle.onClose(`breaker ${name}`, () => breaker.close());
    return breaker;
  };
  const modelBreakers = new Map<ModelProvider, Breaker>(
    config.ladder.map(({ provider }) => [provider, breakerOf(`model:${provider}`)]),
  );
  const retrievalBreaker = breakerOf('retrieval', retrievalProbe(config.RETRIEVAL_URL));

  const repository = makeTurnRunRepository(database.engine);
  const deaths = makeWorkerDeathRepository(database.engine);
  const writes = makeWriteHealth(database.engine);
  const writer = makeReplyWriter({ redis });
  const ledger = makeAdmissionLedger({ redis, logger });
  const ender = makeTurnEnder({
    settler: makeTurnSettler(database.engine, { onError: writes.note }),
    repository,
    writer,
    ledger,
    dispatcher,
    metrics,
    logger,
  });
  lifecycle.onClose('endings', () => ender.drain());
  const streams = makeReplyStreams({ writer, logger });
  lifecycle.onClose('reply streams', () => streams.close());
  const running = makeRunningJobs({ repository, logger, metrics, lockMs: queues.chat.lockMs });
  lifecycle.onClose('running jobs', () => running.close());

  const findContext = makeContextFinder({
    retrieval: makeRetrievalClient({
      url: config.RETRIEVAL_URL,
      token: config.RETRIEVAL_TOKEN,
      timeoutMs: config.RETRIEVAL_TIMEOUT_MS,
      breaker: retrievalBreaker,
      logger,
    }),
    cache: config.contextCacheMs > 0 ? makeContextCache({ redis, ttlMs: config.contextCacheMs, logger }) : null,
    metrics,
  });
  const answer = makeAnswerer({
    repository,
    findContext,
    ladder: makeReplyLadder({
      ladder: config.ladder,
      breakers: modelBreakers,
      quota: makeProviderQuota({ redis, limits: config.MODEL_RPM, logger }),
      logger,
    }),
    publicWebUrl: config.PUBLIC_WEB_URL,
    metrics,
  });
  const slowStart = new SlowStart();
  const run = makeTurnRunner({
    repository,
    deaths,
    answer,
    streams,
    ender,
    waitingLine: makeWaitingLine({ redis }),
    gate: new RunGate(),
    slowStart,
    metrics,
    logger,
  });

  const sweeper = makeSweeper({
    repository: makeTurnSweepRepository(database.engine),
    housekeeping: makeHousekeeping(database.engine),
    dispatcher,
    ender,
    ledger,
    redis,
    logger,
  });
  lifecycle.onClose('sweeper', () => sweeper.close());
  const consumer = makeChatConsumer({
    redisUrl: config.redisUrl,
    concurrency: config.WORKER_CONCURRENCY,
    hasRoom: (onTheirWay) => slowStart.hasRoom(onTheirWay),
    run,
    running,
    onDeath: (workerId, turnIds) => deaths.note(workerId, turnIds),
    logger,
  });
  lifecycle.onClose('consumer', () => consumer.close());

  const health = workerHealth({
    config,
    metrics,
    lifecycle,
    database,
    writes,
    redis,
    dispatcher,
    consumer,
    running,
    modelBreakers,
    retrievalBreaker,
  });
  lifecycle.onClose('health', () => health.close());
  const app = express().disable('x-powered-by').use(health.router);
  const server = makeHttpServer(app);
  const port = await listen(server, config.PORT, config.HOST);
  lifecycle.onClose('http', () => closeServer(server, 1_000));
  lifecycle.onClose('drain', () => drain({ consumer, running, drainMs: config.DRAIN_MS, logger }));
  logger.info(
    { port, models: config.ladder.map(({ provider, model }) => `${provider}/${model}`) },
    'chat worker is up',
  );
  return { lifecycle, logger, port };
}
