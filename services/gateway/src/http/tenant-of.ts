import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '@sidestage/contracts';
import { isUuid } from '@sidestage/runtime';
import type { TenantRepository } from '@sidestage/store';

/** Tenants are not renamed to another id; a deleted one is gone within this. */
const cacheMs = 5_000;

/** Whose fans those without a credential are: the tenant X-Tenant-ID names, else the default one. */
export type TenantOf = (headers: IncomingHttpHeaders) => Promise<string>;

/** Throws `not_found` for an unknown tenant and `unavailable` while there is none at all. */
export function makeTenantOf(tenants: Pick<TenantRepository, 'find' | 'first'>): TenantOf {
  const known = new Map<string, number>();
  let first: { id: string; until: number } | undefined;
  return async (headers) => {
    const named = headers['x-tenant-id'];
    if (named === undefined) {
      if (first && first.until > Date.now()) return first.id;
      const row = await tenants.first();
      if (!row)
        throw new ProblemError('unavailable', { detail: 'There is no tenant yet: `npm start` makes the demo’s.' });
      first = { id: row.id, until: Date.now() + cacheMs };
      return row.id;
    }
    const id = String(named).toLowerCase();
    if ((known.get(id) ?? 0) > Date.now()) return id;
    if (!isUuid(id) || !(await tenants.find(id)))
      throw new ProblemError('not_found', { detail: 'X-Tenant-ID names no tenant.' });
    if (known.size > 1000) known.clear();
    known.set(id, Date.now() + cacheMs);
    return id;
  };
}
