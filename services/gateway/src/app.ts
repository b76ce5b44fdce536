import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Logger, type Metrics, notFound, problemHandler, watchRequest } from '@sidestage/runtime';
import compression from 'compression';
import cors from 'cors';
import express, { type Express, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import type { GatewayConfig } from './config.js';
import { boundConcurrency, boundTime } from './http/bounds.js';
import type { Origins } from './http/origins.js';

/** What a page on another origin may read. */
const exposedHeaders = [
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-ID',
  'X-Process-Time',
  'Location',
  'Content-Location',
  'Idempotency-Key',
  'Idempotency-Replayed',
];
const allowedHeaders = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Prefer',
  'Idempotency-Key',
  'Last-Event-ID',
  'X-API-Key',
  'X-Tenant-ID',
  'X-Request-ID',
  'traceparent',
];
const corsCacheSeconds = 600;

/** Says to browsers which pages may call. Works on plain node requests too. */
export type Cors = ReturnType<typeof cors>;

export function makeCors(origins: Origins): Cors {
  return cors({
    origin: (origin, decide) => decide(null, origin !== undefined && origins.allows(origin)),
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders,
    exposedHeaders,
    maxAge: corsCacheSeconds,
  });
}

/** Compresses JSON over 1 KiB, and nothing else: a stream would be held back. Works on plain node requests too. */
export function makeCompression(): Compress {
  const compress: unknown = compression({
    threshold: 1024,
    filter: (_request, response) => /\bjson\b/.test(String(response.getHeader('Content-Type') ?? '')),
  });
  // Its types ask for express's request; its code for node's.
  return compress as Compress;
}
type Compress = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

export interface AppOptions {
  config: Pick<GatewayConfig, 'requestTimeoutMs' | 'concurrencyLimit'>;
  logger: Logger;
  metrics: Metrics;
  cors: Cors;
  compress: Compress;
  /** Health and documents: answered however busy the gateway is. */
  health: Router[];
  /** Chat; authenticates and reads bodies by itself. */
  chat: Router | null;
  identify: RequestHandler;
  /** Everything that relies on `identify`. */
  routers: Router[];
}

/** The gateway's HTTP side, in the order a request meets it. */
export function makeApp(options: AppOptions): Express {
  const { logger, metrics, config } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');

  app.use((request, response, next) => {
    watchRequest(request, response, {
      logger,
      metrics,
      route: () => routeOf(request),
      longLived: () => isStream(response.getHeader('Content-Type')),
    });
    next();
  });
  app.use(boundTime(config.requestTimeoutMs));
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"] } } }));
  app.use(options.cors);
  app.use(options.compress);
  for (const router of options.health) app.use(router);
  app.use(boundConcurrency(config.concurrencyLimit));
  if (options.chat) app.use(options.chat);
  app.use(options.identify);
  for (const router of options.routers) app.use(router);
  app.use(notFound);
  app.use(problemHandler(logger));
  return app;
}

function isStream(contentType: unknown): boolean {
  return String(contentType ?? '').startsWith('text/event-stream');
}

/** The pattern of the matched route: paths themselves would fill the metrics with ids. */
function routeOf(request: IncomingMessage): string {
  const matched: unknown = Reflect.get(request, 'route');
  if (typeof matched === 'object' && matched !== null && 'path' in matched) return String(matched.path);
  return 'unmatched';
}
