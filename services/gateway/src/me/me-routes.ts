import { ProblemError, parseOrProblem, profilePatch } from '@sidestage/contracts';
import { route } from '@sidestage/runtime';
import type { UserRepository, UserRow } from '@sidestage/store';
import express, { type Request, type Router } from 'express';
import { toProfileView } from '../accounts/views.js';
import type { Invalidations } from '../auth/invalidations.js';
import type { Principal } from '../auth/principal.js';
import type { WsTickets } from '../auth/ws-tickets.js';
import { ticketSeconds } from '../auth/ws-tickets.js';
import { principalOf } from '../http/identify.js';
import { jsonBody } from '../http/json-body.js';

/** `/api/v1/me` and `/api/v1/ws-tickets`. */
export function meRouter(options: { users: UserRepository; invalidations: Invalidations; tickets: WsTickets }): Router {
  const { users, invalidations, tickets } = options;
  const router = express.Router();
  route(router, '/api/v1/me', {
    get: async (request, response) => {
      const { tenantId, userId } = accountOf(request);
      response.json(toProfileView(orGone(await users.find(tenantId, userId))));
    },
    patch: [
      jsonBody(),
      async (request, response) => {
        const { tenantId, userId } = accountOf(request);
        const patch = parseOrProblem(profilePatch, request.body);
        response.json(toProfileView(orGone(await users.updateProfile(tenantId, userId, patch))));
      },
    ],
    delete: async (request, response) => {
      const { tenantId, userId, id } = accountOf(request);
      await users.erase(tenantId, userId, id);
      invalidations.publish({ type: 'revoked', subject: id });
      response.status(204).end();
    },
  });
  route(router, '/api/v1/ws-tickets', {
    post: async (request, response) => {
      const ticket = await tickets.issue(principalOf(request));
      response.status(201).set('Cache-Control', 'no-store').json({ ticket, expires_in: ticketSeconds });
    },
  });
  return router;
}

function accountOf(request: Request): Principal & { userId: string } {
  const principal = principalOf(request);
  if (principal.userId === null)
    throw new ProblemError('forbidden', { detail: 'An API key has no profile: sign in with an account.' });
  return { ...principal, userId: principal.userId };
}

function orGone(user: UserRow | null): UserRow {
  if (!user) throw new ProblemError('unauthenticated', { detail: 'This account is gone.' });
  return user;
}
