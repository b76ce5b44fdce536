import type { KeyObject } from 'node:crypto';
import { ProblemError, roleSchema, tierSchema } from '@sidestage/contracts';
import { isUuid } from '@sidestage/runtime';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import type { Principal } from './principal.js';

const issuer = 'sidestage';
const audience = 'sidestage-api';
/** Seconds an access token lasts. */
export const accessTokenSeconds = 15 * 60;
/** Clocks of two machines may differ by so much. */
export const clockToleranceSeconds = 30;
/** Verified tokens kept; the oldest go first. */
const maxCached = 20_000;

const claims = z.object({
  sub: z.string().refine(isUuid),
  tenant: z.string().refine(isUuid),
  sid: z.string().refine(isUuid),
  role: roleSchema,
  tier: tierSchema,
  guest: z.boolean().default(false),
  iat: z.number(),
  exp: z.number(),
});

/** A principal of an account, with the login its token belongs to. */
export type AccountPrincipal = Principal & { userId: string; sessionId: string; expiresAt: number };

export interface AccessTokens {
  sign(account: Omit<AccountPrincipal, 'id' | 'expiresAt'>): string;
  /** Throws `token_expired` or `unauthenticated`. A verified token costs a look-up until it ends. */
  verify(token: string): AccountPrincipal;
}

/** HS256 access tokens. `key` is a KeyObject: with a string jsonwebtoken builds one at each call (50 times slower). */
export function makeAccessTokens(key: KeyObject, now: () => number = Date.now): AccessTokens {
  const verified = new Map<string, AccountPrincipal>();

  function check(token: string): AccountPrincipal {
    let payload: unknown;
    try {
      payload = jwt.verify(token, key, {
        algorithms: ['HS256'],
        issuer,
        audience,
        clockTolerance: clockToleranceSeconds,
        clockTimestamp: Math.floor(now() / 1000),
      });
    } catch (error) {
      if (error instanceof jwt.TokenExpiredError) throw expired();
      throw new ProblemError('unauthenticated', { detail: 'The access token is not valid.', cause: error });
    }
    const parsed = claims.safeParse(payload);
    if (!parsed.success) throw new ProblemError('unauthenticated', { detail: 'The access token is not valid.' });
    const { sub, tenant, sid, role, tier, guest, exp } = parsed.data;
    return {
      tenantId: tenant,
      id: `user:${sub}`,
      role,
      tier,
      userId: sub,
      sessionId: sid,
      guest,
      expiresAt: exp * 1000,
    };
  }

  return {
    sign: (account) =>
      jwt.sign(
        {
          tenant: account.tenantId,
          sid: account.sessionId,
          role: account.role,
          tier: account.tier,
          ...(account.guest && { guest: true }),
        },
        key,
        { algorithm: 'HS256', issuer, audience, subject: account.userId, expiresIn: accessTokenSeconds },
      ),

    verify(token) {
      const known = verified.get(token);
      if (known) {
        if (known.expiresAt + clockToleranceSeconds * 1000 > now()) return known;
        verified.delete(token);
        throw expired();
      }
      const principal = check(token);
      verified.set(token, principal);
      if (verified.size > maxCached) {
        const oldest = verified.keys().next().value;
        if (oldest !== undefined) verified.delete(oldest);
      }
      return principal;
    },
  };
}

function expired(): ProblemError {
  return new ProblemError('token_expired', {
    detail: 'The access token has ended: exchange the refresh token at POST /api/v1/auth/refresh.',
  });
}
