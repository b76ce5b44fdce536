import {
  applyPolicy,
  type Policy,
  type PolicyPatch,
  ProblemError,
  parseOrProblem,
  type TenantPolicy,
  tenantBody,
  tenantPolicyBody,
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

  const inForce = (patch: PolicyPatch, corsOrigins: string[]): TenantPolicy => ({
    ...applyPolicy(options.defaultPolicy, patch),
    cors_origins: corsOrigins,
  });

  async function patchOf(id: string): Promise<PolicyPatch> {
    const patch = isUuid(id) ? await tenants.policyPatch(id) : null;
    if (!patch) throw new ProblemError('not_found', { detail: 'There is no such tenant.' });
    return patch;
  }

  route(router, '/api/v1/admin/tenants/:id/policy', {
    get: async (request, response) => {
      operatorOf(request);
      const id = String(request.params.id);
      const patch = await patchOf(id);
      response.json(inForce(patch, await tenants.corsOriginsOf(id)));
    },
    put: [
      jsonBody(),
      async (request, response) => {
        const operator = operatorOf(request);
        const id = String(request.params.id);
        await patchOf(id);
        const { cors_origins, ...patch } = parseOrProblem(tenantPolicyBody, request.body);
        await tenants.setPolicyPatch(id, patch, cors_origins);
        await recordAudit(engine, {
          tenant_id: id,
          actor: operator.id,
          action: 'policy.changed',
          subject: `tenant:${id}`,
          detail: { policy: patch, cors_origins },
        });
        invalidations.publish({ type: 'policy', tenant_id: id });
        response.json(inForce(patch, cors_origins));
      },
    ],
  });
  return router;
}
