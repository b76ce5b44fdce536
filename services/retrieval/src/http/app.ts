import { createHash, timingSafeEqual } from 'node:crypto';
import { ProblemError, type retrievalSearchAnswer, retrievalSearchBody } from '@sidestage/contracts';
import {
  type HealthOptions,
  healthRouter,
  isUnavailable,
  isUuid,
  type Logger,
  type Metrics,
  notFound,
  problemHandler,
  traceOf,
  watchRequest,
} from '@sidestage/runtime';
import express, { type Express, type Request, type RequestHandler } from 'express';
import type { z } from 'zod';
import type { SearchRequest } from '../search/search-passages.js';

export interface AppOptions {
  token: string;
  search: (request: SearchRequest, requestId: string) => Promise<z.infer<typeof retrievalSearchAnswer>>;
  removeSource: (source: { tenant_id: string; source_id: string }) => Promise<void>;
  /** Starts to make the derived index again; false while one runs. */
  startRebuild: () => boolean;
  health: HealthOptions;
  logger: Logger;
  metrics: Metrics;
}

/** The routes of the retrieval service. All but health need the token. */
export function makeApp(options: AppOptions): Express {
  const { logger, metrics } = options;
  const app = express();
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    watchRequest(request, response, { logger, metrics, route: () => routeOf(request) });
    next();
  });
  app.use(healthRouter(options.health));
  app.use('/internal', requireToken(options.token));
  app.post('/internal/search', express.json({ limit: '64kb' }), async (request, response) => {
    response.json(await answering(options.search(readSearch(request.body), traceOf(request).requestId)));
  });
  app.delete('/internal/sources/:tenant/:source', async (request, response) => {
    const { tenant = '', source = '' } = request.params;
    if (isUuid(tenant) && isUuid(source)) await options.removeSource({ tenant_id: tenant, source_id: source });
    response.status(204).end();
  });
  app.post('/internal/rebuild', (_request, response) => {
    if (!options.startRebuild()) throw new ProblemError('conflict', { detail: 'A rebuild is already running.' });
    response.status(202).json({ status: 'started' });
  });
  app.use(notFound);
  app.use(problemHandler(logger));
  return app;
}

/** A Postgres that is away or too slow is an outage, not a fault of ours: the caller may try again. */
async function answering<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isUnavailable(error))
      throw new ProblemError('unavailable', { detail: 'The database does not answer.', cause: error });
    throw error;
  }
}

function routeOf(request: Request): string {
  const { route } = request;
  return typeof route?.path === 'string' ? route.path : 'none';
}

/** Digests of equal length: the comparison tells nothing about the token, not even how long it is. */
function requireToken(token: string): RequestHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return (request, _response, next) => {
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!timingSafeEqual(digest(given), expected))
      throw new ProblemError('unauthenticated', { detail: 'The retrieval token is missing or wrong.' });
    next();
  };
}

function readSearch(body: unknown): SearchRequest {
  const parsed = retrievalSearchBody.safeParse(body);
  if (!parsed.success) {
    const errors = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
    throw new ProblemError('validation_failed', { detail: errors[0]?.message ?? 'The body is not valid.', errors });
  }
  const { tenant_id, creator_id } = parsed.data;
  // An id that cannot be one of ours belongs to nobody.
  if (!isUuid(tenant_id) || !isUuid(creator_id))
    throw new ProblemError('not_found', { detail: 'There is no such creator.' });
  return parsed.data;
}
