import type { Logger } from '@sidestage/runtime';
import type { TenantRepository } from '@sidestage/store';
import type { Invalidations } from '../auth/invalidations.js';

/** A change is in force within 5 s, even when nobody told. */
const refreshMs = 4_000;

/** Which pages may call: the configured origins and those of the tenants. Read synchronously. */
export interface Origins {
  allows(origin: string): boolean;
  close(): void;
}

export function makeOrigins(options: {
  configured: readonly string[];
  tenants: Pick<TenantRepository, 'corsOrigins'>;
  invalidations: Pick<Invalidations, 'listen'>;
  logger: Logger;
}): Origins {
  const configured = new Set(options.configured);
  let ofTenants = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const refresh = () => {
    clearTimeout(timer);
    options.tenants
      .corsOrigins()
      .then((origins) => {
        ofTenants = new Set(origins);
      })
      .catch((error: unknown) => options.logger.debug({ err: error }, 'tenants’ origins cannot be read'))
      .finally(() => {
        clearTimeout(timer);
        if (!closed) timer = setTimeout(refresh, refreshMs);
      });
  };
  refresh();
  options.invalidations.listen((invalidation) => {
    if (invalidation.type === 'policy' && !closed) refresh();
  });
  return {
    allows: (origin) => configured.has('*') || configured.has(origin) || ofTenants.has(origin),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
