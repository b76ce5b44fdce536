import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ConfigError,
  closeServer,
  healthRouter,
  Lifecycle,
  type Logger,
  listen,
  makeHttpServer,
  makeLogger,
  makeMetrics,
  notFound,
  problemHandler,
  watchRequest,
} from '@sidestage/runtime';
import express from 'express';
import { readConfig } from './config.js';
import { securityHeaders } from './headers.js';
import { servePage } from './page.js';

const service = 'web';
const version = '0.1.0';
const builtPage = fileURLToPath(new URL('../page', import.meta.url));

export interface RunningWeb {
  lifecycle: Lifecycle;
  logger: Logger;
  port: number;
}

/**
 * Serves the built page, its configuration, and the routes every service has.
 * @param pageFolder what `vite build` wrote
 */
export async function runWeb(env: Record<string, string | undefined>, pageFolder = builtPage): Promise<RunningWeb> {
  const config = readConfig(env);
  if (!existsSync(join(pageFolder, 'index.html'))) {
    throw new ConfigError([`${pageFolder} holds no built page: run \`pnpm --filter @sidestage/web build\` first`]);
  }
  const logger = makeLogger({ service, level: config.LOG_LEVEL, debug: config.DEBUG });
  const metrics = makeMetrics(service);
  const lifecycle = new Lifecycle(logger);

  const app = express();
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    watchRequest(request, response, { logger, metrics, route: () => routeOf(request.path) });
    next();
  });
  app.use(securityHeaders(config.PUBLIC_GATEWAY_URL));
  app.use(
    healthRouter({
      service,
      version,
      metrics,
      ready: async () => (lifecycle.draining ? 'shutting down' : true),
      details: async () => ({ dependencies: {} }),
      essential: [],
    }),
  );
  app.get('/config.json', (_request, response) => {
    response.set('Cache-Control', 'no-cache').json({ gateway_url: config.PUBLIC_GATEWAY_URL.replace(/\/+$/, '') });
  });
  app.get('/chatbot', (_request, response) => response.redirect(302, '/'));
  app.use(servePage(pageFolder));
  app.use(notFound);
  app.use(problemHandler(logger));

  const server = makeHttpServer(app);
  const port = await listen(server, config.PORT, config.HOST);
  lifecycle.onClose('http server', () => closeServer(server, 2_000));
  logger.info({ port, host: config.HOST, gateway: config.PUBLIC_GATEWAY_URL }, 'ready');
  return { lifecycle, logger, port };
}

/** A label of few values: the page's own addresses hold ids. */
function routeOf(path: string): string {
  if (/^\/(health|metrics|info|config\.json|chatbot)/.test(path)) return path.replace(/\/$/, '');
  return path.startsWith('/assets/') ? '/assets' : '/page';
}
