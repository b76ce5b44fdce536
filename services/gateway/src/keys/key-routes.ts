import {
  type KeyView,
  keyBody,
  ProblemError,
  pageQuery,
  parseOrProblem,
  type Tier,
  tierNames,
} from '@sidestage/contracts';
import { isUuid, route } from '@sidestage/runtime';
import { type ApiKeyRepository, type ApiKeyRow, makeApiKey } from '@sidestage/store';
import express, { type Request, type Router } from 'express';
import type { Invalidations } from '../auth/invalidations.js';
import type { Principal } from '../auth/principal.js';
import { principalWithRole } from '../http/identify.js';
import { jsonBody } from '../http/json-body.js';

/** `/api/v1/keys`: an integrator's keys, made by an integrator (up to the tier of the key that asks) or an operator. */
export function keyRouter(options: { apiKeys: ApiKeyRepository; invalidations: Invalidations }): Router {
  const { apiKeys, invalidations } = options;
  const router = express.Router();
  const askerOf = (request: Request) => principalWithRole(request, ['integrator', 'operator']);

  route(router, '/api/v1/keys', {
    post: [
      jsonBody(),
      async (request, response) => {
        const asker = askerOf(request);
        const body = parseOrProblem(keyBody, request.body);
        refuseHigherTier(asker, body.tier);
        const { key, hash, prefix } = makeApiKey();
        const row = await apiKeys.create({
          tenant_id: asker.tenantId,
          name: body.name,
          tier: body.tier,
          hash,
          prefix,
          actor: asker.id,
        });
        const { id, name, tier, created_at } = toKeyView(row);
        response.status(201).set('Cache-Control', 'no-store').json({ id, name, tier, key, created_at });
      },
    ],
    get: async (request, response) => {
      const { tenantId } = askerOf(request);
      const page = await apiKeys.list(tenantId, parseOrProblem(pageQuery, request.query));
      response.json({ items: page.rows.map(toKeyView), next_cursor: page.next_cursor });
    },
  });
  route(router, '/api/v1/keys/:id', {
    delete: async (request, response) => {
      const asker = askerOf(request);
      const id = String(request.params.id);
      const row = isUuid(id) ? await apiKeys.find(asker.tenantId, id) : null;
      if (!row) throw new ProblemError('not_found', { detail: 'There is no such key.' });
      refuseHigherTier(asker, row.tier);
      if (!(await apiKeys.revoke(asker.tenantId, row.id, asker.id)))
        throw new ProblemError('not_found', { detail: 'There is no such key.' });
      invalidations.publish({ type: 'revoked', subject: `key:${row.id}` });
      response.status(204).end();
    },
  });
  return router;
}

/** A key cannot make (or end) one that may do more than itself. */
function refuseHigherTier(asker: Principal, tier: Tier): void {
  if (asker.role === 'operator' || tierNames.indexOf(tier) <= tierNames.indexOf(asker.tier)) return;
  throw new ProblemError('forbidden', {
    detail: `Your own key is of the tier ${asker.tier}: it may handle keys up to that tier.`,
    errors: [{ path: 'tier', message: `must be at most ${asker.tier}` }],
  });
}

function toKeyView(row: ApiKeyRow): KeyView {
  return {
    id: row.id,
    name: row.name,
    tier: row.tier,
    prefix: row.prefix,
    created_at: row.created_at.toISOString(),
    last_used_at: row.last_used_at?.toISOString() ?? null,
  };
}
