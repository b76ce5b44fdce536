import type { Logger } from '@sidestage/runtime';
import type { TenantRepository } from '@sidestage/store';

const refreshMs = 5_000;

/** Which pages may call: the configured origins and those of the tenants. Read synchronously. */
export interface Origins {
  allows(origin: string): boolean;
  close(): void;
}

export function makeOrigins(options: {
  configured: readonly string[];
  tenants: Pick<TenantRepository, 'corsOrigins'>;
  logger: Logger;
}): Origins {
  const configured = new Set(options.configured);
  let ofTenants = new Set<string>();
  let timer: NodeJS.Timeout;
  let closed = false;
  const refresh = () => {
    options.tenants
      .corsOrigins()
      .then((origins) => {
        ofTenants = new Set(origins);
      })
      .catch((error: unknown) => options.logger.debug({ err: error }, 'tenants’ origins cannot be read'))
      .finally(() => {
        if (!closed) timer = setTimeout(refresh, refreshMs);
      });
  };
  refresh();
  return {
    allows: (origin) => configured.has('*') || configured.has(origin) || ofTenants.has(origin),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
