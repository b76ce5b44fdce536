import { tierNames } from '@sidestage/contracts';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60];

/**
 * The fleet's metrics, made on every service, so that a dashboard never asks for a name that is not there. Labels never carry ids of people.
 * @param options.turns whether this service counts turns: their series begin at zero, because a rate cannot see the step that makes a series
 */
export function makeMetrics(service: string, options: { turns?: boolean } = {}) {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const metrics = {
    registry,
    chatRequests: new Counter({
      name: 'ai_chat_requests_total',
      help: 'Turns by how they ended (completed, failed, cancelled, refused) and tier',
      labelNames: ['status', 'tier'] as const,
      registers,
    }),
    chatDuration: new Histogram({
      name: 'ai_chat_request_duration_seconds',
      help: 'From acceptance to the end of the reply',
      labelNames: ['tier'] as const,
      buckets: seconds,
      registers,
    }),
    timeToFirstToken: new Histogram({
      name: 'ai_chat_time_to_first_token_seconds',
      help: 'From acceptance to the first text of the reply',
      labelNames: ['tier'] as const,
      buckets: seconds,
      registers,
    }),
    queueWait: new Histogram({
      name: 'ai_chat_queue_wait_seconds',
      help: 'From acceptance to the claim by a worker',
      labelNames: ['tier'] as const,
      buckets: seconds,
      registers,
    }),
    queueDepth: new Gauge({
      name: 'ai_chat_queue_depth',
      help: 'Jobs in a queue by state',
      labelNames: ['queue', 'state'] as const,
      registers,
    }),
    activeThreads: new Gauge({
      name: 'ai_chat_active_threads',
      help: 'Turns this process works on (worker) or relays (gateway)',
      registers,
    }),
    deadTurns: new Gauge({
      name: 'ai_chat_dead_turns',
      help: 'Turns set aside after the deaths of their workers, neither retried nor dropped yet; each worker tells of all',
      registers,
    }),
    wsConnections: new Gauge({ name: 'ai_chat_ws_connections', help: 'Open WebSockets', registers }),
    rateLimited: new Counter({
      name: 'ai_chat_rate_limited_total',
      help: 'Refusals by tier and the policy that refused',
      labelNames: ['tier', 'policy'] as const,
      registers,
    }),
    breakerState: new Gauge({
      name: 'ai_chat_breaker_state',
      help: '0 closed, 1 half open, 2 open',
      labelNames: ['dependency'] as const,
      registers,
    }),
    cacheRequests: new Counter({
      name: 'ai_chat_cache_requests_total',
      help: 'Cache look-ups by cache and result (hit, miss)',
      labelNames: ['cache', 'result'] as const,
      registers,
    }),
    modelTokens: new Counter({
      name: 'ai_chat_model_tokens_total',
      help: 'Tokens by provider, model and direction (input, output)',
      labelNames: ['provider', 'model', 'direction'] as const,
      registers,
    }),
    httpRequests: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'HTTP requests by route pattern and status class',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: seconds,
      registers,
    }),
    poolConnections: new Gauge({
      name: 'pg_pool_connections',
      help: 'PostgreSQL connections of this process by pool and state (total, idle, waiting)',
      labelNames: ['pool', 'state'] as const,
      registers,
    }),
  };
  if (options.turns) {
    for (const tier of tierNames) {
      for (const status of ['completed', 'failed', 'cancelled', 'refused'])
        metrics.chatRequests.inc({ status, tier }, 0);
      for (const policy of ['hour', 'minute', 'in_flight', 'tenant']) metrics.rateLimited.inc({ tier, policy }, 0);
      for (const histogram of [metrics.chatDuration, metrics.timeToFirstToken, metrics.queueWait])
        histogram.zero({ tier });
    }
  }
  return metrics;
}
export type Metrics = ReturnType<typeof makeMetrics>;
