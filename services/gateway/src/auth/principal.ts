import type { Role, Tier } from '@sidestage/contracts';

/** Who is asking, as the credential says. Everything a handler may touch follows from it. */
export interface Principal {
  tenantId: string;
  /** `user:<id>` or `key:<id>`: owner of conversations, limits and idempotency keys. */
  id: string;
  role: Role;
  tier: Tier;
  /** Account id; null for an API key. */
  userId: string | null;
  guest: boolean;
  /** The login (refresh token family) an account's token belongs to; null for an API key. */
  sessionId: string | null;
  /** When the credential ends, ms since the epoch; null for an API key. */
  expiresAt: number | null;
}
