import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '@sidestage/contracts';
import type { AccessTokens } from '../auth/access-tokens.js';
import { keyHelp } from '../auth/key-lookup.js';
import type { Principal } from '../auth/principal.js';
import type { TenantOf } from '../http/tenant-of.js';
import type { WindowState } from '../limits/fixed-windows.js';
import type { RequestLimits } from '../limits/request-limits.js';
import type { Sessions } from './sessions.js';

/** Makes a guest of a call of an older API that came without a credential. */
export interface GuestMaker {
  /** Counts against the address like a sign-in. Throws `unauthenticated` where guests are not admitted. */
  begin(
    headers: IncomingHttpHeaders,
    address: string,
  ): Promise<{ principal: Principal; token: string; limit: WindowState }>;
}

export function makeGuestMaker(options: {
  sessions: Sessions;
  tokens: AccessTokens;
  limits: RequestLimits;
  tenantOf: TenantOf;
  guests: boolean;
}): GuestMaker {
  return {
    async begin(headers, address) {
      const limit = await options.limits.countSignIn(address);
      if (!options.guests) throw new ProblemError('unauthenticated', { detail: keyHelp });
      const session = await options.sessions.guest(await options.tenantOf(headers));
      return { principal: options.tokens.verify(session.access_token), token: session.access_token, limit };
    },
  };
}
