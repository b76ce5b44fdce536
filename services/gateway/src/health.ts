import type { DependencyView } from '@sidestage/contracts';
import { healthRouter, type Metrics, type PgPool, probe, type Redis, route } from '@sidestage/runtime';
import type { Database, WriteHealth } from '@sidestage/store';
import { type Dispatcher, makeModelReports } from '@sidestage/turns';
import express, { type Router } from 'express';
import type { GatewayConfig } from './config.js';
import type { RetrievalClient } from './search/retrieval-client.js';
import { version } from './version.js';

export interface HealthOptions {
  config: GatewayConfig;
  metrics: Metrics;
  database: Database;
  writes: Pick<WriteHealth, 'check'>;
  redis: Redis;
  retrieval: RetrievalClient;
  dispatcher: Pick<Dispatcher, 'depth'>;
  connections: () => number;
  draining: () => boolean;
}

/** /health and its kin, and /api/health of the older systems. */
export function gatewayHealth(options: HealthOptions): Router[] {
  const { config, database, redis, metrics } = options;
  const askPostgres = () => probe(() => database.engine.query('SELECT 1'));

  const reports = makeModelReports({ redis });
  /** Models are asked by the chat workers: what they say of them. */
  const askModels = (): Promise<DependencyView> =>
    reports.view().catch(() => ({
      status: 'degraded',
      latency_ms: null,
      detail: 'without Redis the chat workers are not heard of',
    }));

  async function details() {
    const [postgres, redisView, retrieval, model, queue] = await Promise.all([
      askPostgres(),
      probe(() => redis.ping()),
      options.retrieval.probe(),
      askModels(),
      options.dispatcher.depth().then(
        ({ waiting, running, oldest_seconds }) => ({ waiting, running, oldest_seconds }),
        () => undefined,
      ),
    ]);
    const dependencies: Record<string, DependencyView> = {
      postgres: { ...postgres, pool: poolView(database) },
      redis: redisView.status === 'failing' ? { ...redisView, status: 'degraded' } : redisView,
      retrieval,
      model,
    };
    return { dependencies, ...(queue && { queue }), connections: options.connections() };
  }

  const common = healthRouter({
    service: 'gateway',
    version,
    metrics,
    essential: ['postgres'],
    details,
    ready: async () => {
      if (options.draining()) return 'draining';
      return options.writes.check();
    },
    onScrape: async () => {
      for (const [pool, { totalCount, idleCount, waitingCount }] of pools(database)) {
        metrics.poolConnections.set({ pool, state: 'total' }, totalCount);
        metrics.poolConnections.set({ pool, state: 'idle' }, idleCount);
        metrics.poolConnections.set({ pool, state: 'waiting' }, waitingCount);
      }
      const depth = await options.dispatcher.depth().catch(() => undefined);
      if (!depth) return;
      metrics.queueDepth.set({ queue: 'chat', state: 'waiting' }, depth.waiting);
      metrics.queueDepth.set({ queue: 'chat', state: 'running' }, depth.running);
    },
  });

  const older = express.Router();
  route(older, '/api/health', {
    get: async (_request, response) => {
      const postgres = await askPostgres();
      const connected = postgres.status === 'ok';
      response
        .status(connected ? 200 : 503)
        .set('Cache-Control', 'no-store')
        .json({
          status: connected ? 'running' : 'failing',
          database: connected ? 'connected' : 'disconnected',
          connection_pool: {
            status: connected ? 'active' : 'failing',
            min_pool_size: config.pool.min,
            max_pool_size: config.pool.fleetMax,
          },
          scalability: {
            max_pool_size: config.pool.fleetMax,
            concurrent_tasks_limit: config.concurrencyLimit,
            rate_limit_per_minute: config.defaultPolicy.tiers.enterprise.per_minute,
          },
        });
    },
  });
  return [common, older];
}

function pools(database: Database): [string, PgPool][] {
  return [
    ['engine', database.engine],
    ['api', database.api],
  ];
}

function poolView(database: Database): NonNullable<DependencyView['pool']> {
  const both = [database.engine, database.api];
  const sum = (of: (pool: PgPool) => number) => both.reduce((total, pool) => total + of(pool), 0);
  return {
    total: sum((pool) => pool.totalCount),
    idle: sum((pool) => pool.idleCount),
    waiting: sum((pool) => pool.waitingCount),
    max: sum((pool) => pool.options.max ?? 0),
  };
}
