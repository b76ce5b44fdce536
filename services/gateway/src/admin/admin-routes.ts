import {
  applyPolicy,
  type Policy,
  type PolicyPatch,
  ProblemError,
  parseOrProblem,
  policyPatchSchema,
  tenantBody,
} from '@sidestage/contracts';
import { isUuid, type PgPool, route } from '@sidestage/runtime';
import { type ApiKeyRepository, makeApiKey, recordAudit, type TenantRepository } from '@sidestage/store';
import express, { type Request, type Router } from 'express';
import type { Invalidations } from '../auth/invalidations.js';
import { principalWithRole } from '../http/identify.js';
import { jsonBody } from '../http/json-body.js';

/** `/api/v1/admin/*`: operators run the whole fleet, so these reach every tenant. */
export function adminRouter(options: {
  tenants: TenantRepository;
  apiKeys: ApiKeyRepository;
  /** For the audit of what happens above the tenants. */
  engine: PgPool;
  invalidations: Invalidations;
  defaultPolicy: Policy;
}): Router {
  const { tenants, apiKeys, engine, invalidations } = options;
  const router = express.Router();
  const operatorOf = (request: Request) => principalWithRole(request, ['operator']);

  route(router, '/api/v1/admin/tenants', {
    post: [
      jsonBody(),
      async (request, response) => {
        const operator = operatorOf(request);
        const body = parseOrProblem(tenantBody, request.body);
        const tenant = await tenants.create({ name: body.name });
        await recordAudit(engine, {
          tenant_id: tenant.id,
          actor: operator.id,
          action: 'tenant.created',
          subject: `tenant:${tenant.id}`,
          detail: { name: tenant.name },
        });
        const { key, hash, prefix } = makeApiKey();
        await apiKeys.create({
          tenant_id: tenant.id,
          name: 'first key',
          tier: 'enterprise',
          hash,
          prefix,
          actor: operator.id,
        });
        response.status(201).set('Cache-Control', 'no-store').json({ id: tenant.id, name: tenant.name, api_key: key });
      },
    ],
  });

  async function patchOf(id: string): Promise<PolicyPatch> {
    const patch = isUuid(id) ? await tenants.policyPatch(id) : null;
    if (!patch) throw new ProblemError('not_found', { detail: 'There is no such tenant.' });
    return patch;
  }

  route(router, '/api/v1/admin/tenants/:id/policy', {
    get: async (request, response) => {
      operatorOf(request);
      response.json(applyPolicy(options.defaultPolicy, await patchOf(String(request.params.id))));
    },
    put: [
      jsonBody(),
      async (request, response) => {
        const operator = operatorOf(request);
        const id = String(request.params.id);
        await patchOf(id);
        const patch = parseOrProblem(policyPatchSchema, request.body);
        await tenants.setPolicyPatch(id, patch);
        await recordAudit(engine, {
          tenant_id: id,
          actor: operator.id,
          action: 'policy.changed',
          subject: `tenant:${id}`,
          detail: { policy: patch },
        });
        invalidations.publish({ type: 'policy', tenant_id: id });
        response.json(applyPolicy(options.defaultPolicy, patch));
      },
    ],
  });
  return router;
}
