import { applyPolicy, type Policy } from '@sidestage/contracts';
import type { TenantRepository } from '@sidestage/store';
import type { Invalidations } from '../auth/invalidations.js';

/** A policy is in force within this, in milliseconds, wherever it was changed. */
const cacheMs = 4_000;

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
  const cache = new Map<string, { policy: Policy; until: number }>();
  const running = new Map<string, Promise<Policy>>();

  options.invalidations.listen((invalidation) => {
    if (invalidation.type === 'policy') cache.delete(invalidation.tenant_id);
  });

  async function read(tenantId: string): Promise<Policy> {
    const stale = cache.get(tenantId);
    let policy: Policy;
    try {
      const patch = await options.tenants.policyPatch(tenantId);
      policy = patch ? applyPolicy(options.defaultPolicy, patch) : options.defaultPolicy;
    } catch {
      policy = stale?.policy ?? options.defaultPolicy;
    }
    cache.set(tenantId, { policy, until: Date.now() + cacheMs });
    return policy;
  }

  return {
    of(tenantId) {
      const known = cache.get(tenantId);
      if (known && known.until > Date.now()) return Promise.resolve(known.policy);
      let reading = running.get(tenantId);
      if (!reading) {
        reading = read(tenantId).finally(() => running.delete(tenantId));
        running.set(tenantId, reading);
      }
      return reading;
    },
  };
}
