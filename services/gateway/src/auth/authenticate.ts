import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '@sidestage/contracts';
import { type RequestLimits, rateLimitHeaders } from '../limits/request-limits.js';
import type { AccessTokens } from './access-tokens.js';
import { type KeyLookup, keyHelp } from './key-lookup.js';
import type { Principal } from './principal.js';
import type { RevokedCredentials } from './revocations.js';
import type { WsTickets } from './ws-tickets.js';

/** Look-ups of unknown keys at once for addresses that have used up their requests without a credential. */
const maxSuspectLookups = 4;

export interface Authenticator {
  /**
   * Who asks. Throws `unauthenticated` or `token_expired` (counted against the address, so sooner or later `quota_exceeded`) and
   * `tenant_mismatch`. Asked again for the same request's headers it gives the same answer and counts nothing.
   */
  authenticate(headers: IncomingHttpHeaders, address: string): Promise<Principal>;
  /** The same for a token or key that came another way. */
  authenticateToken(token: string, address: string): Promise<Principal>;
  /** Uses a one-time ticket. */
  redeemTicket(ticket: string, address: string): Promise<Principal>;
  /** Called within 5 s with `user:<id>`, `key:<id>` (a principal's id) or `session:<id>` (its sessionId) that has ended. */
  onRevoked(listener: (subject: string) => void): void;
}

export interface AuthenticatorOptions {
  tokens: AccessTokens;
  keys: KeyLookup;
  tickets: WsTickets;
  revoked: RevokedCredentials;
  limits: RequestLimits;
}

/** Whether these headers carry a credential at all. */
export function hasCredential(headers: IncomingHttpHeaders): boolean {
  return headers.authorization !== undefined || headers['x-api-key'] !== undefined;
}

function readCredential(headers: IncomingHttpHeaders): string {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token) return token;
    throw new ProblemError('unauthenticated', { detail: `The Authorization header is no Bearer token. ${keyHelp}` });
  }
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return key;
  throw new ProblemError('unauthenticated', { detail: keyHelp });
}

export function makeAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { tokens, keys, tickets, revoked, limits } = options;
  const answers = new WeakMap<IncomingHttpHeaders, Promise<Principal>>();
  let suspectLookups = 0;

  revoked.onRevoked((subject) => {
    if (subject.startsWith('key:')) keys.forget(subject.slice('key:'.length));
  });

  async function findKey(key: string, address: string): Promise<Principal> {
    if (keys.knows(key) || !(await limits.isExhausted(address))) return keys.find(key);
    // A good key must work from any address, and made-up keys must not become a load on Postgres.
    if (suspectLookups >= maxSuspectLookups) await limits.countAnonymous(address);
    suspectLookups++;
    try {
      return await keys.find(key);
    } finally {
      suspectLookups--;
    }
  }

  async function verify(token: string, address: string): Promise<Principal> {
    const principal = token.startsWith('sk_') ? await findKey(token, address) : tokens.verify(plausibleToken(token));
    if (revoked.concerns(principal))
      throw new ProblemError('unauthenticated', { detail: 'This credential was revoked: sign in again.' });
    return principal;
  }

  /** A refused credential counts as a request without one. */
  async function counted(address: string, work: () => Promise<Principal>): Promise<Principal> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 401) throw error;
      const headers = rateLimitHeaders('address', await limits.countAnonymous(address));
      throw new ProblemError(error.code, { ...error.options, headers });
    }
  }

  async function authenticate(headers: IncomingHttpHeaders, address: string): Promise<Principal> {
    const principal = await counted(address, async () => verify(readCredential(headers), address));
    if (namesAnotherTenant(headers, principal))
      throw new ProblemError('tenant_mismatch', {
        detail: 'X-Tenant-ID names another tenant than the credential belongs to; leave it out.',
        headers: rateLimitHeaders('requests', await limits.countPrincipal(principal)),
      });
    return principal;
  }

  return {
    authenticate(headers, address) {
      let answer = answers.get(headers);
      if (!answer) {
        answer = authenticate(headers, address);
        answers.set(headers, answer);
      }
      return answer;
    },
    authenticateToken: (token, address) => counted(address, () => verify(token, address)),
    redeemTicket: (ticket, address) =>
      counted(address, async () => {
        const principal = await tickets.redeem(ticket);
        if (!principal || revoked.concerns(principal))
          throw new ProblemError('unauthenticated', {
            detail: 'The ticket is unknown, used or older than 30 s: get another with POST /api/v1/ws-tickets.',
          });
        return principal;
      }),
    onRevoked: (listener) => revoked.onRevoked(listener),
  };
}

/** Tells a credential of the older demo (`user123:premium`) what has taken its place. */
function plausibleToken(token: string): string {
  if (token.split('.').length === 3) return token;
  throw new ProblemError('unauthenticated', { detail: `This is neither an access token nor an API key. ${keyHelp}` });
}

function namesAnotherTenant(headers: IncomingHttpHeaders, principal: Principal): boolean {
  const named = headers['x-tenant-id'];
  return named !== undefined && String(named).toLowerCase() !== principal.tenantId;
}
