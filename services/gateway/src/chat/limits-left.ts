import type { Admission } from '@sidestage/turns';
import type { Principal } from '../auth/principal.js';
import type { ChatDependencies } from './chat-dependencies.js';
import { rateLimitHeaders } from './rate-limit.js';

/** The RateLimit fields of a principal's messages, without taking one. */
export type LimitsLeft = (principal: Principal) => Promise<Record<string, string>>;

export function makeLimitsLeft(options: {
  admission: Pick<Admission, 'peek'>;
  policies: ChatDependencies['policies'];
}): LimitsLeft {
  return async ({ tenantId, id, tier }) => {
    const { tiers } = await options.policies.of(tenantId);
    return rateLimitHeaders(await options.admission.peek({ tenant_id: tenantId, principal: id, limits: tiers[tier] }));
  };
}
