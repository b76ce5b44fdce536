import type { DependencyView, DetailedHealthView, HealthView } from '@sidestage/contracts';
import express, { type Response, type Router } from 'express';
import { privateOnly } from './http.js';
import type { Metrics } from './metrics.js';
import { route } from './routes.js';

export interface HealthOptions {
  service: string;
  version: string;
  metrics: Metrics;
  /** Whether new work can be accepted durably; a reason when not. Dependencies that only degrade are not asked. */
  ready: () => Promise<true | string>;
  /** For /health/detailed and the status of /health. */
  details: () => Promise<Pick<DetailedHealthView, 'dependencies' | 'queue' | 'connections'>>;
  /** Dependencies without which the service is `failing`, not `degraded`. */
  essential: string[];
  /** Whether this process makes progress. Default: it answers. */
  alive?: () => true | string;
  /** Runs before a scrape. */
  onScrape?: () => Promise<void> | void;
  info?: Record<string, unknown>;
}

/** /health, /health/detailed, /health/live, /health/ready, /metrics, /info. */
export function healthRouter(options: HealthOptions): Router {
  const router = express.Router();
  const startedAt = Date.now();
  const view = (status: HealthView['status']): HealthView => ({
    status,
    service: options.service,
    version: options.version,
    uptime_seconds: Math.round((Date.now() - startedAt) / 1000),
  });
  const overall = (dependencies: Record<string, DependencyView>): HealthView['status'] => {
    const bad = Object.entries(dependencies).filter(
      ([, value]) => value.status === 'failing' || value.status === 'degraded',
    );
    if (bad.some(([name, value]) => value.status === 'failing' && options.essential.includes(name))) return 'failing';
    return bad.length > 0 ? 'degraded' : 'ok';
  };
  const answer = (response: Response, status: number, body: unknown) =>
    response.status(status).set('Cache-Control', 'no-store').json(body);

  router.use(['/health/detailed', '/metrics'], privateOnly);
  route(router, '/health', {
    get: async (_request, response) => {
      const { dependencies } = await options.details();
      const status = overall(dependencies);
      answer(response, status === 'failing' ? 503 : 200, view(status));
    },
  });
  route(router, '/health/detailed', {
    get: async (_request, response) => {
      const details = await options.details();
      const status = overall(details.dependencies);
      answer(response, status === 'failing' ? 503 : 200, { ...view(status), ...details });
    },
  });
  route(router, '/health/live', {
    get: (_request, response) => {
      const alive = options.alive?.() ?? true;
      answer(
        response,
        alive === true ? 200 : 503,
        alive === true ? { status: 'ok' } : { status: 'failing', detail: alive },
      );
    },
  });
  route(router, '/health/ready', {
    get: async (_request, response) => {
      const ready = await options.ready();
      answer(
        response,
        ready === true ? 200 : 503,
        ready === true ? { status: 'ok' } : { status: 'failing', detail: ready },
      );
    },
  });
  route(router, '/metrics', {
    get: async (_request, response) => {
      await options.onScrape?.();
      response.set('Content-Type', options.metrics.registry.contentType).send(await options.metrics.registry.metrics());
    },
  });
  route(router, '/info', {
    get: (_request, response) => {
      answer(response, 200, {
        service: options.service,
        version: options.version,
        node: process.version,
        ...options.info,
      });
    },
  });
  return router;
}

/** Times one probe of a dependency under a deadline. */
export async function probe(check: () => Promise<unknown>, deadlineMs = 1_000): Promise<DependencyView> {
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      check(),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
      }),
    ]);
    return { status: 'ok', latency_ms: Math.round((performance.now() - startedAt) * 10) / 10 };
  } catch (error) {
    return { status: 'failing', latency_ms: null, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
