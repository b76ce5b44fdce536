import type { IncomingMessage } from 'node:http';
import { ProblemError, type Role } from '@sidestage/contracts';
import type { Request, RequestHandler } from 'express';
import { type Authenticator, hasCredential } from '../auth/authenticate.js';
import { keyHelp } from '../auth/key-lookup.js';
import type { Principal } from '../auth/principal.js';
import { type RequestLimits, rateLimitHeaders } from '../limits/request-limits.js';
import { clientAddress } from './client-address.js';

const principals = new WeakMap<IncomingMessage, Principal>();
/**
 * Runs before a body is read: finds out who asks and counts the request, by principal, or by address without a credential. A bad
 * credential ends here. `auth/*` is left to its own routes (there the body is the credential), chat to its own too (it has its tier's limits).
 */
export function makeIdentify(options: {
  authenticator: Authenticator;
  limits: RequestLimits;
  trustProxyHops: number;
}): RequestHandler {
  const { authenticator, limits } = options;
  return async (request, response, next) => {
    if (request.path.startsWith('/api/v1/auth/')) return next();
    const address = clientAddress(request, options.trustProxyHops);
    if (!hasCredential(request.headers)) {
      response.set(rateLimitHeaders('address', await limits.countAnonymous(address)));
      return next();
    }
    const principal = await authenticator.authenticate(request.headers, address);
    principals.set(request, principal);
    response.set(rateLimitHeaders('requests', await limits.countPrincipal(principal)));
    next();
  };
}

/** Who asks, or null without a credential. */
export function principalIfAny(request: Request): Principal | null {
  return principals.get(request) ?? null;
}

/** Who asks. Throws `unauthenticated`. */
export function principalOf(request: Request): Principal {
  const principal = principals.get(request);
  if (!principal) throw new ProblemError('unauthenticated', { detail: keyHelp });
  return principal;
}

/** Who asks, if their role is one of these. Throws `unauthenticated` or `forbidden`. */
export function principalWithRole(request: Request, roles: Role[]): Principal {
  const principal = principalOf(request);
  if (roles.includes(principal.role)) return principal;
  throw new ProblemError('forbidden', {
    detail: `This needs the role ${roles.join(' or ')}; yours is ${principal.role}.`,
  });
}
