import {
  loginBody,
  ProblemError,
  parseOrProblem,
  refreshBody,
  registerBody,
  type SessionView,
} from '@sidestage/contracts';
import { route } from '@sidestage/runtime';
import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { z } from 'zod';
import { type Authenticator, hasCredential } from '../auth/authenticate.js';
import type { Principal } from '../auth/principal.js';
import { clientAddress } from '../http/client-address.js';
import { jsonBody } from '../http/json-body.js';
import type { TenantOf } from '../http/tenant-of.js';
import { type RequestLimits, rateLimitHeaders } from '../limits/request-limits.js';
import type { Sessions } from './sessions.js';

export interface AccountRouteOptions {
  sessions: Sessions;
  authenticator: Authenticator;
  limits: RequestLimits;
  tenantOf: TenantOf;
  guests: boolean;
  trustProxyHops: number;
}

/** `/api/v1/auth/*`. Every request counts against its address first, before its body is read; a good refresh token is given back. */
export function accountRouter(options: AccountRouteOptions): Router {
  const { sessions, limits, tenantOf } = options;
  const router = express.Router();
  const addressOf = (request: Request) => clientAddress(request, options.trustProxyHops);
  const count: RequestHandler = async (request, response, next) => {
    response.set(rateLimitHeaders('auth_address', await limits.countSignIn(addressOf(request))));
    next();
  };
  const forgive = (request: Request) => limits.forgiveSignIn(addressOf(request));

  /** A guest's access token makes the guest the new account. */
  async function askerOf(request: Request): Promise<Principal | null> {
    if (!hasCredential(request.headers)) return null;
    const principal = await options.authenticator.authenticate(request.headers, addressOf(request));
    await forgive(request);
    return principal;
  }

  const post = (path: string, handler: (request: Request, response: Response) => Promise<void>) =>
    route(router, path, { post: [count, jsonBody(), handler] });

  post('/api/v1/auth/register', async (request, response) => {
    const asker = await askerOf(request);
    const body = parseOrProblem(registerBody, request.body);
    const tenantId = asker?.tenantId ?? (await tenantOf(request.headers));
    answer(response, 201, await sessions.register(tenantId, body, asker));
  });
  post('/api/v1/auth/login', async (request, response) => {
    const body = parseOrProblem(loginBody, request.body);
    const tenantId = await tenantOf(request.headers);
    answer(response, 200, await sessions.login(tenantId, body.email, body.password, body.guest_refresh_token));
  });
  post('/api/v1/auth/guest', async (request, response) => {
    parseOrProblem(z.object({}), request.body);
    if (!options.guests)
      throw new ProblemError('forbidden', { detail: 'Guests are not admitted here: register an account.' });
    answer(response, 201, await sessions.guest(await tenantOf(request.headers)));
  });
  post('/api/v1/auth/refresh', async (request, response) => {
    const body = parseOrProblem(refreshBody, request.body);
    const session = await sessions.refresh(body.refresh_token);
    await forgive(request);
    answer(response, 200, session);
  });
  post('/api/v1/auth/logout', async (request, response) => {
    const body = parseOrProblem(refreshBody, request.body);
    if (await sessions.logout(body.refresh_token)) await forgive(request);
    response.status(204).end();
  });
  return router;
}

function answer(response: Response, status: number, session: SessionView): void {
  response.status(status).set('Cache-Control', 'no-store').json(session);
}
