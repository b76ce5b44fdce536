import type { DependencyView } from '@sidestage/contracts';
import type { ModelProvider } from '@sidestage/models';
import { type Breaker, healthRouter, type Lifecycle, type Metrics, makeId, probe } from '@sidestage/runtime';
import { type Database, makeDeadTurnRepository, type WriteHealth } from '@sidestage/store';
import { type Dispatcher, type ModelReport, makeModelReports } from '@sidestage/turns';
import type { Redis } from 'ioredis';
import type { WorkerConfig } from './config.js';
import type { ChatConsumer } from './queue/chat-consumer.js';
import type { RunningJobs } from './runs/running-jobs.js';

/** Jobs wait and none was fetched for this long: the worker is stuck, whatever it says of itself. Milliseconds. */
const stuckMs = 30_000;
const lookMs = 5_000;

export interface Progress {
  /** Since when jobs have been waiting without a break; null when none waits. Milliseconds. */
  waitingForMs: number | null;
  idleMs: number;
  /** Every slot is taken. */
  full: boolean;
}

/** Whether a worker makes progress, or why not. */
export function progressProblem({ waitingForMs, idleMs, full }: Progress): true | string {
  if (full || waitingForMs === null) return true;
  const stuck = Math.min(waitingForMs, idleMs);
  return stuck < stuckMs ? true : `jobs wait and none was fetched for ${Math.round(stuck / 1000)} s`;
}

export interface WorkerHealthOptions {
  config: WorkerConfig;
  metrics: Metrics;
  lifecycle: Lifecycle;
  database: Database;
  writes: Pick<WriteHealth, 'check'>;
  redis: Redis;
  dispatcher: Dispatcher;
  consumer: ChatConsumer;
  running: RunningJobs;
  modelBreakers: ReadonlyMap<ModelProvider, Breaker>;
  retrievalBreaker: Breaker;
}

/** The worker's health routes and metrics. */
export function workerHealth(options: WorkerHealthOptions) {
  const { config, metrics, lifecycle, database, dispatcher, consumer, running } = options;
  let waitingSince: number | null = null;

  async function look(): Promise<void> {
    const depth = await dispatcher.depth().catch(() => null);
    const waits = depth !== null && depth.waiting > depth.delayed;
    if (!waits) waitingSince = null;
    else waitingSince ??= performance.now();
  }
  const workerId = makeId();
  const reports = makeModelReports({ redis: options.redis });
  const deadTurns = makeDeadTurnRepository(database.engine);
  /** For the gateways; an outage of Redis is said by its connection. */
  async function report(): Promise<void> {
    await reports.report(workerId, modelReport(options)).catch(() => undefined);
  }
  void report();
  const timer = setInterval(() => {
    void look();
    void report();
  }, lookMs);

  const router = healthRouter({
    service: 'chat-worker',
    version: '0.1.0',
    metrics,
    essential: ['postgres', 'redis'],
    alive: () =>
      progressProblem({
        waitingForMs: waitingSince === null ? null : performance.now() - waitingSince,
        idleMs: consumer.idleMs,
        full: running.size >= config.WORKER_CONCURRENCY,
      }),
    ready: async () => {
      if (lifecycle.draining) return 'draining';
      return options.writes.check();
    },
    details: async () => ({
      dependencies: await dependencies(options),
      ...(await dispatcher.depth().then(
        ({ waiting, running: active, oldest_seconds }) => ({ queue: { waiting, running: active, oldest_seconds } }),
        () => ({}),
      )),
    }),
    onScrape: async () => {
      for (const [name, pool] of [
        ['engine', database.engine],
        ['api', database.api],
      ] as const) {
        metrics.poolConnections.set({ pool: name, state: 'total' }, pool.totalCount);
        metrics.poolConnections.set({ pool: name, state: 'idle' }, pool.idleCount);
        metrics.poolConnections.set({ pool: name, state: 'waiting' }, pool.waitingCount);
      }
      const [depth, dead] = await Promise.all([
        dispatcher.depth().catch(() => null),
        deadTurns.count().catch(() => null),
      ]);
      if (dead !== null) metrics.deadTurns.set(dead);
      if (!depth) return;
      metrics.queueDepth.set({ queue: 'chat', state: 'waiting' }, depth.waiting);
      metrics.queueDepth.set({ queue: 'chat', state: 'running' }, depth.running);
    },
    info: {
      concurrency: config.WORKER_CONCURRENCY,
      models: config.ladder.map(({ provider, model }) => `${provider}/${model}`),
    },
  });
  return {
    router,
    async close(): Promise<void> {
      clearInterval(timer);
      await reports.withdraw(workerId).catch(() => undefined);
    },
  };
}

async function dependencies(options: WorkerHealthOptions): Promise<Record<string, DependencyView>> {
  const { config, database, redis, retrievalBreaker } = options;
  const [postgres, redisView, retrieval] = await Promise.all([
    probe(() => database.engine.query('SELECT 1')),
    probe(() => redis.ping()),
    probe(async () => {
      const response = await fetch(new URL('/health/live', config.RETRIEVAL_URL), {
        signal: AbortSignal.timeout(1_000),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`answers ${response.status}`);
    }),
  ]);
  const { totalCount, idleCount, waitingCount } = database.engine;
  const pool = { total: totalCount, idle: idleCount, waiting: waitingCount, max: config.poolMax };
  return {
    postgres: { ...postgres, pool },
    redis: redisView,
    retrieval: retrievalBreaker.state === 'open' ? { ...retrieval, status: 'degraded' } : retrieval,
    model: { status: modelReport(options).status, latency_ms: null },
  };
}

function modelReport({ config, modelBreakers }: WorkerHealthOptions): ModelReport {
  const stateOf = (provider: ModelProvider) => modelBreakers.get(provider)?.state ?? 'closed';
  const states = config.ladder.map(({ provider }) => stateOf(provider));
  const resting = config.ladder.filter(({ provider }) => stateOf(provider) === 'open');
  return {
    status: states.every((state) => state === 'closed')
      ? 'ok'
      : states.every((state) => state === 'open')
        ? 'failing'
        : 'degraded',
    resting: resting.map(({ provider, model }) => `${provider}/${model}`),
  };
}
