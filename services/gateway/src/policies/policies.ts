import { applyPolicy, type Policy } from '@sidestage/contracts';
import { makeReadThrough } from '@sidestage/runtime';
import type { TenantRepository } from '@sidestage/store';
import type { Invalidations } from '../auth/invalidations.js';

/** A policy is in force within this, in milliseconds, wherever it was changed. */
const cacheMs = 4_000;
const maxCached = 10_000;

/** The limits in force for a tenant: the defaults under its own policy. */
export interface Policies {
  /** Falls back to the last one known, else to the defaults, while Postgres cannot be asked. */
  of(tenantId: string): Promise<Policy>;
}

export function makePolicies(options: {
  tenants: Pick<TenantRepository, 'policyPatch'>;
  invalidations: Invalidations;
  defaultPolicy: Policy;
}): Policies {
  /** What holds while Postgres cannot be asked. */
  const lastKnown = new Map<string, Policy>();
  const cache = makeReadThrough({ read, keepMs: () => cacheMs, max: maxCached });

  options.invalidations.listen((invalidation) => {
    if (invalidation.type === 'policy') cache.forget((key) => key === invalidation.tenant_id);
  });

  async function read(tenantId: string): Promise<Policy> {
    try {
      const patch = await options.tenants.policyPatch(tenantId);
      const policy = patch ? applyPolicy(options.defaultPolicy, patch) : options.defaultPolicy;
      if (patch) lastKnown.set(tenantId, policy);
      else lastKnown.delete(tenantId);
      return policy;
    } catch {
      return lastKnown.get(tenantId) ?? options.defaultPolicy;
    }
  }

  return { of: (tenantId) => cache.get(tenantId) };
}
